"""One part's way to its database: asynchronous sessions, and migrations that run by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Select, create_engine, event, make_url, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from .parts import BUSY_MILLISECONDS, PARTS, SQLITE_PRAGMAS, known, upgrade_apart

if TYPE_CHECKING:
    from alembic.config import Config

VERSION_TABLE = "jupytercloud_alembic_version"
PROBE_SECONDS = 3
_READS = "jupytercloud_reads"
_MIGRATION_LOCK = 0x6A757079746572  # any constant: all processes that migrate one PostgreSQL database share it
_MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True)
class ReadPlan:
    """A constant statement as SQLite's driver takes it, and what makes values of what it gives."""

    statement: Select[*tuple[Any, ...]]
    words: str
    processors: tuple[Callable[[Any], Any] | None, ...]


class Database:
    """The tables of one part, in SQLite or PostgreSQL."""

    def __init__(self, url: str, part: str, *, pool_size: int = 5) -> None:
        self.part = known(part)
        self._url = make_url(url)
        if self.is_sqlite and self._url.database:
            Path(self._url.database).parent.mkdir(parents=True, exist_ok=True)
        self.engine = _async_engine(self._url, pool_size)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self._reader: AsyncConnection | None = None
        self._driver: Any = None
        self._opening = asyncio.Lock()
        self._plans: dict[int, ReadPlan] = {}

    @property
    def is_sqlite(self) -> bool:
        """Whether one file holds the database; then one process writes at a time."""
        return self._url.get_backend_name() == "sqlite"

    @property
    def shown_url(self) -> str:
        """The address without its password."""
        return self._url.render_as_string(hide_password=True)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """Give a session in a transaction: committed at the end, rolled back on an exception."""
        async with self._sessions() as session, session.begin():
            yield session

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Give a session that only reads, as of its first question: on SQLite nobody who writes waits for it."""
        async with self._sessions() as session:
            await session.connection(execution_options={_READS: True})
            yield session

    async def first(
        self, statement: Select[*tuple[Any, ...]], values: Mapping[str, str | None]
    ) -> tuple[Any, ...] | None:
        """Return the first row of one small read, outside any transaction.

        On SQLite it goes to the driver at once, on a connection for reading only: a session would begin and end a
        transaction, which takes the file's one write lock and five times the hub's CPU. ``statement`` is a constant
        with named parameters, all of them texts.
        """
        if not self.is_sqlite:
            async with self.engine.connect() as connection:
                row = (await connection.execute(statement, dict(values))).first()
                return None if row is None else tuple(row)
        plan = self._read_plan(statement)
        if self._driver is None:
            self._driver = await self._open_reader()
        rows = await self._driver.execute_fetchall(plan.words, dict(values))
        found = next(iter(rows), None)
        if found is None:
            return None
        return tuple(made(value) if made else value for made, value in zip(plan.processors, found, strict=True))

    def _read_plan(self, statement: Select[*tuple[Any, ...]]) -> ReadPlan:
        plan = self._plans.get(id(statement))
        if plan is None:
            dialect = sqlite.dialect(paramstyle="named")
            types = (column.type.dialect_impl(dialect) for column in statement.selected_columns)
            processors = tuple(kind.result_processor(dialect, None) for kind in types)
            words = str(statement.compile(dialect=dialect))
            plan = self._plans[id(statement)] = ReadPlan(statement, words, processors)
        return plan

    async def _open_reader(self) -> Any:
        """Return the driver's own connection, kept out of the pool until `close`."""
        async with self._opening:
            if self._reader is None:
                self._reader = await self.engine.connect()
            return (await self._reader.get_raw_connection()).driver_connection

    def insert(self, table: type[Any]) -> Any:
        """Return an INSERT of the database's own kind, which knows ``on_conflict_do_nothing`` and ``…_do_update``."""
        if self.is_sqlite:
            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql  # only where it is spoken

        return postgresql.insert(table)

    async def upgrade(self, *, apart: bool = False) -> None:
        """Bring the part's tables to the newest version; nothing happens where they are.

        ``apart``: in a process of its own (`upgrade_apart`). Raises `UpgradeError` where that one failed.
        """
        if apart:
            await upgrade_apart(self._url.render_as_string(hide_password=False), self.part)
        else:
            await asyncio.to_thread(upgrade, self._url, self.part)

    async def current(self) -> bool:
        """Say whether the part's tables are at the newest version."""
        return await asyncio.to_thread(is_current, self._url, self.part)

    async def ping(self) -> None:
        """Ask the database something small. Raises what SQLAlchemy raises when it is away."""
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Give all connections back."""
        reader, self._reader, self._driver = self._reader, None, None
        if reader is not None:
            await reader.close()
        await self.engine.dispose()


def _async_engine(url: URL, pool_size: int) -> AsyncEngine:
    if url.get_backend_name() == "sqlite":
        # SQLite has one writer at a time, and lets who waits try again at random: of fifteen connections some would
        # wait until they give up. Two, one of which `first` may keep to itself; the others wait in the pool's queue.
        engine = create_async_engine(
            url.set(drivername="sqlite+aiosqlite"),
            pool_size=2,
            max_overflow=0,
            pool_timeout=BUSY_MILLISECONDS / 1000,
            hide_parameters=True,
        )
        event.listen(engine.sync_engine, "connect", _sqlite_pragmas)
        event.listen(engine.sync_engine, "begin", _sqlite_begin)
        return engine
    return create_async_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        pool_pre_ping=True,
        pool_timeout=5,
        hide_parameters=True,
    )


def _sqlite_pragmas(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes too late for a read that is followed by a write
    cursor = connection.cursor()
    for pragma in SQLITE_PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_begin(connection: Connection) -> None:
    reads = connection.get_execution_options().get(_READS)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _sync_url(url: URL) -> URL:
    return url.set(drivername="sqlite" if url.get_backend_name() == "sqlite" else "postgresql+psycopg")


def _config(connection: Connection | None = None) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "newline")
    folders = [str(_MIGRATIONS / "versions" / part) for part in PARTS if (_MIGRATIONS / "versions" / part).is_dir()]
    config.set_main_option("version_locations", "\n".join(folders))
    config.attributes["connection"] = connection
    return config


def upgrade(url: URL | str, part: str) -> None:
    """Bring a part's tables to the newest version; of several processes that try at once, one does it."""
    from alembic import command

    address = _sync_url(make_url(url))
    engine = create_engine(address)
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                connection.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                connection.commit()
                connection.connection.dbapi_connection.isolation_level = None  # type: ignore[union-attr]
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            command.upgrade(_config(connection), f"{part}@head")
            connection.exec_driver_sql("COMMIT") if engine.dialect.name == "sqlite" else connection.commit()
    finally:
        engine.dispose()


