"""A day of a thousand people: they come in waves, one side after the other, compute, rest, come back, stop."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from .measure import Meter, Phase, Seconds
from .people import Diary, Person
from .topology import Soak

SIDES = ("ours", "stock")
WARM = 2
"""People who come first and are not counted: imports, discovery, keys, templates."""


@dataclass(frozen=True)
class Sizes:
    """How many, how fast, how long."""

    people: int = 1000
    wave: int = 50
    arrivals: float = 4.0
    """People a second who log in and start a server."""
    returns: float = 20.0
    """People a second who come back, or stop."""
    cells: int = 20
    rest: float = 45.0
    seed: int = 9

    @property
    def accounts(self) -> int:
        return self.people + WARM


@dataclass
class Day:
    """What was measured."""

    diary: Diary = field(default_factory=Diary)
    phases: list[Phase] = field(default_factory=list)
    rests: list[Phase] = field(default_factory=list)
    """Before anybody came, and with everybody's server running."""
    memory: dict[str, Seconds] = field(default_factory=dict)
    """MiB by process, ``empty`` and ``full``."""
    running: dict[str, int] = field(default_factory=dict)
    """Servers at the peak, by side."""
    load: list[float] = field(default_factory=list)
    """The machine's load (mean of a minute) at each wave."""


def person(world: Soak, side: str, number: int, diary: Diary, *, assets: bool = True) -> Person:
    """Return somebody at a side; ``site``: ours, straight at her site."""
    login, organization, site = world.login(number)
    hub = world.address("stock" if side == "stock" else site)
    entry = f"{hub}hub/user-redirect/lab"
    if side == "ours":
        entry = f"{world.address('portal')}services/federation/go/hub/user-redirect/lab"
    return Person(side, entry, hub, (login, organization), diary, assets=assets)


async def spread(
    people: Sequence[Person], rate: float, randomness: random.Random, doing: Callable[[Person], Awaitable[bool]]
) -> list[bool]:
    """Let people do something, one after the other at random moments, ``rate`` a second; wait for all."""
    tasks, at = [], time.monotonic()
    for one in people:
        at += randomness.expovariate(rate)
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        tasks.append(asyncio.ensure_future(doing(one)))
    return list(await asyncio.gather(*tasks))


async def live(world: Soak, sizes: Sizes, tell: Callable[[str], None]) -> Day:
    """Live through the day."""
    day, meter, randomness = Day(), Meter(world.named()), random.Random(sizes.seed)
    await _warm(world, sizes)
    day.rests.append(await Phase.rest(meter, sizes.rest, 0))
    day.memory["empty"] = meter.memory()
    everybody = {side: [person(world, side, n, day.diary) for n in range(sizes.people)] for side in SIDES}
    running = dict.fromkeys(SIDES, 0)

    async def waves(name: str, rate: float, doing: Callable[[Person], Awaitable[bool]], change: int = 0) -> None:
        there = (lambda one: True) if name == "arrive" else (lambda one: bool(one.user))
        for number, first in enumerate(range(0, sizes.people, sizes.wave)):
            for side in SIDES if number % 2 else reversed(SIDES):
                group = list(filter(there, everybody[side][first : first + sizes.wave]))
                phase = Phase(side, name, len(group), running[side])
                before, began = meter.cpu(), time.monotonic()
                done = await spread(group, rate, randomness, doing)
                phase.close(meter, before, began)
                running[side] += change * sum(done)
                day.phases.append(phase)
            day.load.append(os.getloadavg()[0])
            tell(f"{name}: {min(first + sizes.wave, sizes.people)} of {sizes.people} at each side, "
                 f"{len(day.diary.failed)} failed")  # fmt: skip

    await waves("arrive", sizes.arrivals, lambda one: one.arrive(), +1)
    day.running = dict(running)
    await waves("kernel", sizes.returns, lambda one: one.compute(sizes.cells))
    day.rests.append(await Phase.rest(meter, sizes.rest, running["ours"]))
    day.memory["full"] = meter.memory()
    await waves("return", sizes.returns, lambda one: one.come_back())
    await waves("stop", sizes.returns, lambda one: one.stop(), -1)
    for one in (one for side in SIDES for one in everybody[side]):
        await one.leave()
    return day


async def _warm(world: Soak, sizes: Sizes) -> None:
    nobody = Diary()
    for number in range(sizes.people, sizes.accounts):
        for side in SIDES:
            one = person(world, side, number, nobody)
            if not (await one.arrive() and await one.compute(1) and await one.come_back() and await one.stop()):
                raise RuntimeError(f"the first visitor was not served: {nobody.failed}")
            await one.leave()
