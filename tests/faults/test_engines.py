"""Faults on a real Swarm and a real Kubernetes: people start servers, compute and keep something meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import pytest_asyncio

from .engine_kinds import BOTH, HOLD, KINDS, NODE, EngineFault
from .engine_site import HEARTBEAT, EngineWorld, running
from .people import judge

pytestmark = [pytest.mark.engines, pytest.mark.timeout(400), pytest.mark.asyncio(loop_scope="module")]

RESIDENTS = {"anna": "first", "ben": "second"}
"""Their servers run when the fault strikes, one on each machine."""
NEWCOMERS = {"cleo": "light", "u1": "light"}
"""They come while it lasts."""
PATIENCE = 150.0
SETTLED = 60.0
SLACK = 30.0
"""Seconds: a start is counted from the order on, an end when the hub looks."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EngineWorld]:
    async with running(request.getfixturevalue(request.param), tmp_path_factory.mktemp("faults")) as made:
        yield made


@dataclass
class Watch:
    """Remembers what the engine truly held, and what people met."""

    world: EngineWorld
    lives: dict[str, tuple[str, float, float]] = field(default_factory=dict)
    """Of each thing of the engine: whose it is, and when it was first and last seen."""
    served: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    refused: int = 0

    async def look(self) -> None:
        """Look at the engine each half second, until cancelled."""
        while True:
            await self.once()
            await asyncio.sleep(0.5)

    async def once(self) -> None:
        try:
            held = await asyncio.to_thread(self.world.site.held)
        except Exception:
            return
        for user, thing in held.items():
            _, first, _ = self.lives.get(thing, (user, time.time(), 0.0))
            self.lives[thing] = (user, first, time.time())

    async def person(self, name: str, profile: str, word: str) -> None:
        """She starts a server unless one runs, gets her page, and keeps a word beside the earlier ones."""
        deadline = time.monotonic() + PATIENCE
        while not await self._served(name, profile, word):
            if time.monotonic() > deadline:
                self.wrong.append(f"{name} was not served within {PATIENCE:g} s")
                return
            await asyncio.sleep(1)

    async def _served(self, name: str, profile: str, word: str) -> bool:
        site, words = self.world.site, self.world.words[name]
        async with httpx.AsyncClient(headers=site.client.headers, timeout=60, trust_env=False) as client:
            try:
                model = await self._ask(client, "GET", f"{site.client.base_url}users/{name}")
                server = model.json().get("servers", {}).get("") if model.status_code == 200 else None
                if model.status_code == 200 and not server:
                    body = {"profile": profile, "options": {}}
                    await self._ask(client, "POST", f"{site.client.base_url}users/{name}/server", json=body)
                if not server or not server["ready"]:
                    return False
                page = await self._ask(client, "GET", f"{site.hub.url}user/{name}/")
            except httpx.TransportError:
                self.refused += 1
                return False
        if page.status_code != 200 or "json" not in page.headers.get("content-type", ""):
            return False
        owner = page.json()["environment"]["JUPYTERHUB_USER"]
        if owner != name:
            self.wrong.append(f"{name} is in the server of {owner}")
        try:
            thing = (await asyncio.to_thread(site.held)).get(name, "")
            kept = await asyncio.to_thread(site.inside, name, f"echo {word} >> kept.txt; cat kept.txt")
        except Exception:
            return False
        if kept.split()[: len(words)] != words or word not in kept.split():
            self.wrong.append(f"{name}'s home held {kept.split()}, not {[*words, word]}")
        words[:] = kept.split()
        self.served.add(thing)
        return True

    async def _ask(self, client: httpx.AsyncClient, method: str, address: str, **more: Any) -> httpx.Response:
        answer = await client.request(method, address, **more)
        if answer.status_code not in (201, 202) and (dishonest := judge(answer)):
            self.wrong.append(dishonest)
        return answer

    async def check(self, outage: float) -> list[str]:
        """Return what does not hold, once all had time to settle."""
        deadline = time.monotonic() + SETTLED
        while True:
            await self.once()
            wrong = [*await asyncio.to_thread(self._engine), *self._ledger(outage)]
            if not wrong or time.monotonic() > deadline:
                return wrong
            await asyncio.sleep(2)

    def _engine(self) -> list[str]:
        """No orphan after the sweep, nothing known that does not run, nothing that hangs."""
        site = self.world.site
        known, held = site.servers(), site.held()
        wrong = [f"{user}: pending {server['pending']}" for user, server in known.items() if server["pending"]]
        if not wrong and set(held) - set(known):
            removed = site.operate(0, "servers", "sweep", "--grace", "0 s", "--remove")["removed"]
            site.hurry([thing["user"] for thing in removed])
            held = site.held()
        wrong += [f"an orphan of {user}" for user in set(held) - set(known)]
        return wrong + [f"the hub knows a server of {user} that is dead" for user in set(known) - set(held)]

    def _ledger(self, outage: float) -> list[str]:
        """Each thing that served somebody is one interval, as long as it ran; none beside, nothing twice."""
        wrong = []
        running = self.world.site.held()
        rows = self.world.intervals()
        for user in {row[0] for row in rows} | {life[0] for life in self.lives.values()}:
            lives = {thing: life for thing, life in self.lives.items() if life[0] == user}
            unserved = [thing for thing in lives if thing not in self.served]
            mine = [row for row in rows if row[0] == user]
            while len(lives) > len(mine) and unserved:
                del lives[unserved.pop()]  # its start was broken off, or it was swept
            mine = mine if len(lives) == len(mine) else [row for row in mine if row[2] - row[1] > SLACK]
            if len(lives) != len(mine):
                wrong.append(f"{user}: {len(lives)} servers ran, the ledger has {mine}")
                continue
            is_open = sum(row[3] is None for row in mine)
            if is_open != (user in running):
                wrong.append(f"{user}: {is_open} intervals are open, and her server {'runs' * (user in running)}")
            for (_, first, last), row in zip(sorted(lives.values(), key=lambda one: one[1]), mine, strict=True):
                billed, ran = row[2] - row[1], last - first
                if not ran - 2 * HEARTBEAT - outage - SLACK <= billed <= ran + SLACK + outage:
                    wrong.append(f"{user}: {billed} s in the ledger, {ran:.0f} s ran")
        return wrong


