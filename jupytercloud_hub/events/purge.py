"""Removes everything of an event's visitors and says what it was; goes on where it was interrupted."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, select

from ..culling.personal import PERSONAL
from ..culling.tables import State
from ..settings import Settings
from ..spawners.base import slug
from ..storage import Database, database
from .codes import HASHED, PLAIN
from .connections import ConnectionLog
from .engine import SeatEngine
from .keeper import Keeper
from .purge_plan import ALL_CODES, Task, tasks
from .store import Store

ATTESTATION = "attestation.json"
LOCK = "purge.lock"
PREFIXES = ("seat-", "organizer-", "helper-")
OUTPUT = "what the hub wrote to its log, with visitors' addresses and seats: where its operator keeps logs"
PRINTED = (PLAIN, HASHED, "codes.pdf")
Progress = Callable[[int, int], None]


@dataclass
class Purge:
    """The purge of one event; runs as the hub's own account, while the hub runs."""

    settings: Settings
    keeper: Keeper
    store: Store
    now: Callable[[], datetime]
    progress: Progress = lambda done, all_: None
    _current: dict[str, bool] = field(default_factory=dict)

    @property
    def engine(self) -> SeatEngine:
        """The engine of the seats."""
        return self.keeper.engine

    async def run(self) -> dict[str, Any]:
        """Remove what is left, then look for traces; return the attestation, which is written too.

        The service and the command may come at the same time: one waits for the other.
        """
        with (self.settings.state_folder / LOCK).open("a") as lock:
            await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
            if log := connection_log(self.settings):
                log.prune(self.now())
            return await self._run()

    async def _run(self) -> dict[str, Any]:
        if attestation(self.settings).exists() and await self.traces():
            await self.store.forget_journal()  # a backup was restored: everything is done again
            _set_aside(attestation(self.settings))
        await self._close()
        accounts = await self._accounts()
        journal = await self.store.journal()
        done = {task for task, (_, finished) in journal.items() if finished}
        left = tasks(accounts | {task.subject for task in journal if task != ALL_CODES}, done)
        for number, task in enumerate(left):
            self.progress(number, len(left))
            await self.store.begin(task, await self._count(task))
            await self._take(task)
            await self.store.done(task, self.now())
        self.progress(len(left), len(left))
        return await self._attest()

    async def _close(self) -> None:
        """End the event for good: the service starts no seat anew behind the purge."""
        closed = (await self.store.orders()).closed
        if closed is None or closed > self.now():
            await self.store.set_state("closed", self.now().isoformat())

    async def traces(self) -> dict[str, int]:
        """Search hub, files and tables, and return what is found: place → number; empty for nothing."""
        accounts = await self._accounts()
        slugs = {slug(account) for account in accounts}
        found = {"accounts": len(await self._hub_accounts()), "codes": await self.store.codes()}
        held, homes = await self.engine.servers(), await self.engine.homes()
        found["servers"] = sum(len(names) for whose, names in held.items() if whose in slugs)
        found["volumes"] = sum(len(names) for whose, names in homes.items() if whose in slugs)
        found["files"] = sum([await asyncio.to_thread(self.keeper.files.count, one) for one in accounts])
        found["rows"] = await self._rows(*accounts)
        found["code files"] = sum(path.exists() for path in self._papers())
        return {place: number for place, number in found.items() if number}

    async def _hub_accounts(self) -> set[str]:
        return {user["name"] async for user in self.keeper.api.users() if user["name"].startswith(PREFIXES)}

    async def _accounts(self) -> set[str]:
        from .authenticator import seat_names

        return {*seat_names(self.keeper.event.seats), *await self._hub_accounts()}

    async def _count(self, task: Task) -> int:
        if task.step == "server":
            user = await self.keeper.api.user(task.subject)
            held = (await self.engine.servers()).get(slug(task.subject), ())
            return max(int(bool(user and user.get("servers"))), len(held))
        if task.step == "volume":
            return len((await self.engine.homes()).get(slug(task.subject), ()))
        if task.step == "files":
            return await asyncio.to_thread(self.keeper.files.count, task.subject)
        if task.step == "account":
            return int(await self.keeper.api.user(task.subject) is not None)
        if task.step == "rows":
            return await self._rows(task.subject)
        return await self.store.codes()

    async def _take(self, task: Task) -> None:
        if task.step == "server":
            await self.keeper.stop(task.subject)
            for name in (await self.engine.servers()).get(slug(task.subject), ()):  # what the hub knew nothing of
                await self.engine.remove_server(name)
        elif task.step == "volume":
            await self.engine.remove_homes(task.subject)
        elif task.step == "files":
            await asyncio.to_thread(self.keeper.files.remove, task.subject)
        elif task.step == "account":
            await self.keeper.forget_account(task.subject)
        elif task.step == "rows":
            await self._forget_rows(task.subject)
        else:
            await self.store.forget_codes()
            async with self._tables("culling", self.settings.culling is not None) as session:
                if session is not None:
                    await session.execute(delete(State).where(State.name == "message"))
            for path in self._papers():
                path.unlink(missing_ok=True)

    @asynccontextmanager
    async def _tables(self, part: str, used: bool) -> AsyncIterator[Any]:
        """Give a session on another part's tables; None where this hub does not use it, or has none yet."""
        url = self.settings.database_url(part)
        if part not in self._current and used:
            self._current[part] = await asyncio.to_thread(database.state, url, part) == "current"
        if not used or not self._current[part]:
            yield None
            return
        opened = Database(url, part)
        try:
            async with opened.session() as session:
                yield session
        finally:
            await opened.close()

    async def _rows(self, *accounts: str) -> int:
        async with self._tables("culling", self.settings.culling is not None) as session:
            if session is None:
                return 0
            counts = [select(func.count()).select_from(table).where(table.user.in_(accounts)) for table in PERSONAL]
            return sum([await session.scalar(count) or 0 for count in counts])

    async def _forget_rows(self, account: str) -> None:
        async with self._tables("culling", self.settings.culling is not None) as session:
            if session is not None:
                for table in PERSONAL:
                    await session.execute(delete(table).where(table.user == account))
        async with self._tables("quotas", self.settings.quotas is not None) as session:
            if session is not None:
                await import_module("..quotas.store", __package__).erase(session, account, "erased-event")

    def _kept(self) -> dict[str, Any]:
        log = connection_log(self.settings)
        ends = log.ends() if log else None
        return {"connection_log": {"days": len(log.days()), "until": str(ends)}} if log and ends else {}

    def _not_covered(self) -> Iterator[str]:
        yield OUTPUT
        if not self.engine.volumes and self.keeper.files.homes is None:
            yield "folders of homes that the hub does not see"
        if not _ours(self.settings):
            yield "codes where they were printed and deployed from: remove.sh, or the deployment's repository"
        if self.engine.volumes and self.engine.backend == "swarm" and not self.keeper.event.engines:
            yield "volumes of machines other than the manager that was asked: event.engines is not set"

    async def _attest(self) -> dict[str, Any]:
        journal = await self.store.journal()
        counts: dict[str, int] = {}
        for task, (count, _) in journal.items():
            counts[task.step] = counts.get(task.step, 0) + count
        said = {
            "event": self.settings.site.name,
            "address": self.settings.site.url,
            "purged_at": self.now().isoformat(timespec="seconds"),
            "removed": {
                "servers": counts.get("server", 0),
                "volumes": counts.get("volume", 0),
                "files": counts.get("files", 0),
                "accounts": counts.get("account", 0),
                "rows": counts.get("rows", 0),
                "codes": counts.get("code", 0),
            },
            "found_afterwards": await self.traces(),
            "kept": self._kept(),
            "not_covered": list(self._not_covered()),
        }
        path = attestation(self.settings)
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n")
        draft.replace(path)
        return said

    def _papers(self) -> list[Path]:
        """Return the files with codes that are the hub's to remove."""
        return [self.settings.folder / name for name in PRINTED] if _ours(self.settings) else []


def connection_log(settings: Settings) -> ConnectionLog | None:
    """Return the connection log, which the purge leaves until its own end; None where there is none."""
    if settings.event is None or settings.event.connection_log is None:
        return None
    return ConnectionLog(settings.state_folder, settings.event.connection_log.keep)


def attestation(settings: Settings) -> Path:
    """Return where the attestation stands: outside of the database, in the event's folder if that can be written."""
    return (settings.folder if _ours(settings) else settings.state_folder) / ATTESTATION


def _ours(settings: Settings) -> bool:
    return os.access(settings.folder, os.W_OK)


def _set_aside(path: Path) -> None:
    """Keep an earlier attestation beside the one that follows, which replaces it only when all is done again."""
    said = json.loads(path.read_text())["purged_at"].replace(":", "")
    shutil.copyfile(path, path.with_name(f"attestation-{said}.json"))
