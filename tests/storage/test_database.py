"""The database of a part: migrations that run by themselves, however often, however many at once, killed or not."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import String, create_engine, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError, StatementError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from jupytercloud_hub.storage import Database
from jupytercloud_hub.storage.base import UtcDateTime
from jupytercloud_hub.storage.database import VERSION_TABLE, is_current, state, upgrade
from jupytercloud_hub.storage.parts import PARTS, UpgradeError
from tests.support import ROOT

WITH_TABLES = [part for part in PARTS if (ROOT / "jupytercloud_hub/storage/migrations/versions" / part).is_dir()]


class Tables(DeclarativeBase):
    """Tables of these tests only."""


class Event(Tables):
    __tablename__ = "test_event"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


@pytest.fixture
def sqlite_url(tmp_path) -> str:
    return f"sqlite:///{tmp_path}/deep/state.sqlite"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request) -> str:
    """Both databases that there are."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def make(url):
    made = []

    def database(part: str = "quotas", address: str = url) -> Database:
        made.append(Database(address, part))
        return made[-1]

    return database


async def tables(database: Database) -> set[str]:
    async with database.engine.connect() as connection:
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


def test_there_are_parts_with_tables():
    assert {"federation", "culling", "quotas"} <= set(WITH_TABLES)


async def test_upgrading_makes_the_folder_and_the_tables_and_a_second_time_changes_nothing(make):
    database = make()
    assert not await database.current()
    await database.upgrade()
    first = await tables(database)
    assert await database.current()
    await database.upgrade()
    assert await tables(database) == first
    assert "quotas_interval" in first
    await database.close()


async def test_parts_share_one_file_and_one_version_table_and_upgrade_apart_from_each_other(make):
    quotas, culling = make("quotas"), make("culling")
    await quotas.upgrade()
    assert await quotas.current()
    assert not await culling.current()
    await culling.upgrade()
    assert await quotas.current()
    assert await culling.current()
    names = await tables(culling)
    assert {"quotas_interval", "culling_warning", "jupytercloud_alembic_version"} <= names
    assert "alembic_version" not in names  # JupyterHub's own, were they to share a database


def test_every_table_of_a_part_begins_with_its_name(url):
    Database(url, "quotas")
    for part in WITH_TABLES:
        upgrade(url, part)

    async def names() -> set[str]:
        database = Database(url, "quotas")
        try:
            return await tables(database)
        finally:
            await database.close()

    own = {name for name in asyncio.run(names()) if not name.startswith(("sqlite_", "jupytercloud_alembic"))}
    assert {name for name in own if name.partition("_")[0] not in PARTS} == set()


UPGRADE = """
import sys
from jupytercloud_hub.storage.database import upgrade
from jupytercloud_hub.storage.parts import PARTS
for part in sys.argv[2:]:
    upgrade(sys.argv[1], part)
"""


def test_processes_that_upgrade_at_the_same_moment_all_end_well(url):
    Database(url, "quotas")
    command = [sys.executable, "-c", UPGRADE, url, *WITH_TABLES]
    running = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) for _ in range(4)]
    for process in running:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()[-2000:]
    assert all(is_current(url, part) for part in WITH_TABLES)


KILLED = """
import os, signal, sys
from sqlalchemy import event
from sqlalchemy.engine import Engine
from jupytercloud_hub.storage.database import upgrade

count = 0

@event.listens_for(Engine, "after_cursor_execute")
def die(connection, cursor, statement, *rest):
    global count
    if statement.lstrip().upper().startswith("CREATE TABLE") and "version" not in statement:
        count += 1
        if count == 2:
            print("killed after its second table", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

upgrade(sys.argv[1], "quotas")
"""


