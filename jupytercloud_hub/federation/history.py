"""A site's last ninety days, from its transitions. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from .model import SiteState

DAYS = 90
LITTLE = timedelta(days=1) * 0.005
"""A site that was away for less than this on a day counts as usable all day, however little of the day is known."""


class Step(Protocol):
    """A site went into a state."""

    @property
    def at(self) -> datetime:
        """When."""

    @property
    def state(self) -> SiteState:
        """Into which."""


@dataclass(frozen=True)
class Day:
    """One day of a site: the time that its state was known, that it could be used, and that was announced."""

    day: date
    known: timedelta
    usable: timedelta
    announced: timedelta

    @property
    def share(self) -> float | None:
        """Part of the known time, maintenance that was announced left out, in which the site could be used."""
        counted = self.known - self.announced
        return self.usable / counted if counted > timedelta(0) else None

    @property
    def look(self) -> str:
        """How the day is drawn: ``unknown``, ``announced``, ``usable``, ``some`` (in part), ``bad`` (under half)."""
        if not self.known:
            return "unknown"
        if self.share is None:
            return "announced"
        if self.known - self.announced - self.usable <= LITTLE:
            return "usable"
        return "some" if self.share >= 0.5 else "bad"


def days(steps: Sequence[Step], now: datetime, zone: ZoneInfo, count: int = DAYS) -> list[Day]:
    """Return the last days, oldest first, today last. ``steps`` are in order; before the first nothing is known.

    Nor is anything said of the time before a site that is new was first seen to be usable: it was not there yet, which
    is no outage.
    """
    today = now.astimezone(zone).date()
    earliest = today - timedelta(days=count - 1)
    spans = list(_spans(_since_first_use(steps, earliest, zone), now))
    result = []
    for back in range(count - 1, -1, -1):
        day = today - timedelta(days=back)
        begin = datetime(day.year, day.month, day.day, tzinfo=zone)
        following = day + timedelta(days=1)
        end = datetime(following.year, following.month, following.day, tzinfo=zone)
        known = usable = announced = timedelta(0)
        for start, stop, state in spans:
            inside = min(stop, end).timestamp() - max(start, begin).timestamp()  # days of 23 and 25 hours too
            if inside <= 0 or state is SiteState.UNKNOWN:
                continue
            known += timedelta(seconds=inside)
            if state.reachable:
                usable += timedelta(seconds=inside)
            elif state is SiteState.MAINTENANCE:
                announced += timedelta(seconds=inside)
        result.append(Day(day, known, usable, announced))
    return result


def share(all_days: Iterable[Day]) -> float | None:
    """Return the part of the known time, announced maintenance left out, in which the site could be used."""
    listed = list(all_days)
    counted = sum((one.known - one.announced for one in listed), timedelta(0))
    if counted <= timedelta(0):
        return None
    return sum((one.usable for one in listed), timedelta(0)) / counted


def _since_first_use(steps: Sequence[Step], earliest: date, zone: ZoneInfo) -> Sequence[Step]:
    if not steps or steps[0].at < datetime(earliest.year, earliest.month, earliest.day, tzinfo=zone):
        return steps  # an old acquaintance: what is in force at the beginning is known
    first = next((place for place, step in enumerate(steps) if step.state.reachable), len(steps))
    return steps[first:]


def _spans(steps: Sequence[Step], now: datetime) -> Iterable[tuple[datetime, datetime, SiteState]]:
    for place, step in enumerate(steps):
        end = steps[place + 1].at if place + 1 < len(steps) else now
        yield step.at, end, step.state
