"""Which images a catalogue names, and on which machines their servers run. An image of a person's own is not named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .catalogue import Profile


@dataclass(frozen=True)
class Place:
    """Machines of one class, with one type of GPU; anywhere where both are None."""

    node_class: str | None = None
    gpu_type: str | None = None


ANYWHERE = Place()


@dataclass(frozen=True)
class NamedImage:
    """An image, the profiles that start it, and where."""

    image: str
    profiles: tuple[str, ...]
    place: Place
    """The one place where all of them run; anywhere where they differ."""


def named_images(profiles: Iterable[Profile]) -> list[NamedImage]:
    """Return every image that the profiles name: their own, and those of their choices; in their order."""
    found: dict[str, dict[str, Place]] = {}
    for profile in profiles:
        if profile.abstract:
            continue
        for image in _images(profile):
            found.setdefault(image, {})[profile.name] = _place(profile)
    named = []
    for image, by_profile in found.items():
        places = set(by_profile.values())
        named.append(NamedImage(image, tuple(by_profile), places.pop() if len(places) == 1 else ANYWHERE))
    return named


def _images(profile: Profile) -> Iterator[str]:
    if profile.image:
        yield profile.image
    for option in profile.options:
        for choice in option.choices:
            if choice.image:
                yield choice.image
            elif option.image:
                yield choice.value


def _place(profile: Profile) -> Place:
    for option in profile.options:
        if any(choice.resources and choice.resources.gpu_type for choice in option.choices):
            return Place(profile.node_class)
    return Place(profile.node_class, profile.resources.gpu_type)
