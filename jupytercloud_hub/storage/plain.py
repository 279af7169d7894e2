"""One part's tables in plain SQL, for a process that is to stay small: SQLAlchemy takes 25 MiB of one.

The same databases and migrations as `Database`, and values in the same form. Statements are written for SQLite and
PostgreSQL alike; ``:name`` stands for a value. Times are aware; lists and dictionaries are kept as JSON.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from .parts import SQLITE_PRAGMAS, known, upgrade_apart

CONNECT_SECONDS = 5
LONGEST_SECONDS = 30.0
"""How long one transaction may take, waiting for its turn included."""
_VALUE = re.compile(r":(\w+)")


class Transaction(Protocol):
    """The statements of one transaction."""

    async def rows(self, words: str, **values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a SELECT."""
        ...

    async def run(self, words: str, **values: Any) -> int:
        """Change something; return how many rows."""
        ...

    async def many(self, words: str, each: Iterable[Mapping[str, Any]]) -> None:
        """Run one statement with many values."""
        ...


class PlainDatabase:
    """A part's database over one connection: a transaction waits until the one before it is over.

    `transaction` raises what the driver raises, and `TimeoutError` after `LONGEST_SECONDS`.
    """

    def __init__(self, url: str, part: str) -> None:
        self.part = known(part)
        self._url = url
        self._alone = asyncio.Lock()
        self._driver: _Sqlite | _Postgresql = _Sqlite(url) if url.startswith("sqlite") else _Postgresql(url)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Give a transaction: committed at the end, rolled back on an exception."""
        async with asyncio.timeout(LONGEST_SECONDS), self._alone, self._driver.transaction() as found:
            yield found

    async def upgrade(self) -> None:
        """Bring the part's tables to the newest version, in a process of its own. Raises `UpgradeError`."""
        await upgrade_apart(self._url, self.part)

    async def close(self) -> None:
        """Give the connection back."""
        async with self._alone:
            await self._driver.close()


def moment(value: Any) -> datetime:
    """Return the aware time that a column holds; SQLite keeps it as a text in UTC."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return value.astimezone(UTC)  # type: ignore[no-any-return]


def document(value: Any) -> Any:
    """Return the lists and dictionaries that a JSON column holds; SQLite keeps them as a text."""
    return json.loads(value) if isinstance(value, str) else value


class _Sqlite:
    def __init__(self, url: str) -> None:
        self._path = Path(url.partition(":///")[2])
        self._path.parent.mkdir(parents=True, exist_ok=True)  # before the tables are made, by whoever does
        self._connection: Any = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        if self._connection is None:
            self._connection = await self._open()
        try:  # a BEGIN that is cancelled while it waits still begins, in the driver's thread
            await self._connection.execute("BEGIN IMMEDIATE")
            yield self
        except BaseException:
            await self._connection.rollback()  # nothing where nothing began
            raise
        await self._connection.execute("COMMIT")

    async def _open(self) -> Any:
        import aiosqlite

        connection = await aiosqlite.connect(self._path, isolation_level=None)
        for pragma in SQLITE_PRAGMAS:
            await connection.execute(f"PRAGMA {pragma}")
        return connection

    async def rows(self, words: str, **values: Any) -> list[tuple[Any, ...]]:
        return list(await self._connection.execute_fetchall(words, _as_sqlite(values)))

    async def run(self, words: str, **values: Any) -> int:
        async with self._connection.execute(words, _as_sqlite(values)) as cursor:
            return int(cursor.rowcount)

    async def many(self, words: str, each: Iterable[Mapping[str, Any]]) -> None:
        await self._connection.executemany(words, [_as_sqlite(values) for values in each])

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


class _Postgresql:
    def __init__(self, url: str) -> None:
        self._url = re.sub(r"^postgresql\+\w+:", "postgresql:", url)
        self._connection: Any = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        if self._connection is None or not await self._answers():
            self._connection = await self._open()
        async with self._connection.transaction():
            yield self

    async def _open(self) -> Any:
        from psycopg import AsyncConnection  # only where it is spoken

        return await AsyncConnection.connect(self._url, autocommit=True, connect_timeout=CONNECT_SECONDS)

    async def _answers(self) -> bool:
        """Say whether the connection outlived what happened since: a database that was restarted is no error."""
        from psycopg import OperationalError

        try:
            await self._connection.execute("SELECT 1")
        except OperationalError:
            await self._connection.close()
            return False
        return True

    async def rows(self, words: str, **values: Any) -> list[tuple[Any, ...]]:
        return list(await (await self._connection.execute(_as_psycopg(words), _as_json(values))).fetchall())

    async def run(self, words: str, **values: Any) -> int:
        return int((await self._connection.execute(_as_psycopg(words), _as_json(values))).rowcount)

    async def many(self, words: str, each: Iterable[Mapping[str, Any]]) -> None:
        async with self._connection.cursor() as cursor:
            await cursor.executemany(_as_psycopg(words), [_as_json(values) for values in each])

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


@cache
def _as_psycopg(words: str) -> str:
    return _VALUE.sub(r"%(\1)s", words)


def _as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in values.items()}


def _as_sqlite(values: Mapping[str, Any]) -> dict[str, Any]:
    plain = _as_json(values).items()
    return {name: _text(value) if isinstance(value, datetime) else value for name, value in plain}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    return json.dumps(value) if isinstance(value, dict | list | tuple) else value


def _text(value: datetime) -> str:
    """Return a time as SQLAlchemy writes it to SQLite, so that both read each other's."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
