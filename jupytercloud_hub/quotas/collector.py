"""Keeps the ledger in step with the hub: who runs is counted, who is gone is closed, who was missed is adopted.

One look every heartbeat, the first at the start of the service. A look says what was so when its reading of the
hub began (``as_of``): only up to there is anything counted, and only what started before is taken for gone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from ..contracts.admission import StartKey
from ..contracts.person import Person
from ..contracts.server_record import Resources, ServerRecord
from ..hubapi import HubApi, HubApiError
from ..settings import Settings
from ..settings.quotas import QuotasSettings
from .budgets import accounts_of
from .ledger import Ledger, microseconds_of, moment_of, seconds_of
from .metrics import Metrics
from .notices import started_of
from .tables import CLOSED, DROPPED, PLACE, RUNNING, Interval

log = logging.getLogger("jupytercloud.quotas")

RETURN = timedelta(minutes=2)
"""How long after its start a hub may find a server dead that died while it was away: it looks at each when it starts,
and again every half minute (`Spawner.poll_interval`)."""
UNKNOWN_PROFILE = "unknown"


@dataclass(frozen=True)
class Seen:
    """A server as the hub describes it."""

    key: StartKey
    person: Person
    record: ServerRecord
    starting: bool


@dataclass(frozen=True)
class Look:
    """What one look found."""

    as_of: datetime
    running: int = 0
    starting: int = 0
    adopted: int = 0
    closed: int = 0


class Collector:
    """Looks at one hub; ``hub_back`` is when the hub's process began, or the latest that it can have been.

    ``began`` tells it exactly; it is asked when the hub answers for the first time, and again each time it is back.
    """

    def __init__(
        self,
        ledger: Ledger,
        hub: HubApi,
        settings: Settings,
        metrics: Metrics,
        now: Callable[[], Awaitable[datetime]],
        hub_back: datetime,
        began: Callable[[], Awaitable[datetime | None]] | None = None,
    ) -> None:
        if settings.quotas is None:
            raise ValueError("these settings have no quotas")
        self._ledger = ledger
        self._hub = hub
        self._profiles = {profile.name: profile for profile in settings.profiles}
        self._settings: QuotasSettings = settings.quotas
        self._metrics = metrics
        self._now = now
        self._hub_back = hub_back
        self._began = began
        self._sure = False
        self.people: dict[str, Person] = {}
        """Owners of what runs, as the hub described them at the last look."""

    async def look(self) -> Look:
        """Read the hub and bring the ledger to what is so. Raises `HubApiError`; nothing is changed then."""
        as_of = await self._now()
        try:
            seen = await self._read()
        except HubApiError:
            self._hub_back, self._sure = as_of, False
            raise
        if self._began is not None and not self._sure:
            self._hub_back = await self._began() or self._hub_back
            self._sure = True
        self.people = {each.person.username: each.person for each in seen.values()}
        async with self._ledger.writing() as session:
            present = await self._ledger.open_ones(session)
        missing = [
            interval
            for interval in present
            if interval.state == RUNNING and _key(interval) not in seen and interval.begin_s < seconds_of(as_of)
        ]
        ends = await self._ends(missing, as_of)
        closed = await self._close(ends)
        adopted = await self._adopt(seen, {_key(interval) for interval in present}, as_of)
        await self._count(seen, [interval.id for interval in present if _key(interval) in seen], as_of)
        async with self._ledger.writing() as session:
            await self._ledger.lapse(session, as_of)
        starting = sum(each.starting for each in seen.values())
        self._metrics.closed.inc(closed)
        self._metrics.adopted.inc(adopted)
        self._metrics.intervals.labels("running").set(len(seen) - starting)
        self._metrics.intervals.labels("place").set(starting)
        return Look(as_of, len(seen) - starting, starting, adopted, closed)

    async def _read(self) -> dict[tuple[str, str, int], Seen]:
        seen: dict[tuple[str, str, int], Seen] = {}
        async for user in self._hub.users(state="active"):
            person = Person.from_hub_user(user)
            for server in (user.get("servers") or {}).values():
                found = self._seen(person, server)
                if found:
                    seen[(found.key.user, found.key.server, microseconds_of(found.key.started))] = found
        return seen

    def _seen(self, person: Person, server: dict[str, Any]) -> Seen | None:
        started = _moment(server.get("started"))
        if started is None or server.get("stopped"):
            return None
        return Seen(
            key=StartKey.of(self._ledger.hub, person.username, server.get("name") or "", started),
            person=person,
            record=self._record(server),
            starting=server.get("pending") == "spawn",
        )

    def _record(self, server: dict[str, Any]) -> ServerRecord:
        record = ServerRecord.from_state(server.get("state"))
        if record is not None:
            return record
        asked = server.get("user_options") or {}
        name = asked.get("profile") if isinstance(asked, dict) else None
        if isinstance(name, str) and name in self._profiles:
            return ServerRecord(profile=name, resources=self._profiles[name].resources.counted())
        self._metrics.unpriced.inc()
        return ServerRecord(profile=UNKNOWN_PROFILE, resources=Resources(cpu=0, memory=0))

    async def _ends(self, missing: list[Interval], as_of: datetime) -> list[tuple[int, datetime]]:
        """Return when each of the missing intervals ended; those that turn up again are left out."""
        users = sorted({interval.user for interval in missing})
        answers = await asyncio.gather(*(self._user(name) for name in users))
        models = dict(zip(users, answers, strict=True))
        latest = await self._ledger.latest_starts(users)
        ends = []
        for interval in missing:
            model = models[interval.user] or {}
            server = (model.get("servers") or {}).get(interval.server) or {}
            counted = moment_of(interval.counted_s)
            if _moment(server.get("started")) == started_of(interval) and not server.get("stopped"):
                continue  # it was between two pages of the list
            stopped = _moment(server.get("last_activity")) if server.get("stopped") else None
            if interval.id < latest[interval.user, interval.server]:
                stopped = None  # what the hub remembers is the end of a later start
            ends.append((interval.id, self._end(counted, stopped, as_of)))
        return ends

    def _end(self, counted: datetime, stopped: datetime | None, as_of: datetime) -> datetime:
        """Return the end of an interval: the hub's `last_activity` of a stopped server is when it stopped it.

        Except where the hub was away since the server was last counted: at its return (`RETURN`) it stops what it
        finds dead, and nobody knows since when. Nothing is counted then that was not seen. What it stops later it
        had found alive, and it is counted to its end. It keeps the latest stop only:
        of a server that was stopped, started and stopped while this service was away there is one interval.
        """
        back = moment_of(seconds_of(self._hub_back))  # cut as `counted` is: the hub's first start is not before it
        if stopped is None or stopped < counted or (counted < back and stopped < back + RETURN):
            return counted
        return min(stopped, as_of)

    async def _user(self, name: str) -> dict[str, Any] | None:
        try:
            found = await self._hub.get(f"users/{quote(name, safe='')}", include_stopped_servers="1")
        except HubApiError as error:
            if error.status == 404:
                return None
            raise
        return dict(found)

    async def _close(self, ends: list[tuple[int, datetime]]) -> int:
        moments = dict(ends)
        async for session, intervals in self._ledger.batches(list(moments)):
            for interval in intervals:
                await self._ledger.close(session, interval, moments[interval.id], "hub")
        return len(moments)

    async def _adopt(
        self, seen: dict[tuple[str, str, int], Seen], known: set[tuple[str, str, int]], as_of: datetime
    ) -> int:
        """Open what runs and is not in the ledger; open again what was taken for over and is not.

        What starts is left alone: its spawner is about to ask, and an interval that is there already would be
        taken for a question that was answered before.
        """
        adopted = 0
        for key in seen.keys() - known:
            found = seen[key]
            if found.starting:
                continue
            async with self._ledger.writing() as session:
                interval = await self._ledger.find(session, found.key)
                if interval is None:
                    accounts = accounts_of(found.person, self._ledger.hub)
                    interval = await self._ledger.open(session, found.key, found.record, accounts)
                    adopted += 1
                elif interval.state in (CLOSED, DROPPED) and interval.closed_by != "release":
                    await self._ledger.begin(session, interval)
                await self._ledger.count(session, [interval], as_of)
        return adopted

    async def _count(self, seen: dict[tuple[str, str, int], Seen], ids: list[int], as_of: datetime) -> None:
        until = seconds_of(as_of + self._settings.place)
        async for session, intervals in self._ledger.batches(ids):
            for interval in intervals:
                if interval.state == PLACE and seen[_key(interval)].starting:
                    interval.expires_s = max(interval.expires_s or 0, until)
                elif interval.state == PLACE:
                    await self._ledger.begin(session, interval)
            await self._ledger.count(session, intervals, as_of)


def _key(interval: Interval) -> tuple[str, str, int]:
    return interval.user, interval.server, interval.started_us


def _moment(value: Any) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) and value else None