@pytest.mark.parametrize(
    ("world", "kind"),
    [
        pytest.param(engine, kind, id=f"{engine}: {kind.name}")
        for engine in BOTH
        for kind in KINDS.values()
        if engine in kind.engines
    ],
    indirect=["world"],
)
async def test_people_are_served_and_nothing_is_lost_or_counted_wrong_after(
    world: EngineWorld, kind: EngineFault, request: pytest.FixtureRequest
) -> None:
    watch = request.config.stash.setdefault(_watch, {}).setdefault(world.group, Watch(world))
    watch.wrong.clear()
    watching = asyncio.create_task(watch.look())
    word = f"w{len(watch.world.words['anna'])}"
    try:
        await asyncio.gather(*(watch.person(name, profile, word) for name, profile in RESIDENTS.items()))
        lived = await asyncio.to_thread(world.site.held)
        assert watch.wrong == [], "all is well before"
        await asyncio.to_thread(world.site.stop, *(world.site.servers().keys() & NEWCOMERS.keys()))
        watch.refused = 0
        began = time.monotonic()
        people = [
            asyncio.create_task(watch.person(name, profile, f"{word}+"))
            for name, profile in (NEWCOMERS | RESIDENTS).items()
        ]
        async with kind.strike(world):
            await asyncio.sleep(HOLD)
        outage = time.monotonic() - began
        await asyncio.gather(*people)
        wrong = [*watch.wrong, *await watch.check(outage)]
    finally:
        watching.cancel()
    now = await asyncio.to_thread(world.site.held)
    stays = [name for name in RESIDENTS if not (kind.ends and RESIDENTS[name] == "second")]
    wrong += [f"{name}'s server was lost" for name in stays if now.get(name) != lived[name]]
    if watch.refused and not kind.nobody_answers:
        wrong.append(f"{watch.refused} connections that nobody took")
    assert wrong == [], f"{NODE}: {kind.name}"


_watch = pytest.StashKey[dict[str, Watch]]()
