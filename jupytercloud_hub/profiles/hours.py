"""Hours of the week in which a profile can be started: ``mon-fri 08:00-20:00``."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, InstanceOf, PlainSerializer, WithJsonSchema

from ..contracts.text import Localized, Text

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FRENCH = ("lun", "mar", "mer", "jeu", "ven", "sam", "dim")
_SPAN = re.compile(r"([a-z]{3})(?:-([a-z]{3}))? (\d{2}):(\d{2})-(\d{2}):(\d{2})")


class Span:
    """Some days of the week, from one time of the day to another; over midnight where the end comes first."""

    __slots__ = ("days", "end", "start", "text")

    def __init__(self, text: str) -> None:
        match = _SPAN.fullmatch(" ".join(text.lower().split()))
        rule = Text("hours such as mon-fri 08:00-20:00 are expected")
        if not match:
            raise ValueError(rule)
        first, last, *clock = match.groups()
        if first not in DAYS or (last or first) not in DAYS:
            raise ValueError(rule)
        start_hour, start_minute, end_hour, end_minute = (int(part) for part in clock)
        if start_minute > 59 or end_minute > 59 or start_hour > 23 or end_hour * 60 + end_minute > 24 * 60:
            raise ValueError(rule)
        begin, end = DAYS.index(first), DAYS.index(last or first)
        self.days = tuple((begin + step) % 7 for step in range((end - begin) % 7 + 1))
        self.start = start_hour * 60 + start_minute
        self.end = end_hour * 60 + end_minute
        self.text = text

    def __contains__(self, moment: datetime) -> bool:
        """Return whether a moment, in the zone that it carries, lies in it."""
        minute, day = moment.hour * 60 + moment.minute, moment.weekday()
        if self.start < self.end:
            return day in self.days and self.start <= minute < self.end
        return (day in self.days and minute >= self.start) or ((day - 1) % 7 in self.days and minute < self.end)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Span) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Span({self.text!r})"

    def shown(self) -> Localized:
        """Return it as people read it."""

        def days(names: tuple[str, ...]) -> str:
            first, last = names[self.days[0]], names[self.days[-1]]
            return first if len(self.days) == 1 else f"{first}–{last}"

        clock = "{:02}:{:02}–{:02}:{:02}".format(*divmod(self.start, 60), *divmod(self.end, 60))
        return Localized({"fr": f"{days(_FRENCH)} {clock}", "en": f"{days(DAYS)} {clock}"})


def _span(value: Any) -> Span:
    if isinstance(value, Span):
        return value
    if not isinstance(value, str):
        raise ValueError(Text("hours such as mon-fri 08:00-20:00 are expected"))
    return Span(value)


Hours = Annotated[
    InstanceOf[Span],
    BeforeValidator(_span),
    PlainSerializer(lambda span: span.text, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["mon-fri 08:00-20:00", "sat 22:00-06:00"]}),
]
"""One span of the week, in the site's time zone."""


def closed(hours: tuple[Span, ...], now: datetime | None) -> Text | None:
    """Return why it is not the hour, or None; without hours, or without a clock, it always is."""
    if not hours or now is None or any(now in span for span in hours):
        return None
    texts = [span.shown() for span in hours]
    both = Localized({language: ", ".join(text.in_(language) for text in texts) for language in ("fr", "en")})
    return Text("Can be started at these hours: {hours}.", hours=both)
