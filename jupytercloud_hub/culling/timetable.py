"""Which rules count when: ``culling.rules[].when`` on the clock of the site. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ..settings.culling import DAYS, CullingRule, When

HORIZON = timedelta(days=9)
"""How far ahead stops are foretold when rules change with the hour: a week and a day on both sides."""
_MIDNIGHT = time(0)
_DAY = timedelta(days=1)


def holds(when: When, local: datetime) -> bool:
    """Return whether ``when`` counts at ``local``, an instant on the site's own clock."""
    clock = local.time()
    over_midnight = when.to_hour != _MIDNIGHT and when.to_hour <= when.from_hour
    today = clock >= when.from_hour and (over_midnight or when.to_hour == _MIDNIGHT or clock < when.to_hour)
    since_yesterday = over_midnight and clock < when.to_hour
    return (today and _on(when, local.date())) or (since_yesterday and _on(when, local.date() - _DAY))


def _on(when: When, day: date) -> bool:
    return (
        (not when.days or DAYS[day.weekday()] in when.days)
        and (when.first_day is None or when.first_day <= day)
        and (when.last_day is None or day <= when.last_day)
    )


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of time ``[start, end)`` in which the same rules count; ``end`` None: from then on."""

    start: datetime
    end: datetime | None
    rules: frozenset[str]


def segments(rules: Sequence[CullingRule], now: datetime, zone: ZoneInfo) -> tuple[Segment, ...]:
    """Cut the time from ``now`` on where rules begin or cease to count; the last one has no end.

    A rule without ``when`` counts always, so that most configurations have one segment only.
    """

    def counting(instant: datetime) -> frozenset[str]:
        local = instant.astimezone(zone)
        return frozenset(r.name for r in rules if not r.when or any(holds(w, local) for w in r.when))

    starts, sets = [now], [counting(now)]
    for instant in _changes([when for rule in rules for when in rule.when], now, zone):
        rules_then = counting(instant)
        if rules_then != sets[-1]:
            starts.append(instant)
            sets.append(rules_then)
    ends: list[datetime | None] = [*starts[1:], None]
    return tuple(Segment(start, end, names) for start, end, names in zip(starts, ends, sets, strict=True))


def _changes(whens: Sequence[When], now: datetime, zone: ZoneInfo) -> list[datetime]:
    """Return every instant (UTC) after ``now``, up to the horizon, at which one of ``whens`` may change."""
    if not whens:
        return []
    clocks = {_MIDNIGHT, *(w.from_hour for w in whens), *(w.to_hour for w in whens)}
    first = now.astimezone(zone).date()
    days = {first + _DAY * n for n in range(-1, HORIZON.days + 1)}
    # Exam weeks begin later than the horizon: what is foretold a month ahead knows of them too.
    days |= {d for w in whens for d in (w.first_day, w.last_day and w.last_day + _DAY) if d and d > first}
    found: set[datetime] = set()
    for day in days:
        found.update(_instants(day, clocks, zone))
    return sorted(instant for instant in found if instant > now)


def _instants(day: date, clocks: Iterable[time], zone: ZoneInfo) -> Iterable[datetime]:
    start = datetime.combine(day, _MIDNIGHT, zone)
    end = datetime.combine(day + _DAY, _MIDNIGHT, zone)
    if start.utcoffset() == end.utcoffset():
        return [datetime.combine(day, clock, zone).astimezone(UTC) for clock in clocks]
    # The clock jumps on this day: an hour may come twice or never, so look at every quarter of an hour.
    first = start.astimezone(UTC)
    count = int((end.astimezone(UTC) - first) / timedelta(minutes=15))
    quarters = [first + timedelta(minutes=15) * n for n in range(count + 1)]
    odd = [datetime.combine(day, clock, zone) for clock in clocks if clock.minute % 15 or clock.second]
    return quarters + [instant.replace(fold=fold).astimezone(UTC) for instant in odd for fold in (0, 1)]
