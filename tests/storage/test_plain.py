"""The plain database keeps no transaction of somebody who went away while she waited for her turn."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from jupytercloud_hub.storage.plain import PlainDatabase


async def test_who_is_cancelled_while_waiting_for_the_write_lock_leaves_no_transaction_behind(tmp_path: Path) -> None:
    path = tmp_path / "culling.sqlite"
    database = PlainDatabase(f"sqlite:///{path}", "culling")
    async with database.transaction() as sql:
        await sql.run("CREATE TABLE seen (name TEXT)")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    async def write() -> None:
        async with database.transaction() as sql:
            await sql.run("INSERT INTO seen VALUES (:name)", name="a")

    waiting = asyncio.create_task(write())
    await asyncio.sleep(0.3)
    waiting.cancel()
    await asyncio.sleep(0.1)
    other.execute("COMMIT")
    await asyncio.gather(waiting, return_exceptions=True)
    await write()
    assert other.execute("SELECT count(*) FROM seen").fetchall() == [(1,)]
    other.close()
    await database.close()
