"""Durations and amounts of memory as people write them in a configuration file and read them on a page."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from .text import Text

_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST_SECONDS = 36525 * 86400
_BYTES = {
    "B": 1,
    **{f"{letter}iB": 1024**power for power, letter in enumerate("KMGT", start=1)},
    **{f"{letter}B": 1000**power for power, letter in enumerate("kMGT", start=1)},
}
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)")


def parse_duration(value: Any) -> timedelta:
    """Read ``"90 s"``, ``"30 min"``, ``"2 h"``, ``"1 d"``, ``"2 w"`` or a sum such as ``"1 h 30 min"``.

    Raises ValueError for a bare number: nobody knows whether 30 was meant in seconds or in minutes.
    """
    if isinstance(value, timedelta):
        return value
    rule = Text('a duration with its unit, such as "90 s", "30 min", "2 h" or "1 d"')
    if not isinstance(value, str):
        raise ValueError(rule)
    parts = _AMOUNT.findall(value)
    if not parts or _AMOUNT.sub("", value).strip() or any(unit not in _SECONDS for _, unit in parts):
        raise ValueError(rule)
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if seconds > _LONGEST_SECONDS:  # added to a date, it would leave the calendar
        raise ValueError(Text("at most a hundred years are possible"))
    return timedelta(seconds=seconds)


def parse_bytes(value: Any) -> int:
    """Read ``"16 GiB"`` or ``"500 MB"`` and return bytes.

    Raises ValueError for ``16G``: Docker, Kubernetes and disks disagree by 7 % on what it means.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1024**2:
        return value  # what a dump gives back
    rule = Text('an amount of memory with its unit, such as "16 GiB" or "500 MB"')
    if not isinstance(value, str):
        raise ValueError(rule)
    match = _AMOUNT.fullmatch(value.strip())
    if not match:
        raise ValueError(rule)
    number, unit = match.groups()
    if unit not in _BYTES:
        letter = unit[0].upper()
        if letter not in "KMGT":
            raise ValueError(rule)
        raise ValueError(Text("{rule}: write {better}", rule=rule, better=f"{number} {letter}iB"))
    factor: int = _BYTES[unit]
    return round(float(number) * factor)


def format_bytes(amount: int) -> str:
    """Return ``"16 GiB"``: the largest binary unit that keeps at most one digit after the point."""
    number, unit = float(amount), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if round(number, 1) < 1024:
            break
        number, unit = number / 1024, larger
    return f"{number:.0f} {unit}" if number == round(number) else f"{number:.1f} {unit}"


def format_duration(duration: timedelta, language: str = "en") -> str:
    """Return ``"1 h 30 min"``, as both languages write it; days are ``j`` in French and ``d`` in English."""
    seconds = max(0, round(duration.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    days, minutes = divmod(minutes, 1440)
    hours, minutes = divmod(minutes, 60)
    day = "j" if language == "fr" else "d"
    parts = [f"{days} {day}" if days else "", f"{hours} h" if hours else ""]
    parts.append(f"{minutes} min" if minutes and not days else "")
    return " ".join(part for part in parts if part) or "0 min"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(lambda value: f"{value.total_seconds():.6f}".rstrip("0").rstrip(".") + " s", return_type=str),
    WithJsonSchema({"type": "string", "examples": ["90 s", "30 min", "2 h", "1 d"]}),
]
Bytes = Annotated[
    int,
    BeforeValidator(parse_bytes),
    WithJsonSchema({"type": ["string", "integer"], "examples": ["16 GiB", "500 MB"]}),
]
