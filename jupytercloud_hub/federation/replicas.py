"""Several replicas of the portal over one PostgreSQL: one probes at a time, the others follow what it finds.

Whoever holds an advisory lock probes and writes the history; the lock ends with its connection, so that a replica
that was killed is followed within a second or two. News travel by NOTIFY, and are read every two seconds all the
same. While the database is away, each replica probes for itself and goes on from what it knows. With SQLite there is
one replica, which always probes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import make_url

from ..web.tasks import ended
from . import live
from .board import Board
from .health import Health
from .probes import Prober

if TYPE_CHECKING:
    from ..storage import Database

log = logging.getLogger("jupytercloud")

LOCK = 0x6665_6465_7261  # any number that all replicas of a portal share and nothing else in the database uses
LOCK_SECONDS = 1.0
"""How often a replica that follows tries to become the one that probes."""
ANSWER_SECONDS = 3.0
"""How long the database may take to answer before it counts as away."""
TOLD_SECONDS = 10.0
"""How often the health of a site is told although nothing about it is new."""


class Part(StrEnum):
    """What a replica does."""

    LEADS = "leads"
    FOLLOWS = "follows"
    ALONE = "alone"
    """The database is away: it probes for itself."""


class Replicas:
    """One replica's part in the whole."""

    def __init__(self, database: Database, board: Board, prober: Prober, read: Callable[[], Awaitable[None]]) -> None:
        self._database = database
        self._board = board
        self._prober = prober
        self._read = read
        self._told: dict[str, tuple[object, float]] = {}
        self._new: set[str] = set()
        self._something_new = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.part = Part.LEADS if database.is_sqlite else Part.ALONE

    def start(self) -> None:
        """Begin: with SQLite to probe, with PostgreSQL to find out who does."""
        self._prober.follow()
        if not self._database.is_sqlite:
            self._tasks = [asyncio.create_task(self._take_part()), asyncio.create_task(self._tell())]

    async def stop(self) -> None:
        """End; the lock goes with the connection."""
        await ended(self._tasks)
        self._tasks = []
        await self._prober.stop()

    @property
    def leads(self) -> bool:
        """Whether this replica probes for all, and writes the history."""
        return self.part is Part.LEADS

    @property
    def probes(self) -> bool:
        """Whether this replica probes, for all or for itself."""
        return self.part is not Part.FOLLOWS

    def found(self, name: str, health: Health) -> None:
        """Take note of what a probe of this replica changed, to tell the others."""
        if self._database.is_sqlite or not self.leads:
            return
        heart = (health.state, health.bad > 0, health.reason.msgid)
        before, at = self._told.get(name, (None, 0.0))
        now = asyncio.get_running_loop().time()
        if heart != before or now - at > TOLD_SECONDS:
            self._told[name] = (heart, now)
            self._new.add(name)
            self._something_new.set()

    async def _tell(self) -> None:
        while True:
            await self._something_new.wait()
            self._something_new.clear()
            names, self._new = self._new, set()
            rows = []
            for name in names:
                known = self._board.known.get(name)
                if known is not None and known.health.probed is not None:
                    rows.append((name, live.HEALTH, live.dump_health(known.health), known.health.probed))
            if not rows:
                continue
            try:
                async with asyncio.timeout(ANSWER_SECONDS), self._database.session() as session:
                    await live.publish(session, rows)
            except Exception as error:
                log.warning("federation: the other replicas could not be told: %s", error)
                self._told.clear()

    async def _take_part(self) -> None:
        import psycopg

        address = make_url(self._database.engine.url).set(drivername="postgresql")
        conninfo = address.render_as_string(hide_password=False)
        while True:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    connection = await psycopg.AsyncConnection.connect(conninfo, autocommit=True)
                try:
                    await self._with(connection)
                finally:
                    with contextlib.suppress(Exception):
                        await asyncio.shield(connection.close())
            except (psycopg.Error, OSError, TimeoutError) as error:
                self._become(Part.ALONE, str(error) or type(error).__name__)
            await asyncio.sleep(LOCK_SECONDS)

    async def _with(self, connection: Any) -> None:
        async with asyncio.timeout(ANSWER_SECONDS):
            await connection.execute(f"LISTEN {live.CHANNEL}")
        await self._read()
        while True:
            before = self.part
            async with asyncio.timeout(ANSWER_SECONDS):
                if self.part is Part.LEADS:
                    await connection.execute("SELECT 1")
                else:
                    cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,))
                    held = (await cursor.fetchone())[0]
                    self._become(Part.LEADS if held else Part.FOLLOWS, "")
            if before is not self.part:
                await self._read()  # what the leader told while this replica still probed for itself
            told = [notice async for notice in connection.notifies(timeout=LOCK_SECONDS, stop_after=1)]
            if told:
                await self._read()

    def _become(self, part: Part, why: str) -> None:
        if part is self.part:
            return
        log.warning("federation: this replica %s (before: %s) %s", part.value, self.part.value, why)
        self.part = part
        self._told.clear()
        if part is Part.FOLLOWS:
            self._tasks.append(asyncio.create_task(self._prober.stop()))
        else:
            self._prober.follow()
