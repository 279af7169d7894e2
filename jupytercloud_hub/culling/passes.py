"""A pass over the hub: read all pages, decide, warn, re-read each server just before its stop, stop.

Promises, each with its test:

1. Nothing is decided on part of a list: a page that fails ends the pass, and nothing is lost by it.
2. Each server is read again, and judged again, just before its DELETE.
3. Never more than ``culling.concurrency`` stops in flight; a slow stop (202) counts until it is over.
4. Never two passes at once, also not in two processes.
5. After a time without the hub, nobody is stopped for an idleness that nobody recorded.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from ..contracts.text import LANGUAGES, Localized
from ..hubapi.client import HubApi, HubApiError
from ..settings.culling import CullingSettings
from ..web.i18n import render
from .facts import Report, Start, reported, servers_of
from .metrics import Metrics
from .reclaimed import LONGEST, reclaimed
from .rules import Action, Judge, KeepRefused, Memory, Server, Verdict
from .store import Done, Remembered, Store, Way
from .together import Together

if TYPE_CHECKING:
    from ..contracts.stops import StopRequest
    from ..web.service import Now
    from .asked import Asked
    from .letters import Letters
    from .webhook import Webhook

log = logging.getLogger("jupytercloud.culling")

LEASE = timedelta(minutes=2)
POLL_SECONDS = 1.0


@dataclass(slots=True)
class Pass:
    """What one pass found and did."""

    at: datetime
    verdicts: list[Verdict] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    """How the stops ended: stopped, spared, gone, failed."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand for one server: what will be done with it, and whether its owner can put that off."""

    verdict: Verdict
    keep: datetime | KeepRefused
    """Until when "keep it" would keep it, or why it can't."""
    message: str | None = None
    """What everybody with a server is told."""


class Busy(Exception):
    """Another process runs a pass at this moment."""


