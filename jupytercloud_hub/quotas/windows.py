"""Days, months and academic years on the clock of a time zone. Pure.

A day is a day of the calendar where the hub is: 23 or 25 hours long twice a year, and usage is kept by such
days. Every window is a run of them, so that a budget resets when people there see a new month begin.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Literal

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Span:
    """The days of one window, from ``first`` up to and without ``end``, as one moment sees it."""

    first: date
    end: date
    resets: datetime
    """The next moment (UTC) at which there is more: the window's end, or midnight for a rolling one."""


def day_start(day: date, zone: tzinfo) -> datetime:
    """Return the first moment of a local day, in UTC; right also where clocks change at midnight."""
    return datetime.combine(day, time(0), zone).astimezone(UTC)


def local_day(moment: datetime, zone: tzinfo) -> date:
    """Return the local day whose first moment came last before ``moment``."""
    day = moment.astimezone(zone).date()
    while day_start(day + DAY, zone) <= moment:
        day += DAY
    while day_start(day, zone) > moment:
        day -= DAY
    return day


def month_of(day: date) -> date:
    """Return the first day of a day's month."""
    return day.replace(day=1)


def next_month(day: date) -> date:
    """Return the first day of the month after a day's."""
    return (month_of(day) + 31 * DAY).replace(day=1)


Run = tuple[date, date]
"""The days from the first up to and without the second."""


def months_and_days(first: date, end: date) -> tuple[Run | None, list[Run]]:
    """Return the whole months of a run of days (first days, None: there are none), and the days beside them.

    Each day of the run is in exactly one of them.
    """
    begin, until = first if first == month_of(first) else next_month(first), month_of(end)
    if begin >= until:
        return None, [(first, end)] if first < end else []
    return (begin, until), [(a, b) for a, b in ((first, begin), (until, end)) if a < b]


def split_by_day(begin_s: int, end_s: int, zone: tzinfo) -> Iterator[tuple[date, int]]:
    """Yield (local day, seconds of it) for the time between two moments in seconds since 1970.

    The seconds add up to ``end_s - begin_s``, and splitting at any moment between changes no sum. Nothing
    is yielded where the end does not come after the beginning.
    """
    if end_s <= begin_s:
        return
    day = local_day(datetime.fromtimestamp(begin_s, UTC), zone)
    while begin_s < end_s:
        until = min(int(day_start(day + DAY, zone).timestamp()), end_s)
        if until > begin_s:
            yield day, until - begin_s
            begin_s = until
        day += DAY


def span(
    window: Literal["month", "academic-year"] | timedelta,
    now: datetime,
    zone: tzinfo,
    academic_year_starts: str = "09-01",
) -> Span:
    """Return the days that ``window`` counts at ``now``, and when that changes to people's advantage."""
    today = local_day(now, zone)
    if isinstance(window, timedelta):
        return Span(today - window + DAY, today + DAY, day_start(today + DAY, zone))
    if window == "month":
        first, end = month_of(today), next_month(today)
    else:
        month, day = (int(part) for part in academic_year_starts.split("-"))
        first = date(today.year, month, day)
        if first > today:
            first = first.replace(year=today.year - 1)
        end = first.replace(year=first.year + 1)
    return Span(first, end, day_start(end, zone))
