"""One round: people at work, one fault or several at once, everything mended, and what has to hold is looked at."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from jupytercloud_hub.demo.plan import SITES
from jupytercloud_hub.spawners.base import slug

from .batches import sites_of
from .invariants import Keeper
from .kind import Aim
from .kinds import HOLD, Fault
from .people import Story, Visitor, everybody
from .topology import World


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
    begun: int = 0
    """Rounds, those that were run once more included."""

    def __post_init__(self) -> None:
        self.allowed, self.refused = everybody(self.world)
        self.keeper = Keeper(self.world)

    async def run(self, faults: Sequence[Fault], seed: int) -> Result:
        """Let the faults strike while people work; return what did not hold."""
        chance = random.Random(f"{seed} {' '.join(fault.name for fault in faults)}")
        sites = sites_of(faults, chance)
        began = time.monotonic()
        story = Story()
        people = [self._who(site, chance) for site in SITES]
        people += [chance.choice([v for v in self.allowed if v not in people])]
        for visitor in (*people, *self.refused):
            visitor.story = story
            if chance.random() < 0.5:
                visitor.new_browser()
        stranger = chance.choice(self.refused)
        aims = [Aim(self.world, random.Random(f"{seed} {f.name}"), site) for f, site in zip(faults, sites, strict=True)]
        lived = {site: self.world.servers(site) for site in SITES}
        word = f"w{self.begun}"
        self.begun += 1
        jobs = [asyncio.create_task(self._later(chance.uniform(0, 2), v.job(word))) for v in people]
        known = [v.user for v in self.allowed if v.user]
        jobs.append(asyncio.create_task(self._later(chance.uniform(0, 2), stranger.intrude(known))))
        if known:
            jobs.append(asyncio.create_task(people[0].peep(*self._other(people[0], chance))))
        wrong: list[str] = []
        await asyncio.sleep(chance.uniform(0, 2))
        struck = time.monotonic()
        strikes = [self._strike(fault, aim) for fault, aim in zip(faults, aims, strict=True)]
        try:
            wrong += [line for line in await asyncio.gather(*strikes) if line]
            await self.world.until_well()
        except AssertionError as error:
            wrong.append(f"{error}")
        outage = time.monotonic() - struck
        told = await asyncio.gather(*jobs, return_exceptions=True)
        wrong += [f"{type(error).__name__}: {error}" for error in told if isinstance(error, BaseException)]
        wrong += story.wrong
        self.keeper.served |= story.served
        wrong += self._lost(lived, list(zip(faults, sites, strict=True)))
        silent = {fault.silences(site) for fault, site in zip(faults, sites, strict=True)}
        wrong += [
            f"{number} connections to {name} that nobody took: {story.why[name]}"
            for name, number in story.refused.items()
            if name not in silent
        ]
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
            story.refused.total(),
            story.bare,
        )
        self.results.append(result)
        return result

    async def _strike(self, fault: Fault, aim: Aim) -> str:
        """Let one fault strike, last and be mended; return why it could not: that does not hold either."""
        try:
            async with fault.strike(aim):
                await asyncio.sleep(aim.chance.uniform(*HOLD))
        except Exception as error:
            return f"{fault.name}: {type(error).__name__}: {error}"
        return ""

    def _lost(self, lived: dict[str, dict[int, str]], struck: list[tuple[Fault, str]]) -> list[str]:
        """Return the servers that ended although no fault ends them."""
        whole = {site for fault, site in struck if fault.kills == "the site's servers"}
        lost = []
        for site in SITES:
            now = self.world.servers(site)
            if site not in whole:
                lost += [f"{user}'s server at {site} was lost" for pid, user in lived[site].items() if pid not in now]
        return lost[sum(fault.kills == "one server" for fault, _ in struck) :]

    def _who(self, site: str, chance: random.Random) -> Visitor:
        return chance.choice([v for v in self.allowed if v.site == site])

    def _other(self, own: Visitor, chance: random.Random) -> tuple[str, str]:
        others = [v for v in self.allowed if v.user and v is not own] or [own]
        other = chance.choice(others)
        return (other.user or "nobody"), other.site or SITES[0]

    async def _later(self, seconds: float, work: Coroutine[Any, Any, None]) -> None:
        await asyncio.sleep(seconds)
        await work

    async def _some_leave(self, chance: random.Random) -> None:
        """Half of the servers stop in order, so that the next round has starts too."""
        leaving = []
        for site in SITES:
            living = set(self.world.servers(site).values())
            leaving += [
                (site, visitor.user)
                for visitor in self.allowed
                if visitor.user and slug(visitor.user) in living and chance.random() < 0.5
            ]
        await asyncio.gather(*(self._leave(site, user) for site, user in leaving))

    async def _leave(self, site: str, user: str) -> None:
        async with self.world.api(site) as api:
            await api.delete(f"users/{user}/server")
