"""What each backend gives of what a profile can ask: one table, of which the form, ``check`` and the tests speak.

A feature that a backend lacks is never passed over in silence: `lacking` says what of a profile is not as written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath

from ..contracts.text import Text
from .catalogue import Profile, Volume

HOME = PurePosixPath("/home/jovyan")
CVMFS = "/cvmfs"


class Support(Enum):
    """How far a backend gives a feature."""

    GIVEN = "given"
    NOT_ENFORCED = "not enforced"
    """It is there, but nothing holds anybody to it."""
    MISSING = "not given"


GIVEN, NOT_ENFORCED, MISSING = Support.GIVEN, Support.NOT_ENFORCED, Support.MISSING

TABLE: dict[str, dict[str, Support]] = {
    "limits": {"local": NOT_ENFORCED, "swarm": GIVEN, "kubernetes": GIVEN},
    "disk": {"local": NOT_ENFORCED, "swarm": NOT_ENFORCED, "kubernetes": GIVEN},
    "shm": {"local": MISSING, "swarm": GIVEN, "kubernetes": GIVEN},
    "gpu": {"local": NOT_ENFORCED, "swarm": GIVEN, "kubernetes": GIVEN},
    "placement": {"local": MISSING, "swarm": GIVEN, "kubernetes": GIVEN},
    "image": {"local": MISSING, "swarm": GIVEN, "kubernetes": GIVEN},
    "shared data": {"local": NOT_ENFORCED, "swarm": GIVEN, "kubernetes": GIVEN},
    "named volumes": {"local": MISSING, "swarm": GIVEN, "kubernetes": GIVEN},
    "scratch": {"local": GIVEN, "swarm": GIVEN, "kubernetes": GIVEN},
    "cvmfs": {"local": NOT_ENFORCED, "swarm": GIVEN, "kubernetes": GIVEN},
    "files": {"local": GIVEN, "swarm": MISSING, "kubernetes": MISSING},
    "home on another machine": {"local": MISSING, "swarm": GIVEN, "kubernetes": GIVEN},
}
"""Feature → backend → how far."""


def support(backend: str, feature: str) -> Support:
    """Return how far a backend gives a feature; one that is not ours is taken to give it. KeyError: no such feature."""
    return TABLE[feature].get(backend, GIVEN)


@dataclass(frozen=True)
class Lack:
    """Something of a profile that is not as written at this site."""

    feature: str
    support: Support
    text: Text
    for_people: bool = False
    """Whether the form says it too: what a person would otherwise look for in vain."""


def link_of(volume: Volume) -> PurePosixPath | None:
    """Return where a local server finds a volume, relative to its home; None where it stands at its own place.

    There is no mount of one's own on backend local: a target below the home is a link there, any other one a link
    of its last name; what is asked for at the very place where the machine has it is simply there.
    """
    target = PurePosixPath(volume.target)
    if volume.kind != "scratch" and source_of(volume) == volume.target:
        return None
    return target.relative_to(HOME) if target.is_relative_to(HOME) and target != HOME else PurePosixPath(target.name)


def source_of(volume: Volume) -> str:
    """Return what is mounted: a path, or the name of a volume or claim; empty for scratch."""
    return volume.source or (CVMFS if volume.kind == "cvmfs" else "")


def lacking(profile: Profile, backend: str) -> Iterator[Lack]:
    """Yield what of a profile this backend does not give as it is written."""
    for feature, (asks, text) in _ASKED.items():
        how = support(backend, feature)
        if how is not GIVEN and asks(profile):
            yield Lack(feature, how, text)
    for volume in profile.volumes:
        yield from _volume(volume, backend)


def _volume(volume: Volume, backend: str) -> Iterator[Lack]:
    if volume.kind == "scratch":
        return
    named = not source_of(volume).startswith("/")
    feature = "named volumes" if named else "cvmfs" if volume.kind == "cvmfs" else "shared data"
    how = support(backend, feature)
    if how is GIVEN:
        return
    if how is MISSING:
        text = Text(
            "{target} is not there: this site has no volume {source}.", target=volume.target, source=volume.source
        )
        yield Lack(feature, how, text, for_people=True)
        return
    link = link_of(volume)
    if link is not None:
        text = Text("{target} is the folder {link} of your files here.", target=volume.target, link=str(link))
        yield Lack(feature, how, text, for_people=True)
    if volume.read_only and volume.kind == "shared":
        text = Text("Nothing but the files' own rights keeps {target} from being changed.", target=volume.target)
        yield Lack(feature, how, text, for_people=True)


_Asks = Callable[[Profile], bool]
_ASKED: dict[str, tuple[_Asks, Text]] = {
    "disk": (lambda profile: bool(profile.resources.storage), Text("its disk space is not limited")),
    "shm": (lambda profile: bool(profile.resources.shm), Text("its /dev/shm is the machine's own")),
    "gpu": (lambda profile: bool(profile.resources.gpu), Text("every server sees all GPUs of the machine")),
    "placement": (lambda profile: bool(profile.node_class), Text("its class of machines is not looked at")),
    "image": (lambda profile: bool(profile.image), Text("its image is not used: servers are processes")),
}
