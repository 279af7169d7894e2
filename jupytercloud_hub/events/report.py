"""What an event was, in figures: visitors by the quarter of an hour, time to notebook, failures. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

QUARTER = timedelta(minutes=15)
VISITORS, SERVERS = "visitor-seconds", "server-seconds"
"""Kinds of happenings that carry seconds of use."""
Happening = tuple[datetime, str, float | None]


@dataclass(frozen=True, slots=True)
class Quarter:
    """A quarter of an hour in which something happened."""

    begins: datetime
    entered: int
    failed: int
    turned_away: int
    p50: float | None
    """Seconds from code to notebook, of those who reached it in this quarter."""
    p95: float | None
    visitor_hours: float
    """Hours during which visitors had a server."""
    server_hours: float
    """Hours during which servers ran, those that waited for a visitor included."""


@dataclass(frozen=True, slots=True)
class Report:
    """The whole event."""

    quarters: tuple[Quarter, ...]
    entered: int
    failed: int
    turned_away: int
    p50: float | None
    p95: float | None
    visitor_hours: float
    server_hours: float


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the value that ``share`` of the values do not exceed (nearest rank); None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    rank = max(1, -(-round(share * len(ordered) * 1000) // 1000))
    return ordered[min(rank, len(ordered)) - 1]


def report(happenings: Iterable[Happening], zone: ZoneInfo) -> Report:
    """Return the report; times in the zone."""
    by_quarter: dict[datetime, list[Happening]] = {}
    everything = list(happenings)
    for happening in everything:
        at = happening[0]
        begins = at - timedelta(minutes=at.minute % 15, seconds=at.second, microseconds=at.microsecond)
        by_quarter.setdefault(begins, []).append(happening)
    quarters = tuple(
        Quarter(
            begins.astimezone(zone), _number(found, "entered"), _number(found, "failed"),
            _number(found, "turned-away"), percentile(_seconds(found), 0.5), percentile(_seconds(found), 0.95),
            _hours(found, VISITORS), _hours(found, SERVERS),
        )
        for begins, found in sorted(by_quarter.items())
    )  # fmt: skip
    seconds = _seconds(everything)
    return Report(
        quarters, _number(everything, "entered"), _number(everything, "failed"), _number(everything, "turned-away"),
        percentile(seconds, 0.5), percentile(seconds, 0.95), _hours(everything, VISITORS),
        _hours(everything, SERVERS),
    )  # fmt: skip


def _number(found: Iterable[Happening], what: str) -> int:
    return sum(1 for happening in found if happening[1] == what)


def _seconds(found: Iterable[Happening]) -> list[float]:
    return [seconds for _, what, seconds in found if what == "notebook" and seconds is not None]


def _hours(found: Iterable[Happening], what: str) -> float:
    return sum(seconds or 0.0 for _, kind, seconds in found if kind == what) / 3600
