"""Keeps as many seats ready as the calendar wants, makes left ones new, tells of the end, and stops at the end.

Each `Keeper.run` looks at the hub as it is and does what is missing; one that is killed leaves nothing that the
next does not see.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from ..contracts.text import LANGUAGES, Localized, Text
from ..culling.rules import Maintenance
from ..culling.store import Store as CullingStore
from ..hubapi import HubApi, HubApiError
from ..settings.event import EventSettings
from ..spawners.homes_kept import HomeError
from ..web.i18n import render
from .engine import SeatEngine
from .files import SeatFiles
from .hours import Door, Standing, standing, warm_wanted
from .hours_used import Hours
from .packing import ServerFiles
from .store import FREE, Seating, Store

log = logging.getLogger("jupytercloud")
STOP_SECONDS = 120.0
RENEW_SECONDS = 20.0
"""How long a pass, with all other seats, waits for the old home of a seat that is made new; the next one goes on."""
PACKING = timedelta(minutes=2)
"""How much longer servers stay whose work has to be read from them."""
RETRY_AFTER = timedelta(seconds=30)
"""How long a seat whose server did not start is left alone."""


@dataclass(frozen=True)
class Figures:
    """The seats at an instant, as board, ``event status`` and ``event warm`` show them."""

    door: str
    seats: int
    ready: int
    """Without a visitor, and the server answers."""
    starting: int
    held: int
    queued: int
    failed: int
    stuck: tuple[str, ...]
    wanted: int
    opens: datetime | None = None
    closes: datetime | None = None


@dataclass
class Keeper:
    """The seats of one event."""

    event: EventSettings
    name: str
    zone: Any
    api: HubApi
    store: Store
    files: SeatFiles
    culling: CullingStore | None
    now: Callable[[], datetime]
    engine: SeatEngine
    work: ServerFiles | None = None
    """Reads visitors' work where it is in no folder that the hub sees."""
    hours: Hours | None = None
    """Counts the hours used; the service does, a command beside it does not."""
    _failed_at: dict[str, datetime] = field(default_factory=dict)
    _packed: set[str] = field(default_factory=set)
    """Seats whose folder was packed since the event is over."""

    async def standing(self) -> Standing:
        """Return how the event stands."""
        return standing(self.event, self.zone, self.now(), await self.store.orders())

    async def servers(self) -> dict[str, dict[str, Any]]:
        """Return account → its server's model, empty where it has none; only accounts of the event."""
        found = {}
        async for user in self.api.users():
            if user["name"].startswith("seat-"):
                found[user["name"]] = (user.get("servers") or {}).get("") or {}
        return found

    async def figures(self) -> Figures:
        """Return how the seats are."""
        now, door = self.now(), await self.standing()
        seating, servers = await self.store.seating(now), await self.servers()
        ready, starting = _ready(seating, servers), _pending(servers)
        wanted = warm_wanted(self.event, door, now, len(seating.held))
        return Figures(
            door.door.value, self.event.seats, len(ready), len(starting), len(seating.held), seating.queued,
            len(seating.failed), tuple(sorted(seating.stuck)), wanted, door.opens, door.closes,
        )  # fmt: skip

    async def run(self, warm: int | None = None) -> None:
        """One pass. ``warm``: seats to have ready whatever the calendar says."""
        door, now = await self.standing(), self.now()
        await self.renew()
        await self._tell(door, now)
        await self._pass_on()
        seating, servers = await self.store.seating(now), await self.servers()
        if self.hours is not None:
            await self.hours.add(now, servers.keys() & set(seating.held), servers)
        wanted = warm if warm is not None else warm_wanted(self.event, door, now, len(seating.held))
        closed = door.door is not Door.OPEN
        if closed and wanted == 0:
            await self._stop(seating, servers)
            if door.door is Door.OVER:
                await self._pack(seating)
            return
        await self._start(seating, servers, wanted, now)

    async def renew(self) -> None:
        """Make seats that were left new: server, files and account go, then the account is made again."""
        await asyncio.gather(*(self._renew(seat) for seat in (await self.store.seating(self.now())).reset))

    async def _renew(self, seat: str) -> None:
        try:
            await self.stop(seat)
            await self.engine.remove_homes(seat, RENEW_SECONDS)
        except (TimeoutError, HomeError) as error:
            log.warning("the seat %s is not new yet: %s", seat, error or "it takes long to stop")
            return
        await asyncio.to_thread(self.files.remove, seat)
        await self.forget_account(seat)
        await self.store.seat(seat, state=FREE, failed=None)

    async def stop(self, account: str) -> bool:
        """Stop a server and wait until it is gone; False where there was none. Raises `HubApiError`."""
        user = await self.api.user(account)
        if user is None or not (user.get("servers") or {}):
            return False
        async with asyncio.timeout(STOP_SECONDS):
            while True:
                try:
                    gone = await self.api.stop_server(account)
                except HubApiError as error:
                    if error.status not in (400, 404):  # it is stopping already, or still starting
                        raise
                    gone = False
                user = await self.api.user(account)
                if gone or user is None or not (user.get("servers") or {}):
                    return True
                await asyncio.sleep(0.2)

    async def forget_account(self, account: str) -> bool:
        """Delete an account of the hub; False where there was none."""
        try:
            await self.api.delete(f"users/{quote(account, safe='')}")
        except HubApiError as error:
            if error.status != 404:
                raise
            return False
        return True

    async def _start(self, seating: Seating, servers: dict[str, dict[str, Any]], wanted: int, now: datetime) -> None:
        pending = _pending(servers)
        warm = [seat for seat in seating.free if servers.get(seat)]
        cold = [
            seat for seat in seating.free
            if not servers.get(seat) and now - self._failed_at.get(seat, now - RETRY_AFTER) >= RETRY_AFTER
        ]  # fmt: skip
        room = max(0, self.event.starts_at_once - len(pending))
        chosen = cold[: max(0, min(wanted - len(warm), room))]
        missing = [seat for seat in chosen if seat not in servers]
        if missing:
            await self._make_accounts(missing)
        await asyncio.gather(*(self._start_one(seat, now) for seat in chosen))

    async def _make_accounts(self, seats: list[str]) -> None:
        try:
            await self.api.post("users", {"usernames": seats})
        except HubApiError as error:
            if error.status != 409:  # the service and `event warm` look at the same time: the other one made them
                raise

    async def _start_one(self, seat: str, now: datetime) -> None:
        body = {"profile": self.event.profile, "options": {}}
        try:
            await self.api.post(f"users/{quote(seat, safe='')}/server", body)
        except HubApiError as error:
            if error.status in (0, 400, 429):  # it starts already, or the hub is busy: the next pass sees
                return
            log.warning("the seat %s did not start: %s", seat, error)
            self._failed_at[seat] = now
            await self.store.seat(seat, failed=error.detail[:255] or str(error.status))
            await self.store.happened(now, "failed")
        else:
            self._failed_at.pop(seat, None)
            await self.store.seat(seat, failed=None)

    async def _stop(self, seating: Seating, servers: dict[str, dict[str, Any]]) -> None:
        running = [seat for seat, server in servers.items() if server and server.get("pending") != "stop"]
        await asyncio.gather(*(self._stop_one(seat, servers[seat], seat in seating.held) for seat in running))

    async def _stop_one(self, seat: str, server: dict[str, Any], held: bool) -> None:
        if held and self.files.homes is None:
            await self.pack(seat, server)
        try:
            await self.api.stop_server(seat)
        except HubApiError as error:
            log.warning("the server of %s is not stopped yet: %s", seat, error)

    async def pack(self, seat: str, server: dict[str, Any]) -> None:
        """Pack the work of a seat: from its folder, else from its server if that runs."""
        if self.files.homes is not None:
            await asyncio.to_thread(self.files.pack, seat)
        elif self.work is not None and server.get("ready"):
            await self.work.pack(seat, str(server["url"]))

    async def _tell(self, door: Standing, now: datetime) -> None:
        """Announce the end where people see it: the culler warns on their screens, and stops at the hour."""
        if self.culling is None:
            return
        # Where work is read from servers, this stops them, once that is done; the culler only what is left.
        late = PACKING if self.files.homes is None else timedelta(0)
        announced = await self.culling.maintenance()
        if door.closes is not None and now >= door.closes - self.event.notice:
            if announced is None or announced.at != door.closes + late:
                await self.culling.set_maintenance(Maintenance(door.closes + late, _goodbye(), closing=True))
        elif (
            announced is not None
            and announced.message == _goodbye()
            and (door.closes is not None or now > announced.at + timedelta(minutes=5))
        ):
            await self.culling.set_maintenance(None)

    async def _pass_on(self) -> None:
        """Give the organizers' message to the culler, which every seat's server asks."""
        if self.culling is None:
            return
        message = await self.store.state("message")
        if message != await self.culling.message():
            await self.culling.set_message(message)

    async def _pack(self, seating: Seating) -> None:
        for seat in seating.held:
            if seat not in self._packed:
                await asyncio.to_thread(self.files.pack, seat)
                self._packed.add(seat)


def _goodbye() -> Localized:
    text = Text("We are closing. Your code gives you your work afterwards.")
    return Localized({language: render(text, language) for language in LANGUAGES})


def _ready(seating: Seating, servers: dict[str, dict[str, Any]]) -> list[str]:
    return [seat for seat in seating.free if (servers.get(seat) or {}).get("ready")]


def _pending(servers: dict[str, dict[str, Any]]) -> list[str]:
    return [seat for seat, server in servers.items() if server and not server.get("ready")]
