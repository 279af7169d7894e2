"""The database of every released version comes to the newest one with its data whole, on both databases."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import MetaData, create_engine, make_url, text

from jupytercloud_hub.quotas.ledger import SUMS
from jupytercloud_hub.storage.database import VERSION_TABLE, state, upgrade
from jupytercloud_hub.storage.parts import PARTS

RELEASED = sorted(path for path in (Path(__file__).parent / "upgrade").iterdir() if (path / "sqlite.sql").exists())
GIVEN_UP: dict[str, set[str]] = {}
"""Columns (``table.column``) that a later version dropped on purpose, by the release that still had them."""

Rows = dict[str, list[dict[str, Any]]]


def rows(url: str) -> Rows:
    """Return every table's rows, as the database gives them."""
    engine = create_engine(make_url(url).set(drivername=driver(url)))
    tables = MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        found = {
            name: [dict(row) for row in connection.execute(text(f'SELECT * FROM "{name}"')).mappings()]
            for name in tables.tables
            if name != VERSION_TABLE
        }
    engine.dispose()
    return found


def driver(url: str) -> str:
    return "sqlite" if url.startswith("sqlite") else "postgresql+psycopg"


def load(url: str, release: Path) -> None:
    """Make the database of a release."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(str(make_url(url).database))
        connection.executescript((release / "sqlite.sql").read_text(encoding="utf-8"))
        connection.close()
    else:
        with psycopg.connect(url) as connection:
            connection.execute((release / "postgresql.sql").read_bytes())


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/released.sqlite"
    return str(request.getfixturevalue("postgresql_url"))


@pytest.mark.parametrize("release", RELEASED, ids=lambda path: path.name)
def test_a_released_database_is_upgraded_with_all_its_data(url: str, release: Path) -> None:
    load(url, release)
    before = rows(url)
    assert before, "the dump holds tables"
    assert all(before.values()), "each of them with data"
    for part in PARTS:
        upgrade(url, part)
        assert state(url, part) == "current"
    after = rows(url)
    gone = GIVEN_UP.get(release.name, set())
    for table, old in before.items():
        kept = [{name: value for name, value in row.items() if f"{table}.{name}" not in gone} for row in old]
        assert table in after, f"{table} is gone, and GIVEN_UP does not say so"
        found = [{name: row.get(name) for name in kept[0]} for row in after[table]]
        assert found == kept, table


def test_a_database_of_this_version_has_the_tables_that_its_release_has(tmp_path: Path) -> None:
    """A part that is added without its migration's release being dumped would be upgraded by nobody's test."""
    url = f"sqlite:///{tmp_path}/new.sqlite"
    for part in PARTS:
        upgrade(url, part)
    old = f"sqlite:///{tmp_path}/old.sqlite"
    load(old, RELEASED[0])
    assert set(rows(old)) <= set(rows(url)) | {name.split(".")[0] for name in GIVEN_UP.get(RELEASED[0].name, set())}


def test_the_first_sums_of_months_are_those_of_their_days(url: str) -> None:
    load(url, RELEASED[0])
    upgrade(url, "quotas")
    found = rows(url)
    months: dict[tuple[str, ...], list[int]] = {}
    for row in found["quotas_by_day"]:
        key = (row["hub"], row["kind"], row["name"], f"{row['day']}"[:8] + "01", row["gpu_type"])
        sums = months.setdefault(key, [0] * len(SUMS))
        months[key] = [total + row[name] for total, name in zip(sums, SUMS, strict=True)]
    assert months
    made = {
        (row["hub"], row["kind"], row["name"], f"{row['month']}", row["gpu_type"]): [row[name] for name in SUMS]
        for row in found["quotas_by_month"]
    }
    assert made == months


def test_every_release_has_both_dumps() -> None:
    assert RELEASED[0].name == "0.1.0"
    assert all((path / "postgresql.sql").exists() for path in RELEASED)
