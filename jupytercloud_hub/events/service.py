"""The service ``events``: keeps seats ready, closes at the hour, purges at last; the organizers' board."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta
from typing import Any, ClassVar

from ..culling.store import Store as CullingStore
from ..hubapi import HubApi, HubApiError
from ..storage import Database
from ..storage.plain import PlainDatabase
from ..web.service import Service
from ..web.tasks import ended
from .authenticator import seat_names
from .engine import SeatEngine
from .files import SeatFiles
from .hours import NONE, Orders, end_of
from .hours_used import Hours
from .keeper import Keeper
from .metrics import EVERY_SECONDS, Metrics
from .packing import ServerFiles
from .purge import Purge, attestation, connection_log
from .store import PART, Store

log = logging.getLogger("jupytercloud")
PASS_SECONDS = 2.0
SEARCH_SECONDS = 600.0
JUMP = timedelta(hours=1)
"""A wall clock that went so much further than the time that passed is not believed when it says that all is over."""


class EventsService(Service):
    """Everything of an event that is not the hub's own."""

    name: ClassVar[str] = "events"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.settings.event is None:
            raise ValueError("event: is missing in the settings")
        self.event = self.settings.event
        self.database: Database | None = None
        self._culling: PlainDatabase | None = None
        self._loop: asyncio.Task[None] | None = None
        self._last_error: str | None = None
        self._searched: float | None = None
        self._began = (self.now(), time.monotonic())
        self.api: HubApi
        self.store: Store
        self.keeper: Keeper
        self.work: ServerFiles | None = None

    async def start(self) -> None:
        """Open database and hub's client, begin the passes."""
        self.database = Database(self.settings.database_url(PART), PART)
        await self.database.upgrade()
        self.store = Store(self.database)
        await self.store.import_seats(seat_names(self.event.seats))
        culling = None
        if self.settings.culling is not None:
            self._culling = PlainDatabase(self.settings.database_url("culling"), "culling")
            await self._culling.upgrade()
            culling = CullingStore(self._culling)
        self.api = HubApi(self.context.api_url, self.context.api_token, timeout=60)
        files = SeatFiles(self.settings)
        self.work = None if files.homes is not None else ServerFiles(self.settings, self.context.api_token, files)
        self.keeper = keeper_of(self.settings, self.api, self.store, culling, self.now, self.work)
        self.keeper.hours = Hours(self.store)
        self.metrics, self._shown = Metrics(self.registry), -EVERY_SECONDS
        self._loop = asyncio.create_task(self._passes())

    async def stop(self) -> None:
        """End the passes; servers go on."""
        if self._loop is not None:
            await ended([self._loop])
        await self.api.close()
        if self.work is not None:
            await self.work.close()
        for database in (self.database, self._culling):
            if database is not None:
                await database.close()

    def handlers(self) -> list[tuple[Any, ...]]:
        """Return the pages."""
        from .board import handlers

        return handlers()

    async def health(self) -> tuple[bool, dict[str, Any]]:
        """Healthy while passes succeed."""
        return self._last_error is None, {"last_error": self._last_error}

    async def _passes(self) -> None:
        while True:
            try:
                await self.one_pass()
                await self._show()
                self._last_error = None
            except HubApiError as error:
                self._last_error = f"the hub: {error}"
                log.warning("no pass: %s", error)
            except Exception as error:
                self._last_error = type(error).__name__
                log.exception("the pass broke; the next one comes as if it had not been")
            await asyncio.sleep(PASS_SECONDS)

    async def _show(self) -> None:
        """Let the gauges say what the board says, while there is something to say."""
        if time.monotonic() - self._shown >= EVERY_SECONDS and not attestation(self.settings).exists():
            self.metrics.show(await self.keeper.figures())
            self._shown = time.monotonic()

    async def one_pass(self) -> None:
        """Keep the seats; purge when it is time, or when a backup brought back what was purged."""
        if log := connection_log(self.settings):
            log.prune(self.now())
        if attestation(self.settings).exists():
            await self._search()
            return
        if self.time_to_purge(await self.store.orders()):
            await Purge(self.settings, self.keeper, self.store, self.now).run()
            return
        await self.keeper.run()

    async def _search(self) -> None:
        """Look from time to time whether a backup brought back what was purged."""
        if self._searched is not None and time.monotonic() - self._searched < SEARCH_SECONDS:
            return
        purge = Purge(self.settings, self.keeper, self.store, self.now)
        if await purge.traces():
            log.warning("a backup brought back what was purged: it is purged again")
            await purge.run()
        self._searched = time.monotonic()

    def time_to_purge(self, orders: Orders = NONE) -> bool:
        """Say whether the links have expired, by a clock that did not jump."""
        over = end_of(self.event, self.settings.site.zone, orders) + self.event.links
        wall, steady = self._began
        passed = timedelta(seconds=time.monotonic() - steady)
        jumped = self.now() - wall - passed > JUMP
        return self.now() >= over and not jumped


def keeper_of(
    settings: Any, api: HubApi, store: Store, culling: CullingStore | None, now: Any, work: ServerFiles | None = None
) -> Keeper:
    """Return what keeps the seats of a hub's event."""
    event, site, files = settings.event, settings.site, SeatFiles(settings)
    return Keeper(event, site.name, site.zone, api, store, files, culling, now, SeatEngine(settings), work)