State = Literal["absent", "old", "current", "newer"]


def state(url: URL | str, part: str) -> State:
    """Say how a part's tables stand; nothing is made where there is no database yet.

    ``newer``: another version of this package, that knew more, has upgraded them.
    """
    address = _sync_url(make_url(url))
    if address.get_backend_name() == "sqlite" and address.database and not Path(address.database).exists():
        return "absent"
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    engine = _probe(address)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
            heads = context.get_current_heads()
    finally:
        engine.dispose()
    script = ScriptDirectory.from_config(_config())
    known = {revision.revision for revision in script.walk_revisions()}
    applied = {
        revision.revision for head in heads if head in known for revision in script.iterate_revisions(head, "base")
    }
    own = [revision.revision for revision in script.iterate_revisions(f"{part}@head", f"{part}@base")]
    if own and own[0] in applied:
        return "current"
    if applied & set(own):
        return "old"
    return "newer" if set(heads) - known else "absent"


def is_current(url: URL | str, part: str) -> bool:
    """Say whether a part's tables are at the newest version."""
    return state(url, part) == "current"


def try_writing(url: URL | str) -> None:
    """Begin a write and take it back. Raises what SQLAlchemy raises where nothing can be written."""
    engine = _probe(_sync_url(make_url(url)))
    try:
        with engine.connect() as connection:
            same = text(f"UPDATE {VERSION_TABLE} SET version_num = version_num WHERE version_num = ''")  # noqa: S608
            connection.execute(same)
            connection.rollback()
    finally:
        engine.dispose()


def _probe(address: URL) -> Engine:
    """Return an engine that waits for nothing longer than a few seconds."""
    if address.get_backend_name() == "sqlite":
        return create_engine(address, connect_args={"timeout": PROBE_SECONDS})
    limits = f"-c statement_timeout={PROBE_SECONDS}s -c lock_timeout={PROBE_SECONDS}s"
    return create_engine(address, connect_args={"connect_timeout": PROBE_SECONDS, "options": limits})


def short(error: SQLAlchemyError) -> str:
    """Return what went wrong in one line, as the database's driver says it."""
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
