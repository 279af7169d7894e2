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


def standing(event: EventSettings, zone: ZoneInfo, now: datetime, closed_by_hand: datetime | None = None) -> Standing:
    """Return how the event stands; ``closed_by_hand``: when an organizer ended it for good, before its hour."""
    spans = windows(event, zone)
    if closed_by_hand is not None:
        spans = [(begins, min(ends, closed_by_hand)) for begins, ends in spans if begins < closed_by_hand]
    for begins, ends in spans:
        if now < begins:
            return Standing(Door.BEFORE if begins == spans[0][0] else Door.NIGHT, begins, None)
        if now < ends:
            return Standing(Door.OPEN, None, ends)
    return Standing(Door.OVER, None, None)


def end_of(event: EventSettings, zone: ZoneInfo, closed_by_hand: datetime | None = None) -> datetime:
    """Return when the event is over."""
    last = max((ends for _, ends in windows(event, zone)), default=event.closes.astimezone(zone))
    return min(last, closed_by_hand) if closed_by_hand else last


def warm_wanted(event: EventSettings, standing: Standing, now: datetime, held: int) -> int:
    """Return how many seats without a visitor should be ready.

    All that a burst at the doors may need before they open and while they are; none otherwise.
    """
    soon = standing.opens is not None and now >= standing.opens - event.warm_before
    if standing.door is not Door.OPEN and not soon:
        return 0
    return max(0, min(event.warm, event.seats - held))
