"""How many more servers fit, from what the operator says there is and what runs. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..contracts.server_record import ServerRecord
from .catalogue import Profile
from .resources import ProfileResources

WHOLE_SITE = "*"
"""Stands for all profiles together."""


@dataclass(frozen=True)
class FreePlaces:
    """What is left; a profile or a type of GPU that is missing has no known number."""

    profiles: Mapping[str, int] = field(default_factory=dict)
    """Servers by profile, `WHOLE_SITE` for all of them together."""
    gpus: Mapping[str, int] = field(default_factory=dict)
    """GPUs by type."""

    def of(self, profile: str) -> int | None:
        """Return how many more servers of a profile fit, None where nobody knows."""
        known = [self.profiles[name] for name in (profile, WHOLE_SITE) if name in self.profiles]
        return min(known, default=None)


NOTHING_KNOWN = FreePlaces()
"""Of a site that declares no places."""


def free_places(
    profiles: Iterable[Profile],
    places: Mapping[str, int],
    gpus: Mapping[str, int],
    running: Iterable[ServerRecord | None],
) -> FreePlaces:
    """Count what is left.

    ``places`` are servers at once by profile (`WHOLE_SITE` for all), ``gpus`` all of the site's GPUs by type,
    ``running`` one record for each server (None: started without one; it counts for the whole site). A profile
    with GPUs has as many places as its type of GPU allows, or fewer where ``places`` says so. Never below 0.
    """
    servers: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for record in running:
        servers[WHOLE_SITE] += 1
        if record is None:
            continue
        servers[record.profile] += 1
        if record.resources.gpu:
            held[record.resources.gpu_type or _only(gpus)] += record.resources.gpu
    free_gpus = {kind: max(0, count - held[kind]) for kind, count in gpus.items()}
    free = {name: max(0, count - servers[name]) for name, count in places.items()}
    for profile in profiles:
        if profile.abstract:
            continue
        fit = _that_fit(profile.resources, free_gpus)
        if fit is not None:
            free[profile.name] = min(fit, free.get(profile.name, fit))
    return FreePlaces(free, free_gpus)


def _that_fit(resources: ProfileResources, free: Mapping[str, int]) -> int | None:
    kind = resources.gpu_type or _only(free)
    return free[kind] // resources.gpu if resources.gpu and kind in free else None


def _only(gpus: Mapping[str, int]) -> str:
    """The one type that there is: what asks for any GPU gets one of it."""
    return next(iter(gpus)) if len(gpus) == 1 else ""
