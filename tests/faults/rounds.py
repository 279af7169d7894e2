"""One round: people at work, one fault or several at once, everything mended, and what has to hold is looked at."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from jupytercloud_hub.demo.plan import SITES
from jupytercloud_hub.spawners.base import slug

from .invariants import Keeper
from .kinds import HOLD, Fault
from .people import Story, Visitor, everybody
from .topology import World

AT_WORK = 3
"""People of each round, beside one whom the rules refuse."""


@dataclass
class Result:
    """What came out of one round."""

    faults: tuple[str, ...]
    seed: int
    wrong: list[str]
    seconds: float
    served: int
    honest: int
    refused: int
    bare: int


@dataclass
class Rounds:
    """Rounds on one topology that goes on: people come back to what they left, sums grow."""

    world: World
    results: list[Result] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.allowed, self.refused = everybody(self.world)
        self.keeper = Keeper(self.world)

    async def run(self, faults: Sequence[Fault], seed: int) -> Result:
        """Let the faults strike while people work; return what did not hold."""
        chance = random.Random(f"{seed} {' '.join(fault.name for fault in faults)}")
        began = time.monotonic()
        story = Story()
        people = [self._who(site, chance) for site in SITES]
        people += [chance.choice([v for v in self.allowed if v not in people])]
        for visitor in (*people, *self.refused):
            visitor.story = story
            if chance.random() < 0.5:
                visitor.new_browser()
        stranger = chance.choice(self.refused)
        lived = {site: self.world.servers(site) for site in SITES}
        word = f"w{len(self.results)}"
        jobs = [asyncio.create_task(self._later(chance.uniform(0, 2), v.job(word))) for v in people]
        known = [v.user for v in self.allowed if v.user]
        jobs.append(asyncio.create_task(self._later(chance.uniform(0, 2), stranger.intrude(known))))
        if known:
            jobs.append(asyncio.create_task(people[0].peep(*self._other(people[0], chance))))
        wrong: list[str] = []
        await asyncio.sleep(chance.uniform(0, 2))
        struck = time.monotonic()
        try:
            async with AsyncExitStack() as stack:
                for fault in faults:
                    await stack.enter_async_context(fault.strike(self.world, chance))
                await asyncio.sleep(chance.uniform(*HOLD))
            await self.world.until_well()
        except Exception as error:  # what can't be struck or mended does not hold either
            wrong.append(f"{type(error).__name__}: {error}")
        outage = time.monotonic() - struck
        told = await asyncio.gather(*jobs, return_exceptions=True)
        wrong += [f"{type(error).__name__}: {error}" for error in told if isinstance(error, BaseException)]
        wrong += story.wrong
        self.keeper.served |= story.served
        if not any(fault.kills_servers for fault in faults):
            for site in SITES:
                now = self.world.servers(site)
                wrong += [f"{user}'s server at {site} was lost" for pid, user in lived[site].items() if pid not in now]
        if story.refused and not any(fault.nobody_answers for fault in faults):
            wrong.append(f"{story.refused} connections that nobody took")
        try:
            wrong += await self.keeper.check(self.allowed, outage)
            await self._some_leave(chance)
        except Exception as error:  # what can't be looked at does not hold
            wrong.append(f"{type(error).__name__}: {error}")
        ended, self.world.ended = self.world.ended, []
        wrong += ended
        result = Result(
            tuple(fault.name for fault in faults),
            seed,
            list(Counter(wrong)),
            time.monotonic() - began,
            story.done,
            story.honest,
            story.refused,
            story.bare,
        )
        self.results.append(result)
        return result

    def _who(self, site: str, chance: random.Random) -> Visitor:
        return chance.choice([v for v in self.allowed if v.site == site])

    def _other(self, own: Visitor, chance: random.Random) -> tuple[str, str]:
        others = [v for v in self.allowed if v.user and v is not own] or [own]
        other = chance.choice(others)
        return (other.user or "nobody"), other.site or SITES[0]

    async def _later(self, seconds: float, work: object) -> None:
        await asyncio.sleep(seconds)
        await work  # type: ignore[misc]

    async def _some_leave(self, chance: random.Random) -> None:
        """Half of the servers stop in order, so that the next round has starts too."""
        for site in SITES:
            living = set(self.world.servers(site).values())
            async with self.world.api(site) as api:
                for visitor in self.allowed:
                    if visitor.user and slug(visitor.user) in living and chance.random() < 0.5:
                        await api.delete(f"users/{visitor.user}/server")
