"""How many hubs a crowd needs, from what one person costs. Pure.

A hub is one process on one core. What it has to do in a second at the peak is

    work = empty + a * arrival + b * back + r * running

``empty``: CPU seconds a second with nobody there; ``a``, ``b``: people a second who log in and start, and who come
back; ``arrival``, ``back``: CPU seconds for one of them; ``r``: servers that run; ``running``: CPU seconds a second for
each. Of each core at most ``limit`` may be used: people who arrive at random moments wait in line, on average for
0.75 of what one of them takes at 0.6, for twice it at 0.8 and 4.5 times it at 0.9 (M/D/1). So the crowd needs

    hubs = ceil((work - empty) / (limit - empty))
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What one process does for a person; CPU seconds, MiB."""

    arrival: float
    back: float = 0.0
    running: float = 0.0
    empty: float = 0.0
    memory: float = 0.0
    """With nobody there."""
    memory_each: float = 0.0
    """More for each running server."""

    def most_arrivals(self, limit: float = 1.0) -> float:
        """Return how many arrivals a second use ``limit`` of a core."""
        return (limit - self.empty) / self.arrival


@dataclass(frozen=True)
class Crowd:
    """Who comes, and how fast at the peak."""

    registered: int
    simultaneous: int
    peak_seconds: float
    """All who are there at once arrive within so long: a lecture hour begins."""
    back_every: float
    """Each comes back once in so many seconds."""

    @property
    def arrivals(self) -> float:
        return self.simultaneous / self.peak_seconds

    @property
    def returns(self) -> float:
        return self.simultaneous / self.back_every

    @classmethod
    def of(cls, registered: int, share: float, peak_seconds: float, back_every: float) -> Crowd:
        """Return a crowd of whom ``share`` is there at once."""
        return cls(registered, round(registered * share), peak_seconds, back_every)


@dataclass(frozen=True)
class Need:
    work: float
    """Of one core, without what each process uses anyway."""
    processes: int
    memory_each: float
    """MiB of one of them."""


def need(cost: Cost, crowd: Crowd, limit: float) -> Need:
    """Return how many such processes carry a crowd."""
    work = crowd.arrivals * cost.arrival + crowd.returns * cost.back + crowd.simultaneous * cost.running
    processes = max(1, math.ceil(work / (limit - cost.empty)))
    return Need(work, processes, cost.memory + cost.memory_each * crowd.simultaneous / processes)
