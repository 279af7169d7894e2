"""Each hub's ceiling: people arrive faster and faster until they wait longer and longer, or are not served."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from jupytercloud_hub.demo.plan import SITES
from jupytercloud_hub.events.report import percentile

from .day import person, spread
from .measure import Meter
from .people import Diary, Person
from .topology import Soak

TARGETS = {"stock": "stock hub", "site": f"{SITES[0]} hub", "portal": "portal hub"}
"""Whose ceiling, and the process that has a core to itself. A site's and a stock hub's people log in and start a
server; a portal's log in and are sent to their site."""
FASTER = 1.5
_CORES = sorted(os.sched_getaffinity(0))
LONGER = 3.0
"""Seconds by which the 95th percentile may grow over that of the slowest arrivals; beyond, they do not keep up."""


@dataclass(frozen=True)
class Climb:
    """From how many arrivals a second on, for how long each, and up to how many."""

    first: float = 3.0
    most: float = 60.0
    seconds: float = 8.0


@dataclass
class Rung:
    """Arrivals at one rate."""

    rate: float
    people: int
    failed: int
    p50: float
    p95: float
    busy: float
    """Of one core that the hub's process used while people arrived."""
    others: float
    """The same of all other processes on this machine, the driver too: where they have no core left, it is they who
    end the climb."""
    kept: bool = True


@dataclass
class Ceiling:
    hub: str
    rungs: list[Rung] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """The fastest arrivals that it kept up with; 0 where it never did."""
        return max((rung.rate for rung in self.rungs if rung.kept), default=0.0)


async def climb(world: Soak, hub: str, how: Climb, seed: int, tell: Callable[[str], None]) -> Ceiling:
    """Raise the rate by half each time; when it is too fast, try once between the last two."""
    found, randomness, meter = Ceiling(hub), random.Random(seed), Meter(world.named())
    _share_cores(meter, TARGETS[hub])
    rate = how.first
    while rate <= how.most and await _step(world, found, rate, how, randomness, meter, tell):
        rate *= FASTER
    if found.rate and rate <= how.most:
        await _step(world, found, (found.rate + rate) / 2, how, randomness, meter, tell)
    _share_cores(meter, None)
    return found


async def _step(
    world: Soak,
    found: Ceiling,
    rate: float,
    how: Climb,
    randomness: random.Random,
    meter: Meter,
    tell: Callable[[str], None],
) -> bool:
    rung = await _rung(world, found.hub, rate, how.seconds, randomness, meter)
    first = found.rungs[0].p95 if found.rungs else rung.p95
    rung.kept = not rung.failed and rung.p95 <= first + LONGER
    found.rungs.append(rung)
    tell(
        f"{found.hub}: {rate:.1f} a second, p95 {rung.p95:.2f} s, {rung.failed} failed, "
        f"its process {rung.busy:.0%} of a core, the others {rung.others:.0%}"
    )
    return rung.kept


async def _rung(world: Soak, hub: str, rate: float, seconds: float, randomness: random.Random, meter: Meter) -> Rung:
    side = {"portal": "ours"}.get(hub, hub)
    able = [number for number in range(world.people) if hub != "site" or world.login(number)[2] == SITES[0]]
    diary, waits = Diary(), []
    group = [person(world, side, n, diary, assets=False) for n in able[: max(2, round(rate * seconds))]]

    async def come(one: Person) -> bool:
        began = time.monotonic()
        done = await (one.visit_portal() if hub == "portal" else one.arrive())
        if done:
            waits.append(time.monotonic() - began)
        return done

    before, began = meter.cpu(), time.monotonic()
    coming = asyncio.ensure_future(spread(group, rate, randomness, come))
    await asyncio.wait({coming}, timeout=len(group) / rate)
    took, after = time.monotonic() - began, meter.cpu()
    used = {name: (after[name] - before[name]) / took for name in after}
    done = await coming
    await asyncio.gather(*(one.leave() for one in group))
    await _stop_all(world, group)
    busy = used.pop(TARGETS[hub])
    return Rung(
        rate=round(rate, 2),
        people=len(group),
        failed=len(group) - sum(done),
        p50=round(percentile(waits, 0.5) or 0.0, 3),
        p95=round(percentile(waits, 0.95) or 0.0, 3),
        busy=round(busy, 3),
        others=round(sum(used.values()), 3),
    )


async def _stop_all(world: Soak, group: Sequence[Person]) -> None:
    """Stop the servers of a group with an administrator's token, and wait until none is left."""
    slots = asyncio.Semaphore(20)

    async def stop(one: Person) -> None:
        async with slots:
            while (await api.delete(f"{one.hub}hub/api/users/{one.user}/server")).status_code == 202:
                await asyncio.sleep(0.2)

    async with httpx.AsyncClient(
        headers={"Authorization": f"Bearer {world.token}"}, trust_env=False, timeout=60
    ) as api:
        await asyncio.gather(*(stop(one) for one in group if one.user))


def _share_cores(meter: Meter, alone: str | None) -> None:
    """Give one process the first core and all others the rest; None: all cores to all."""
    if len(_CORES) < 2:
        return
    for name, process in (*meter.processes.items(), ("driver", psutil.Process())):
        mine = set(_CORES) if alone is None else {_CORES[0]} if name == alone else set(_CORES[1:])
        for thread in Path(f"/proc/{process.pid}/task").iterdir():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread.name), mine)
