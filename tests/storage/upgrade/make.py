"""Writes the databases of a release: ``python -m tests.storage.upgrade.make 0.2.0``, before its tag is set.

Two dumps with every table and a row in each: ``sqlite.sql`` and ``postgresql.sql`` (by pg_dump, of the server that the
tests start). They are committed once and never changed: `test_upgrade.py` brings each to the newest version.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Date,
    DateTime,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    create_engine,
    insert,
)
from sqlalchemy.types import TypeEngine

from jupytercloud_hub.storage.database import VERSION_TABLE, upgrade
from jupytercloud_hub.storage.parts import PARTS
from tests.support.postgresql import Postgresql

HERE = Path(__file__).parent


def value(name: str, kind: TypeEngine[Any], number: int) -> Any:
    """Return something that fits a column; texts hold what has gone wrong elsewhere: accents, quotes, a line's end."""
    if isinstance(kind, Boolean):
        return bool(number % 2)
    if isinstance(kind, Integer):
        return number + 1
    if isinstance(kind, Float):
        return number + 0.25
    if isinstance(kind, DateTime):
        return datetime(2026, 11, 20, 17, number % 60, tzinfo=UTC)
    if isinstance(kind, Date):
        return date(2026, 11, 1 + number % 28)
    if isinstance(kind, JSON):
        return [["person", f"é'{number}"]]
    if isinstance(kind, LargeBinary):
        return bytes([number % 256, 0, 255])
    return f"é'{number}\n{name}"[: getattr(kind, "length", None) or 40]


def fill(engine: Engine) -> None:
    """Put a row into every table, those that others refer to first."""
    tables = MetaData()
    tables.reflect(engine)
    with engine.begin() as connection:
        for table in tables.sorted_tables:
            if table.name != VERSION_TABLE:
                row = {c.name: 1 if c.foreign_keys else value(c.name, c.type, n) for n, c in enumerate(table.columns)}
                connection.execute(insert(table).values(row))


def made(url: str, driver: str) -> Engine:
    """Return a database at the newest version, with its rows."""
    for part in PARTS:
        upgrade(url, part)
    engine = create_engine(url.replace("postgresql://", f"{driver}://"))
    fill(engine)
    return engine


def main(version: str) -> None:
    """Write both files; refuses to change those of a release that are there."""
    folder = HERE / version
    folder.mkdir()
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "all.sqlite"
        made(f"sqlite:///{path}", "").dispose()
        connection = sqlite3.connect(path)
        (folder / "sqlite.sql").write_text("\n".join(connection.iterdump()) + "\n", encoding="utf-8")
        connection.close()
    with Postgresql.running() as server, server.database() as url:
        made(url, "postgresql+psycopg").dispose()
        program = shutil.which("pg_dump") or str(sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"))[-1])
        said = subprocess.run(
            [program, "--inserts", "--no-owner", "--no-privileges", url], check=True, capture_output=True, text=True
        ).stdout
        # psql's own commands and the settings of one server's version are no part of the data.
        said = re.sub(r"^(\\.*|SET .*;|SELECT pg_catalog.set_config.*;|--.*)\n", "", said, flags=re.MULTILINE)
        (folder / "postgresql.sql").write_text(re.sub(r"\n{2,}", "\n", said).lstrip(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
