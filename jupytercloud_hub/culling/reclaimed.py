"""How much the culler gives back to others: what a stopped server held, until its owner starts it again.

An hour counts from the stop to the next start of the same server, and a day at most: somebody who would have
stopped her server in the evening herself must not be counted for a week. Stops for quota and maintenance give
nothing back that was idle, and are not counted. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

LONGEST = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Freed:
    """What one stop gave back, and since when; cores, bytes, GPUs."""

    user: str
    server: str
    stopped_at: datetime
    rule: str
    cpu: float
    memory: int
    gpu: int


@dataclass(frozen=True, slots=True)
class Hours:
    """Core hours, GiB hours and GPU hours."""

    core: float = 0.0
    gib: float = 0.0
    gpu: float = 0.0

    def __add__(self, other: Hours) -> Hours:
        return Hours(self.core + other.core, self.gib + other.gib, self.gpu + other.gpu)


def reclaimed(
    stops: Iterable[Freed], running: Collection[tuple[str, str]], since: datetime, until: datetime
) -> dict[str, Hours]:
    """Return by rule what lay free between two moments because of stops; ``running`` are (user, server)."""
    found: dict[str, Hours] = {}
    latest: dict[tuple[str, str], Freed] = {}
    for stop in stops:  # of two stops of one server only the later one can still give something back
        key = (stop.user, stop.server)
        if key not in latest or stop.stopped_at > latest[key].stopped_at:
            latest[key] = stop
    for key, stop in latest.items():
        began, ended = max(since, stop.stopped_at), min(until, stop.stopped_at + LONGEST)
        if key in running or ended <= began:
            continue
        hours = (ended - began) / timedelta(hours=1)
        freed = Hours(stop.cpu * hours, stop.memory / 1024**3 * hours, stop.gpu * hours)
        found[stop.rule] = found.get(stop.rule, Hours()) + freed
    return found
