"""When an event is open: a pure function of the time, so that a clock that jumps leaves nothing behind. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from ..settings.event import EventSettings


class Door(StrEnum):
    """Whether visitors come in."""

    BEFORE = "before"
    OPEN = "open"
    NIGHT = "night"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Standing:
    """How an event stands at an instant."""

    door: Door
    opens: datetime | None
    """When it opens next; None where it is open or over."""
    closes: datetime | None
    """When it closes; None where it is closed."""


Window = tuple[datetime, datetime]


def windows(event: EventSettings, zone: ZoneInfo) -> list[Window]:
    """Return the spans in which visitors come in, in order, in the zone."""
    first, last = event.opens.astimezone(zone), event.closes.astimezone(zone)
    if event.hours is None:
        return [(first, last)]
    found = []
    day = first.date()
    while day <= last.date():
        begins = datetime.combine(day, event.hours.from_hour, zone)
        ends = datetime.combine(day, event.hours.to_hour, zone)
        begins, ends = max(begins, first), min(ends, last)
        if begins < ends:
            found.append((begins, ends))
        day += timedelta(days=1)
    return found


@dataclass(frozen=True, slots=True)
class Orders:
    """What organizers decided on the end."""

    closed: datetime | None = None
    """When the event is over for good, before its hour."""
    until: datetime | None = None
    """Until when the day in which this lies, or that ended shortly before, goes on."""


NONE = Orders()
LONGEST_EXTENSION = timedelta(hours=6)


def standing(event: EventSettings, zone: ZoneInfo, now: datetime, orders: Orders = NONE) -> Standing:
    """Return how the event stands."""
    spans, closed_by_hand = _extended(windows(event, zone), orders.until), orders.closed
    if closed_by_hand is not None:
        spans = [(begins, min(ends, closed_by_hand)) for begins, ends in spans if begins < closed_by_hand]
    for begins, ends in spans:
        if now < begins:
            return Standing(Door.BEFORE if begins == spans[0][0] else Door.NIGHT, begins, None)
        if now < ends:
            return Standing(Door.OPEN, None, ends)
    return Standing(Door.OVER, None, None)


def _extended(spans: list[Window], until: datetime | None) -> list[Window]:
    """Let the day that ``until`` belongs to end then, never into the next one."""
    if until is None:
        return spans
    following = [begins for begins, _ in spans[1:]] + [None]
    return [
        (begins, min(until, after) if after else until)
        if ends < until <= ends + LONGEST_EXTENSION else (begins, ends)
        for (begins, ends), after in zip(spans, following, strict=True)
    ]  # fmt: skip


def end_of(event: EventSettings, zone: ZoneInfo, orders: Orders = NONE) -> datetime:
    """Return when the event is over."""
    spans = _extended(windows(event, zone), orders.until)
    last = max((ends for _, ends in spans), default=event.closes.astimezone(zone))
    return min(last, orders.closed) if orders.closed else last


def warm_wanted(event: EventSettings, standing: Standing, now: datetime, held: int) -> int:
    """Return how many seats without a visitor should be ready.

    All that a burst at the doors may need before they open and while they are; none otherwise.
    """
    soon = standing.opens is not None and now >= standing.opens - event.warm_before
    if standing.door is not Door.OPEN and not soon:
        return 0
    return max(0, min(event.warm, event.seats - held))
