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
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from ..contracts.stops import StopRequest
from ..contracts.text import Localized
from ..hubapi.client import HubApi, HubApiError
from ..settings.culling import CullingSettings
from ..web.i18n import render
from ..web.service import Now
from .asked import Asked
from .facts import Start, servers_of
from .metrics import Metrics
from .rules import Action, Judge, KeepRefused, Memory, Server, Verdict
from .store import Remembered, Store

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
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self.settings = settings
        self.zone = zone
        self.api = api
        self.store = store
        self.metrics = metrics
        self.now = now
        self.asked = asked
        self._poll_seconds = poll_seconds
        self._holder = secrets.token_hex(8)
        self._requests: Mapping[Start, StopRequest] = {}

    async def plan(self) -> tuple[datetime, list[Standing]]:
        """Return what a pass would do now. Nothing is written, warned or stopped."""
        users = [user async for user in self.api.users(state="active")]
        await self._ask()
        judge = await self._judge()
        return judge.now, self._standings(judge, users, await self.store.remembered())

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
        judge, remembered = await self._judge(), await self.store.remembered(user)
        standings = self._standings(judge, [model], remembered)
        await self._warn([standing.verdict for standing in standings], remembered)
        return standings

    async def keep(self, server: Server) -> datetime:
        """Put a stop off as far as the policy lets. Raises `KeepRefused`."""
        judge = await self._judge()
        memory = self._memory(await self.store.remembered(server.user), server)
        until = judge.keep(server, memory)
        await self.store.keep(server.key, memory, until)
        log.info("%s/%s is kept until %s", server.user, server.name, until.isoformat())
        return until

    async def _run(self) -> Pass:
        users = [user async for user in self.api.users(state="active")]
        await self._ask()
        settled = await self._settled()
        judge = await self._judge(settled)
        remembered = await self.store.remembered()
        result = Pass(judge.now, self._verdicts(judge, users, remembered))
        await self._warn(result.verdicts, remembered)
        counted = Counter(verdict.action for verdict in result.verdicts)
        for action in Action:
            self.metrics.servers.labels(action.value).set(counted[action])
        slots = asyncio.Semaphore(self.settings.concurrency)
        due = [verdict for verdict in result.verdicts if verdict.action is Action.STOP]
        async with asyncio.TaskGroup() as group:
            stops = [group.create_task(self._stop(verdict, settled, slots)) for verdict in due]
        result.outcomes.update(stop.result() for stop in stops)
        await self.store.remember(read=self.now())
        return result

    async def _ask(self) -> None:
        if self.asked is None:
            return
        found = await self.asked.fetch(self.now())
        self.metrics.asked.set(0 if found is None else 1)
        self._requests = found or {}

    async def _settled(self) -> bool:
        """Say whether activity was recorded without a hole of more than ``settle`` until now."""
        now, gap = self.now(), max(self.settings.settle, 3 * self.settings.every)
        read = await self.store.moment("read")
        if read is not None and not timedelta(0) <= now - read <= gap:
            log.info("the hub was last read at %s: nobody is stopped for being idle for a while", read)
            await self.store.remember(settles=now + self.settings.settle)
        settles = await self.store.moment("settles")
        return settles is None or now >= settles

    async def _judge(self, settled: bool = True) -> Judge:
        return Judge(self.settings, self.zone, self.now(), await self.store.maintenance(), settled)

    def _verdicts(self, judge: Judge, users: list[dict[str, object]], remembered: Remembered) -> list[Verdict]:
        fresh = self.settings.activity_fresh
        return [
            judge.judge(server, self._memory(remembered, server))
            for user in users
            for server in servers_of(user, remembered.reports, judge.now, fresh)
        ]

    def _standings(self, judge: Judge, users: list[dict[str, object]], remembered: Remembered) -> list[Standing]:
        found = []
        for verdict in self._verdicts(judge, users, remembered):
            try:
                answer: datetime | KeepRefused = judge.keep(verdict.server, self._memory(remembered, verdict.server))
            except KeepRefused as refused:
                answer = refused
            found.append(Standing(verdict, answer))
        return found

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

    async def _stop(self, decided: Verdict, settled: bool, slots: asyncio.Semaphore) -> str:
        async with slots:
            self.metrics.in_flight.inc()
            try:
                outcome = await self._stop_one(decided, settled)
            except HubApiError as error:
                log.warning("%s/%s was not stopped: %s", decided.server.user, decided.server.name, error)
                outcome = "failed"
            finally:
                self.metrics.in_flight.dec()
        if decided.planned:
            self.metrics.stops.labels(decided.planned.rule, decided.planned.cause.value, outcome).inc()
        return outcome

    async def _stop_one(self, decided: Verdict, settled: bool) -> str:
        owner, name = decided.server.user, decided.server.name
        verdict = await self._again(decided.server, settled)
        if verdict is None:
            return "gone"
        if verdict.action is not Action.STOP or verdict.planned is None:
            await self._warn([verdict], await self.store.remembered(owner))
            log.info("%s/%s is spared: now %s", owner, name, verdict.action.value)
            return "spared"
        if not await self.api.stop_server(owner, name) and not await self._followed(verdict.server):
            log.warning("%s/%s is still stopping after %s", owner, name, self.settings.stop_timeout)
            return "failed"
        planned = verdict.planned
        texts = {language: render(planned.reason, language) for language in ("fr", "en")}
        now = self.now()
        await self.store.stopped(verdict.server, now, planned.cause.value, planned.rule, Localized(texts))
        log.info(
            "%s/%s is stopped (%s, rule %s) stopped_at=%s",
            owner,
            name,
            planned.cause.value,
            planned.rule,
            now.isoformat(),
        )
        return "stopped"

    async def _again(self, server: Server, settled: bool) -> Verdict | None:
        """Read and judge a server anew; None when this start of it is over."""
        model = await self.api.user(server.user)
        if model is None:
            return None
        remembered = await self.store.remembered(server.user)
        judge = await self._judge(settled)
        for verdict in self._verdicts(judge, [model], remembered):
            if verdict.server.key == server.key:
                return verdict
        return None

    async def _followed(self, server: Server) -> bool:
        """Wait for a slow stop; False when it failed, or did not end in time."""
        deadline = time.monotonic() + self.settings.stop_timeout.total_seconds()
        while time.monotonic() < deadline:
            await asyncio.sleep(self._poll_seconds)
            model = await self.api.user(server.user)
            found = servers_of(model, {}, self.now(), timedelta(0)) if model else []
            same = [other for other in found if other.key == server.key]
            if not same or same[0].pending is None:
                return not same
        return False

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            await self.store.begin_pass(self._holder, self.now(), LEASE)
