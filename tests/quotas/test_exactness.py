"""A thousand starts, stops and crashes from a seed: the ledger against what truly ran.

Time is simulated, the ledger and its transactions are real. Killed at a random SQL statement, the service leaves
what a kill -9 there leaves: a transaction that was never committed; it comes back after a while with nothing in its
memory. With PostgreSQL the database itself is stopped at random instants too, as a power cut does.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from jupytercloud_hub.contracts.admission import Confirm, Release, Reserve
from jupytercloud_hub.contracts.person import Person
from jupytercloud_hub.hubapi import HubApiError, client
from jupytercloud_hub.quotas.collector import RETURN
from jupytercloud_hub.quotas.ledger import Ledger, microseconds_of
from jupytercloud_hub.quotas.rebuild import rebuild
from jupytercloud_hub.quotas.tables import CLOSED, DROPPED, RUNNING
from jupytercloud_hub.web.errors import PublicError
from tests.support.postgresql import Postgresql

from .helpers import T0, FakeHub, confirm, intervals, record, release, reserve, sums
from .test_collector import World

STARTS = int(os.environ.get("JUPYTERCLOUD_EXACTNESS_STARTS", "1000"))
HEARTBEAT = 60.0
ROUNDING = 2.0
"""Seconds: a beginning and an end are each cut to their second, and a clock that is set to whole seconds."""


class Killed(BaseException):
    """The process is gone in the middle of a statement."""


@dataclass
class Server:
    """What truly happened with one start; times in true seconds since the beginning."""

    start: Reserve
    began: float
    ready: float | None = None
    ended: float | None = None
    seen: float = 0.0
    """When the ledger last had reason to count it."""
    told: bool = False
    """Whether its end is known to somebody who will be asked: the release arrived, or the hub remembers."""
    remembered: bool = False
    """The hub knows its end, and tells it at the next look: until it is killed, or the server starts anew."""
    settled: bool = False
    """A look came while the hub remembered: the ledger has no excuse."""
    gap: float = 0.0
    """Seconds of crashes around its end, in which nobody looked."""


@dataclass
class Simulation:
    """The world around one ledger."""

    ledger: Ledger
    seed: int
    power_cut: Callable[[], None] | None = None
    now: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.hub = FakeHub()
        self.world = World(self.ledger, self.hub)
        self.servers: list[Server] = []
        self.running: dict[str, Server] = {}
        self.delivered: list[Any] = []
        self.service_back: float | None = None
        self.hub_back: float | None = None
        self.hub_began = T0
        self.last_look = 0.0
        self.down_since = self.hub_returned = 0.0
        self.statements: int | None = None
        event.listen(self.ledger.database.engine.sync_engine, "before_cursor_execute", self._statement)

    # -- the world's clockwork

    def wall(self):
        return T0 + timedelta(seconds=self.now) + self.world.step

    def tell(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    @property
    def up(self) -> bool:
        return self.service_back is None and self.hub_back is None

    def _statement(self, *arguments: Any) -> None:
        if self.statements is not None:
            self.statements -= 1
            if self.statements < 0:
                self.statements = None
                raise Killed

    async def attempt(self, work: Callable[[], Any]) -> bool:
        """Do something in the service, which may be killed meanwhile; return whether it came to its end."""
        self.world.now = self.wall()
        if self.chance.random() < 0.03:
            self.statements = self.chance.randrange(25)
        try:
            await work()
        except Killed:
            self.kill("killed in a statement")
            return False
        except PublicError:
            return True  # 409: a confirm that came after its release
        except (SQLAlchemyError, HubApiError):
            self.kill("database away")
            return False
        finally:
            self.statements = None
        return True

    def kill(self, why: str) -> None:
        self.tell(why)
        self.down_since = self.now
        self.service_back = self.now + self.chance.uniform(1, 150)

    async def send(self, message: Reserve | Confirm | Release) -> bool:
        """Deliver a message to the service, once or twice; return whether it arrived."""
        if not self.up:
            return False
        for _ in range(2 if self.chance.random() < 0.1 else 1):

            async def deliver() -> None:
                await self.world.door.answer(message, await self.world.clock.now())

            if not await self.attempt(deliver):
                return False
        self.delivered.append(message)
        return True

    # -- what happens

    async def start(self) -> None:
        name = f"user-{self.chance.randrange(60):02}"
        if name in self.running or self.hub_back is not None:
            return
        person = Person(username=name, groups=(f"group-{int(name[-2:]) % 5}",), home_organization="univ.example")
        message = reserve(person, started=self.wall(), cpu=1, gpu=int(name.endswith("7")))
        server = Server(message, self.now, seen=self.now)
        for earlier in self.unsettled():
            earlier.remembered = earlier.remembered and earlier.start.key.user != name
        self.servers.append(server)
        self.running[name] = server
        self._hub_has(server, "spawn")
        await self.send(message)
        self.now += self.chance.uniform(0.5, 40) if self.chance.random() < 0.3 else 0.5
        if self.chance.random() < 0.1:
            self.hub.stop(name, self.wall())
            del self.running[name]
            server.ended = server.began  # it never ran
            server.told = True
            server.seen = self.now
            await self.send(release(message))
            return
        server.ready = self.now
        self._hub_has(server, None)
        await self.send(confirm(message))

    def _hub_has(self, server: Server, pending: str | None) -> None:
        resources = server.start.record.resources
        kept = record(cpu=resources.cpu, gpu=resources.gpu)
        started = server.start.key.started
        self.hub.start(server.start.person, started=started, pending=pending, state=kept)

    async def stop(self) -> None:
        if not self.running or self.hub_back is not None:
            return
        name = self.chance.choice(sorted(self.running))
        server = self.running.pop(name)
        server.ended = self.now
        server.gap = self.now - self.last_look
        self.hub.stop(name, self.wall())
        known = server.seen > server.began or await self.is_known(server)
        since_return = server.seen >= self.hub_returned or self.now - self.hub_returned >= RETURN.total_seconds() + 2
        server.remembered = since_return and await self.is_known(server, running=True)
        server.told = await self.send(release(server.start, ran=True)) and known

    def unsettled(self) -> list[Server]:
        return [server for server in self.servers if server.remembered and not server.settled]

    async def is_known(self, server: Server, *, running: bool = False) -> bool:
        """Return whether the ledger has heard of a start at all; ``running``: that it became a running server."""
        async with self.ledger.database.session() as session:
            found = await self.ledger.find(session, server.start.key)
            return found is not None and (found.state == RUNNING or not running)

    async def replay(self) -> None:
        if self.delivered and self.up:
            message = self.chance.choice(self.delivered[-200:])
            self.tell("replays")
            await self.attempt(lambda: self._again(message))

    async def _again(self, message: Any) -> None:
        if isinstance(message, Release):  # the spawner's own word for when it stopped does not change on the way
            message = message.model_copy(update={"ended": message.ended or self.wall()})
        await self.world.door.answer(message, await self.world.clock.now())

    async def look(self) -> None:
        if not self.up:
            return
        there = [server for server in self.running.values() if server.ready is not None]

        async def work() -> None:
            self.world.now = self.wall()
            await self.world.look()

        if await self.attempt(work):
            self.last_look = self.now
            for server in there:
                server.seen = self.now
            for server in self.unsettled():
                server.settled = True
        if self.chance.random() < 0.1:
            other = World(self.ledger, self.hub)  # a second collector, by mistake
            other.now, other.step = self.wall(), self.world.step
            other.collector._hub_back = self.hub_began
            self.tell("second collectors")
            await self.attempt(other.look)
            await other.api.close()

    def crash_hub(self) -> None:
        self.tell("hub killed")
        for server in self.unsettled():
            server.remembered = False
        self.hub.away = True
        self.down_since = self.now
        self.hub_back = self.now + self.chance.uniform(5, 400)

    def bring_back(self) -> None:
        if self.hub_back is not None and self.now >= self.hub_back:
            for name in sorted(self.running):
                if self.chance.random() < 0.2:
                    server = self.running.pop(name)
                    server.ended = self.chance.uniform(max(self.down_since, server.ready or 0.0), self.now)
                    server.gap = server.ended - self.last_look
                    self.hub.stop(name, self.wall())
            self.hub.away, self.hub_back, self.service_back = False, None, None
            self.hub_returned = self.now
            self.hub_began = self.wall()
            self.world.now = self.wall()
            self.world.restart(hub_back=self.hub_began)
        elif self.hub_back is None and self.service_back is not None and self.now >= self.service_back:
            self.service_back = None
            self.world.now = self.wall()
            managed = self.chance.random() < 0.5
            self.hub.began = self.hub_began
            self.tell("started by the hub" if managed else "asks the hub for its age")
            self.world.restart(hub_back=self.hub_began, managed=managed)

    async def set_clock(self) -> None:
        if self.up:
            await self.look()
        if self.up:
            self.tell("clock set")
            step = timedelta(seconds=self.chance.choice([-3600, -90, 45, 700, 7200]))
            self.world.step += step
            self.hub_began += step  # the hub's process is as old as before
            await self.attempt(self.world.clock.now)

    async def run(self) -> None:
        next_look, next_hub_crash, next_clock, next_cut = HEARTBEAT, 900.0, 500.0, 1500.0
        while len(self.servers) < STARTS:
            self.now += self.chance.expovariate(1 / 3.0)
            self.bring_back()
            if self.now >= next_look:
                next_look = self.now + HEARTBEAT
                await self.look()
            if self.now >= next_hub_crash and self.hub_back is None:
                next_hub_crash = self.now + self.chance.uniform(600, 2000)
                self.crash_hub()
            if self.now >= next_clock:
                next_clock = self.now + self.chance.uniform(300, 1500)
                await self.set_clock()
            if self.power_cut and self.now >= next_cut:
                next_cut = self.now + 2000
                self.tell("power cuts")
                self.power_cut()
                self.kill("database away")
            what = self.chance.random()
            if what < 0.45:
                await self.start()
            elif what < 0.85:
                await self.stop()
            elif what < 0.95:
                await self.replay()
            elif what < 0.96 and self.up:
                self.kill("killed between statements")
        self.now += 1000
        self.bring_back()
        self.bring_back()
        while self.running:
            self.bring_back()
            await self.stop()
        for _ in range(3):
            self.now += 700
            self.bring_back()
            await self.look()


def key_of(server: Server) -> tuple[str, int]:
    return server.start.key.user, microseconds_of(server.start.key.started)


def later_unknown(simulation: Simulation, server: Server, ran: set[tuple[str, int]]) -> float:
    """Return the seconds from a start to the end of those after it that the ledger never heard of.

    The hub remembers the latest stop only: where somebody stops, starts and stops again while the service is
    away, one interval reaches to the last stop.
    """
    mine = [each for each in simulation.servers if each.start.key.user == server.start.key.user]
    end = server.ended
    for each in mine[mine.index(server) + 1 :]:
        if key_of(each) in ran:
            break
        end = max(end, each.ended, each.seen)
    return end - server.began


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [1])
async def test_the_ledger_is_what_truly_ran(
    ledger: Ledger, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, seed: int
):
    monkeypatch.setattr(client, "RETRIES", 0)
    cut = None
    if not ledger.database.is_sqlite:
        server: Postgresql = request.getfixturevalue("postgresql")
        if server.folder is not None:

            def cut() -> None:
                server.stop("immediate")
                server.start()

    simulation = Simulation(ledger, seed, cut)
    await simulation.run()
    await simulation.world.api.close()

    kept = {(row.user, row.started_us): row for row in await intervals(ledger)}
    assert all(row.state in (CLOSED, DROPPED) for row in kept.values())
    ran = {key for key, row in kept.items() if row.state == CLOSED}
    counted, lost, over = 0, 0.0, []
    for server in simulation.servers:
        true = server.ended - server.began
        row = kept.pop(key_of(server), None)
        seconds = 0 if row is None or row.state == DROPPED else row.ended_s - row.begin_s
        counted += seconds
        assert seconds >= 0
        told = f"{server.start.key.user}: {server.__dict__} {row.__dict__ if row else None}"
        assert seconds <= true + ROUNDING or seconds <= later_unknown(simulation, server, ran) + ROUNDING, told
        if seconds < true - ROUNDING:
            lost += true - seconds
            # nothing is lost but what came after the last look, and only where nobody could tell the end
            assert not server.told, server
            assert not server.settled, (
                told,
                seconds,
                true,
                simulation.counts,
            )  # what stopped while the service was away is reconciled, to the second
            assert true - seconds <= server.ended - server.seen + ROUNDING, server
            over.append(server)
    assert kept == {}, "intervals of servers that never were"
    hub = await sums(ledger, "hub", "grenoble")
    assert hub["seconds"] == counted
    assert hub["starts"] == sum(1 for row in await intervals(ledger) if row.state == CLOSED)
    assert [difference async for difference in rebuild(ledger)] == []
    true = sum(server.ended - server.began for server in simulation.servers)
    print(f"\n{len(simulation.servers)} starts, {true / 3600:.1f} h; lost {lost / 3600:.2f} h in {len(over)} of them")
    print(simulation.counts)
    assert simulation.counts["killed in a statement"] >= 5
    assert simulation.counts["asks the hub for its age"] >= 5
    assert sum(server.settled and not server.told for server in simulation.servers) >= 20
