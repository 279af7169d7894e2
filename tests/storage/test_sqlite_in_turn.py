"""Many at once on SQLite, which has one writer at a time: each gets a turn, and nobody waits until it gives up."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sqlalchemy import text

from jupytercloud_hub.storage import Database

PEOPLE, TIMES = 40, 5


async def test_forty_at_once_write_in_turn_over_two_connections(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/one.sqlite", "auth")
    async with database.session() as session:
        await session.execute(text("CREATE TABLE said (who INTEGER)"))
        await session.commit()
    most = 0

    async def say(who: int) -> None:
        nonlocal most
        for _ in range(TIMES):
            async with database.session() as session:
                await session.execute(text("SELECT count(*) FROM said"))
                await session.execute(text("INSERT INTO said VALUES (:who)"), {"who": who})
                most = max(most, database.engine.pool.checkedout())  # type: ignore[attr-defined]
                await session.commit()

    await asyncio.gather(*map(say, range(PEOPLE)))
    async with database.session() as session:
        assert (await session.execute(text("SELECT count(*) FROM said"))).scalar_one() == PEOPLE * TIMES
    assert most <= 2
    await database.close()
