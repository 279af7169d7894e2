"""What every way to a part's tables shares: the parts, how SQLite is opened, migrations in a process of their own."""

from __future__ import annotations

import asyncio
import sys

PARTS = ("auth", "federation", "culling", "quotas", "events")
BUSY_MILLISECONDS = 10_000
SQLITE_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_MILLISECONDS}")


class UpgradeError(Exception):
    """The tables were not brought to the newest version; says what the other process said."""


def known(part: str) -> str:
    """Return the part's name. Raises `ValueError` for one that there is not."""
    if part not in PARTS:
        raise ValueError(f"{part} is not one of {', '.join(PARTS)}")
    return part


async def upgrade_apart(url: str, part: str) -> None:
    """Bring a part's tables to the newest version in a process of its own, which ends with that.

    One that runs for months does not hold the tools that it needed once (SQLAlchemy, Alembic and its templates).
    Raises `UpgradeError` where it failed.
    """
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "jupytercloud_hub.storage.upgrade", part),
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await child.communicate(url.encode())  # a pipe: every user of the machine can read a command line
    if child.returncode:
        raise UpgradeError(said.decode(errors="replace").strip() or f"status {child.returncode}")