class Culler:
    """Judges and stops the servers of one hub."""

    def __init__(
        self,
        settings: CullingSettings,
        zone: ZoneInfo,
        api: HubApi,
        store: Store,
        metrics: Metrics,
        now: Now,
        asked: Asked | None = None,
        webhook: Webhook | None = None,
        letters: Letters | None = None,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self.settings = settings
        self.zone = zone
        self.api = api
        self.store = store
        self.metrics = metrics
        self.now = now
        self.asked = asked
        self.webhook = webhook
        self.letters = letters
        self._poll_seconds = poll_seconds
        self._memories: Together[str, Remembered] = Together(self._remembered_by_each)
        self._stopped: Together[Done, None] = Together(self._note_all)
        self._holder = secrets.token_hex(8)
        self._requests: Mapping[Start, StopRequest] = {}
        self._running: dict[tuple[str, str], Server] = {}
        """The servers of the last pass, so that a thousand reports a minute do not ask the hub."""

    async def plan(self) -> tuple[datetime, list[Standing]]:
        """Return what a pass would do now. Nothing is written, warned or stopped."""
        servers = await self._servers()
        await self._ask()
        remembered = await self.store.remembered()
        judge = self._judge(remembered)
        return judge.now, self._standings(judge, servers, remembered)

    async def run(self) -> Pass:
        """Run one pass. Raises `Busy`, and `HubApiError` where the hub gave no whole list."""
        if not await self.store.begin_pass(self._holder, self.now(), LEASE):
            self.metrics.passes.labels("busy").inc()
            raise Busy
        began = time.monotonic()
        renewal = asyncio.create_task(self._renew())
        try:
            result = await self._run()
        except BaseException:
            self.metrics.passes.labels("failed").inc()
            raise
        finally:
            renewal.cancel()
            await self.store.end_pass(self._holder)
        self.metrics.passes.labels("done").inc()
        self.metrics.duration.observe(time.monotonic() - began)
        self.metrics.last_pass.set(self.now().timestamp())
        return result

    async def view(self, user: str) -> list[Standing]:
        """Return how things stand for one person's servers, asked of the hub now.

        Whoever looks has been told: a warning that begins with this look is kept as a pass keeps it.
        """
        model = await self.api.user(user)
        if model is None:
            return []
        remembered = await self.store.remembered(user)
        judge = self._judge(remembered)
        standings = self._standings(judge, servers_of(model), remembered)
        await self._warn([standing.verdict for standing in standings], remembered)
        return standings

    async def report(self, user: str, name: str, report: Report) -> Standing | None:
        """Take a server's own word on its activity and return how it stands with it; None: it does not run."""
        server = self._running.get((user, name))
        if server is None:
            model = await self.api.user(user)
            found = servers_of(model) if model else []
            server = next((other for other in found if other.name == name), None)
        if server is None:
            return None
        await self.store.report(server.key, report)
        server = reported(server, report, report.reported_at, self.settings.activity_fresh)
        remembered = await self.store.remembered(user)
        judge, memory = self._judge(remembered), self._memory(remembered, server)
        standing = self._standing(judge, judge.judge(server, memory), memory, remembered.message)
        await self._warn([standing.verdict], remembered)
        return standing

    async def keep(self, server: Server) -> datetime:
        """Put a stop off as far as the policy lets. Raises `KeepRefused`."""
        remembered = await self.store.remembered(server.user)
        memory = self._memory(remembered, server)
        until = self._judge(remembered).keep(server, memory)
        await self.store.keep(server.key, memory, until)
        log.info("%s/%s is kept until %s", server.user, server.name, until.isoformat())
        return until

    async def _run(self) -> Pass:
        servers = await self._servers()
        await self._ask()
        remembered = await self.store.remembered()
        settles = self._settles(remembered)
        if settles:
            log.info("activity was not recorded for a while: until %s nobody is stopped for being idle", settles)
        judge = self._judge(remembered)
        settled = judge.settled
        await self.store.remember(read=judge.now, **({"settles": settles} if settles else {}))
        result = Pass(judge.now, self._verdicts(judge, servers, remembered))
        self._running = {(v.server.user, v.server.name): v.server for v in result.verdicts}
        await self._warn(result.verdicts, remembered)
        counted = Counter(verdict.action for verdict in result.verdicts)
        for action in Action:
            self.metrics.servers.labels(action.value).set(counted[action])
        due = [verdict for verdict in result.verdicts if verdict.action is Action.STOP]
        async with asyncio.TaskGroup() as group:
            waiting = iter(due)
            for _ in range(min(self.settings.concurrency, len(due))):
                group.create_task(self._stop_each(waiting, settled, result.outcomes))
            group.create_task(self._tell(result.verdicts))
        await self._count_reclaimed(result, remembered.moments.get("counted"))
        await self.store.remember(read=self.now(), counted=result.at)
        return result

    async def _count_reclaimed(self, result: Pass, since: datetime | None) -> None:
        """Count what earlier stops left free since the last pass; an outage is not counted at all."""
        if since is None or not timedelta(0) <= result.at - since <= self._longest_gap:
            return
        stops = await self.store.freed(since - LONGEST)
        for rule, hours in reclaimed(stops, self._running.keys(), since, result.at).items():
            for unit, amount in (("core", hours.core), ("gib", hours.gib), ("gpu", hours.gpu)):
                self.metrics.reclaimed[unit].labels(rule).inc(amount)

    @property
    def _longest_gap(self) -> timedelta:
        """Longer than this without a pass, and activity was not seen."""
        return max(self.settings.settle, 3 * self.settings.every)

    async def _ask(self) -> None:
        if self.asked is None:
            return
        found = await self.asked.fetch(self.now())
        self.metrics.asked.set(0 if found is None else 1)
        self._requests = found or {}

    def _settles(self, remembered: Remembered) -> datetime | None:
        """Return until when nobody is stopped for being idle; None: activity was recorded without a hole."""
        now, read = self.now(), remembered.moments.get("read")
        if read is not None and not timedelta(0) <= now - read <= self._longest_gap:
            return now + self.settings.settle
        settles = remembered.moments.get("settles")
        return settles if settles and settles > now else None

    def _judge(self, remembered: Remembered, settled: bool | None = None) -> Judge:
        settled = self._settles(remembered) is None if settled is None else settled
        return Judge(self.settings, self.zone, self.now(), remembered.maintenance, settled)

    async def _servers(self) -> list[Server]:
        """Return what runs. Of each page only this is kept: the hub's models are ten times as large."""
        return [server async for user in self.api.users(state="active") for server in servers_of(user)]

    def _verdicts(self, judge: Judge, servers: list[Server], remembered: Remembered) -> list[Verdict]:
        fresh = self.settings.activity_fresh
        return [
            judge.judge(
                reported(server, remembered.reports.get(server.key), judge.now, fresh),
                self._memory(remembered, server),
            )
            for server in servers
        ]

    def _standings(self, judge: Judge, servers: list[Server], remembered: Remembered) -> list[Standing]:
        return [
            self._standing(judge, verdict, self._memory(remembered, verdict.server), remembered.message)
            for verdict in self._verdicts(judge, servers, remembered)
        ]

    @staticmethod
    def _standing(judge: Judge, verdict: Verdict, memory: Memory, message: str | None) -> Standing:
        try:
            return Standing(verdict, judge.keep(verdict.server, memory), message)
        except KeepRefused as refused:
            return Standing(verdict, refused, message)

    def _memory(self, remembered: Remembered, server: Server) -> Memory:
        memory = remembered.memory(server.key)
        request = self._requests.get(server.key)
        return replace(memory, asked=request) if request else memory

    async def _warn(self, verdicts: list[Verdict], remembered: Remembered) -> None:
        changes = []
        for verdict in verdicts:
            before = remembered.memory(verdict.server.key).warned
            if before.keys() != verdict.warned.keys():
                changes.append((verdict.server.key, before, verdict.warned))
            if verdict.action is Action.WARN and verdict.planned:
                self.metrics.warnings.labels(verdict.planned.rule).inc()
        if changes:
            await self.store.warn(changes)

    async def _tell(self, verdicts: list[Verdict]) -> None:
        if self.webhook is not None:
            fresh = await self._untold("told", verdicts)
            if fresh and await self.webhook.tell(fresh):
                await self.store.told("told", [verdict.server.key for verdict in fresh])
        if self.letters is not None:
            fresh = await self._untold("mailed", verdicts)
            if fresh:
                await self.store.told("mailed", await self.letters.tell(fresh))

    async def _untold(self, way: Way, verdicts: list[Verdict]) -> list[Verdict]:
        untold = await self.store.untold(way)
        return [verdict for verdict in verdicts if verdict.server.key in untold and verdict.warned]

    async def _stop_each(self, waiting: Iterator[Verdict], settled: bool, outcomes: Counter[str]) -> None:
        """Stop one after the other of those that wait; as many of these run as stops may be in flight."""
        for decided in waiting:
            outcomes[await self._stop(decided, settled)] += 1

    async def _stop(self, decided: Verdict, settled: bool) -> str:
        verdict, server = decided, decided.server
        self.metrics.in_flight.inc()
        try:
            outcome, verdict = await self._stop_one(decided, settled)
        except HubApiError as error:
            log.warning("%s/%s was not stopped: %s", server.user, server.name, error)
            outcome = "failed"
        finally:
            self.metrics.in_flight.dec()
        if outcome == "stopped":
            await self._note(verdict)
        elif outcome == "spared":
            await self._warn([verdict], await self.store.remembered(server.user))
            log.info("%s/%s is spared: now %s", server.user, server.name, verdict.action.value)
        if decided.planned:
            self.metrics.stops.labels(decided.planned.rule, decided.planned.cause.value, outcome).inc()
        return outcome

    async def _stop_one(self, decided: Verdict, settled: bool) -> tuple[str, Verdict]:
        """Read the server again and stop it; return how that ended, and the last verdict."""
        verdict = await self._again(decided.server, settled)
        if verdict is None:
            return "gone", decided
        if verdict.action is not Action.STOP:
            return "spared", verdict
        server = verdict.server
        if await self.api.stop_server(server.user, server.name) or await self._followed(server):
            return "stopped", verdict
        log.warning("%s/%s is still running or stopping", server.user, server.name)
        return "failed", verdict

    async def _note(self, verdict: Verdict) -> None:
        """Write down a stop, for its owner's page and for the log."""
        server, planned, now = verdict.server, verdict.planned, self.now()
        if planned is None:
            return
        reason = Localized({language: render(planned.reason, language) for language in LANGUAGES})
        await self._stopped.ask(Done(server, now, planned.cause.value, planned.rule, reason))
        what = f"{server.user}/{server.name} is stopped ({planned.cause.value}, rule {planned.rule})"
        log.info("%s stopped_at=%s", what, now.isoformat())

    async def _remembered_by_each(self, users: list[str]) -> list[Remembered]:
        return [await self.store.remembered(*users)] * len(users)

    async def _note_all(self, stops: list[Done]) -> list[None]:
        await self.store.stopped(stops)
        return [None] * len(stops)

    async def _again(self, server: Server, settled: bool) -> Verdict | None:
        """Read and judge a server anew; None when this start of it is over."""
        remembered = await self._memories.ask(server.user)
        model = await self.api.user(server.user)  # last: nothing is waited for between this and the DELETE
        if model is None:
            return None
        for verdict in self._verdicts(self._judge(remembered, settled), servers_of(model), remembered):
            if verdict.server.key == server.key:
                return verdict
        return None

    async def _followed(self, server: Server) -> bool:
        """Wait for a slow stop; False when it failed, or did not end in time."""
        deadline = time.monotonic() + self.settings.stop_timeout.total_seconds()
        while time.monotonic() < deadline:
            await asyncio.sleep(self._poll_seconds)
            model = await self.api.user(server.user)
            found = servers_of(model) if model else []
            same = [other for other in found if other.key == server.key]
            if not same or same[0].pending is None:
                return not same
        return False

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            await self.store.begin_pass(self._holder, self.now(), LEASE)