def test_an_upgrade_that_is_killed_in_the_middle_leaves_nothing_behind_and_the_next_one_ends_well(url):
    Database(url, "quotas")
    died = subprocess.run(
        [sys.executable, "-c", KILLED, url], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert died.returncode == -signal.SIGKILL
    assert "killed after" in died.stdout

    async def left() -> set[str]:
        database = Database(url, "quotas")
        try:
            return {name for name in await tables(database) if name.startswith("quotas_")}
        finally:
            await database.close()

    assert asyncio.run(left()) == set()
    assert not is_current(url, "quotas")
    upgrade(url, "quotas")
    assert is_current(url, "quotas")


async def test_a_migration_makes_the_tables_that_the_code_declares(make):
    """Alembic compares the models with what its migrations made; a column that one of both lacks is shown."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from jupytercloud_hub.storage import Base

    import_stores()
    for part in WITH_TABLES:
        await make(part).upgrade()
    database = make()

    def differences(connection):
        def ours(name, kind, *rest):
            return kind != "table" or name in Base.metadata.tables

        context = MigrationContext.configure(connection, opts={"include_name": lambda *args: ours(*args)})
        return compare_metadata(context, Base.metadata)

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await database.close()


def import_stores() -> None:
    """Import each module that declares tables on the common base."""
    from importlib import import_module

    for path in sorted((ROOT / "jupytercloud_hub").rglob("*.py")):
        if "__tablename__" in path.read_text() and "migrations" not in path.parts:
            import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


async def test_a_transaction_ends_whole_or_not_at_all(make):
    database = make()
    async with database.engine.begin() as connection:
        await connection.run_sync(Tables.metadata.create_all)

    async def breaks() -> None:
        async with database.session() as session:
            session.add(Event(name="a", at=datetime.now(UTC)))
            await session.flush()
            raise RuntimeError("on the way")

    with pytest.raises(RuntimeError, match="on the way"):
        await breaks()
    async with database.session() as session:
        assert (await session.scalars(select(Event))).all() == []
    await database.close()


async def test_an_error_of_the_database_is_told_without_the_values_of_the_statement(make):
    database = make()
    async with database.engine.begin() as connection:
        await connection.run_sync(Tables.metadata.create_all)
    for _ in range(2):
        try:
            async with database.session() as session:
                session.add(Event(name="anna@univ.example", at=datetime.now(UTC)))
        except SQLAlchemyError as error:
            refused = str(error)
    assert "test_event" in refused
    assert "[SQL parameters hidden" in refused
    await database.close()


async def test_two_transactions_that_read_and_then_write_take_turns_and_lose_nothing(make):
    database = make()
    async with database.session() as session:
        await session.execute(text("CREATE TABLE counter (n INTEGER)"))
        await session.execute(text("INSERT INTO counter VALUES (0)"))

    async def add_one() -> None:
        async with database.session() as session:
            n = await session.scalar(text(f"SELECT n FROM counter {'' if database.is_sqlite else 'FOR UPDATE'}"))
            await asyncio.sleep(0.01)
            await session.execute(text("UPDATE counter SET n = :n"), {"n": n + 1})

    await asyncio.gather(*(add_one() for _ in range(20)))
    async with database.session() as session:
        assert await session.scalar(text("SELECT n FROM counter")) == 20
    await database.close()


async def test_a_time_without_a_zone_is_refused_and_every_other_comes_back_in_utc(make):
    database = make()
    async with database.engine.begin() as connection:
        await connection.run_sync(Tables.metadata.create_all)
    with pytest.raises(StatementError, match="no time zone"):
        async with database.session() as session:
            session.add(Event(name="naive", at=datetime(2026, 11, 20, 12)))
    moment = datetime(2026, 11, 20, 12, tzinfo=timezone(timedelta(hours=1)))
    async with database.session() as session:
        session.add(Event(name="aware", at=moment))
    async with database.session() as session:
        read = await session.scalar(select(Event.at).where(Event.name == "aware"))
    assert read == moment
    assert read.utcoffset() == timedelta(0)
    await database.close()


async def test_sqlite_keeps_to_foreign_keys_and_lets_readers_read_while_one_writes(sqlite_url):
    database = Database(sqlite_url, "quotas")
    async with database.session() as session:
        assert await session.scalar(text("PRAGMA foreign_keys")) == 1
        assert await session.scalar(text("PRAGMA journal_mode")) == "wal"
    await database.close()


async def test_a_database_that_is_away_is_told_when_it_is_asked_and_its_password_never():
    database = Database("postgresql://me:hunter2@127.0.0.1:1/none", "quotas")
    with pytest.raises(SQLAlchemyError) as caught:
        await database.ping()
    assert "hunter2" not in str(caught.value) + database.shown_url
    await database.close()


def test_a_part_that_does_not_exist_is_refused(url):
    with pytest.raises(ValueError, match="quota is not one of"):
        Database(url, "quota")


def test_a_writer_that_was_killed_does_not_block_the_next_one(sqlite_url):
    url = sqlite_url
    upgrade_command = (
        "import sys, time\nfrom sqlalchemy import create_engine\n"
        "c = create_engine(sys.argv[1]).connect()\n"
        "c.connection.dbapi_connection.isolation_level = None\n"
        "c.exec_driver_sql('BEGIN IMMEDIATE')\nprint('holds', flush=True)\ntime.sleep(60)\n"
    )
    Database(url, "quotas")
    holder = subprocess.Popen(
        [sys.executable, "-c", upgrade_command, url], cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True
    )
    assert holder.stdout.readline() == b"holds\n"
    os.killpg(holder.pid, signal.SIGKILL)
    holder.wait()
    begun = time.monotonic()
    upgrade(url, "quotas")
    assert time.monotonic() - begun < 5


def test_asking_how_tables_stand_makes_no_file_and_no_folder(tmp_path):
    assert state(f"sqlite:///{tmp_path}/deep/state.sqlite", "quotas") == "absent"
    assert list(tmp_path.iterdir()) == []


def test_how_tables_stand_is_said_for_each_part_apart(url):
    Database(url, "quotas")
    assert state(url, "quotas") == "absent"
    upgrade(url, "quotas")
    assert (state(url, "quotas"), state(url, "culling")) == ("current", "absent")


def test_tables_that_a_newer_version_upgraded_are_told_as_such(sqlite_url):
    Database(sqlite_url, "quotas")
    upgrade(sqlite_url, "quotas")
    engine = create_engine(sqlite_url)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = 'from_the_future'"))
    engine.dispose()
    assert state(sqlite_url, "quotas") == "newer"


async def test_tables_made_in_a_process_of_their_own_are_the_same_and_a_failure_says_why(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'apart.sqlite'}"
    database = Database(url, "culling")
    await database.upgrade(apart=True)
    assert await database.current()
    await database.close()
    (tmp_path / "apart.sqlite").write_text("this is no database" * 100)
    broken = Database(url, "culling")
    with pytest.raises(UpgradeError, match="not a database"):
        await broken.upgrade(apart=True)
    await broken.close()


async def test_who_only_reads_holds_up_nobody_who_writes(make):
    database = make()
    async with database.session() as session:
        await session.execute(text("CREATE TABLE counter (n INTEGER)"))
        await session.execute(text("INSERT INTO counter VALUES (1)"))
    async with database.reading() as reader:
        assert await reader.scalar(text("SELECT n FROM counter")) == 1
        async with asyncio.timeout(5), database.session() as writer:
            await writer.execute(text("UPDATE counter SET n = 2"))
    async with database.reading() as reader:
        assert await reader.scalar(text("SELECT n FROM counter")) == 2
    await database.close()
