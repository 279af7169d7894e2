"""Where the bars of the usage picture stand: one stacked bar a day, one part a profile. Pure.

The picture says nothing that the table behind it does not say too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from .windows import DAY

WIDTH, HEIGHT = 720.0, 220.0
LEFT, BOTTOM, TOP = 52.0, 26.0, 18.0
LEAST = 1e-9
"""Units below which a picture has nothing to show."""
COLOURS = 6
"""Profiles with a colour of their own; the others share the last one."""


@dataclass(frozen=True)
class Part:
    """A rectangle: one profile on one day."""

    x: float
    y: float
    width: float
    height: float
    colour: int
    day: date
    profile: str
    value: float


@dataclass(frozen=True)
class Mark:
    """A labelled place on an axis, in the picture's coordinates."""

    at: float
    value: float | date


@dataclass(frozen=True)
class Chart:
    """The picture, in a box of `WIDTH` by `HEIGHT`."""

    parts: tuple[Part, ...]
    heights: tuple[Mark, ...]
    days: tuple[Mark, ...]
    legend: tuple[tuple[str, int], ...]
    """Profile and colour, the largest first."""

    left: float = LEFT
    base: float = HEIGHT - BOTTOM
    width: float = WIDTH
    height: float = HEIGHT


def chart(values: Iterable[tuple[date, str, float]], first: date, last: date) -> Chart:
    """Return the picture of (day, profile, units) between two days, both included; values are never negative."""
    by_day: dict[date, dict[str, float]] = {}
    totals: dict[str, float] = {}
    for day, profile, value in values:
        if first <= day <= last and value > 0:
            cell = by_day.setdefault(day, {})
            cell[profile] = cell.get(profile, 0.0) + value
            totals[profile] = totals.get(profile, 0.0) + value
    order = sorted(totals, key=lambda profile: (-totals[profile], profile))
    colours = {profile: min(index, COLOURS - 1) for index, profile in enumerate(order)}
    highest, step = _scale(max((sum(cell.values()) for cell in by_day.values()), default=0.0))
    base, count = HEIGHT - BOTTOM, (last - first).days + 1
    slot = (WIDTH - LEFT) / count

    def up(value: float) -> float:
        return base - value / highest * (base - TOP)

    parts = []
    for day, cell in sorted(by_day.items()):
        x, below = LEFT + (day - first).days * slot, 0.0
        for profile in order:
            value = cell.get(profile, 0.0)
            if value:
                y = up(below + value)
                parts.append(
                    Part(x + slot * 0.12, y, slot * 0.76, up(below) - y, colours[profile], day, profile, value)
                )
                below += value
    heights = tuple(Mark(up(index * step), index * step) for index in range(round(highest / step) + 1))
    every = max(1, math.ceil(count / 6))
    days = tuple(Mark(LEFT + (index + 0.5) * slot, first + index * DAY) for index in range(count - 1, -1, -every))
    return Chart(tuple(parts), heights, days, tuple((profile, colours[profile]) for profile in order))


def _scale(most: float) -> tuple[float, float]:
    """Return the top of the axis and the step of its marks: 1, 2 or 5 times a power of ten."""
    if most < LEAST:
        return 1.0, 1.0
    rough = most / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    return math.ceil(most / step - 1e-9) * step, step
