"""Room on the disks that the hub writes to, and whether it can write there at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from ...contracts.finding import Finding
from ...contracts.text import Text
from ...contracts.units import format_bytes
from ...settings import Settings
from .look import Look

AREA = "disk"
LITTLE, VERY_LITTLE = 2 * 1024**3, 256 * 1024**2
"""Bytes free below which it is a warning, an error."""
SHARE = 0.05
"""Of the disk or of its inodes: less than this is a warning."""


async def look(at: Look) -> list[Finding]:
    """Return what is found about the folders of state, homes and database."""
    seen: set[int] = set()
    found: list[Finding] = []
    for key, folder in _folders(at.settings):
        found += _one(key, folder, seen)
    return found


def _folders(settings: Settings) -> Iterator[tuple[str, Path]]:
    yield "site.state", settings.state_folder
    local = settings.spawner.local.homes if settings.spawner and settings.spawner.backend == "local" else None
    if local:
        yield "spawner.local.homes", settings.folder / local
    try:
        url = make_url(settings.database_url("quotas"))
    except (ArgumentError, OSError):
        return  # told by the area of the database
    if url.get_backend_name() == "sqlite" and url.database:
        yield "database.url", Path(url.database).parent


def _one(key: str, folder: Path, seen: set[int]) -> Iterator[Finding]:
    try:
        there = next(each for each in (folder, *folder.parents) if each.exists())
        device, room = there.stat().st_dev, os.statvfs(there)
    except OSError as error:
        what = Text("{key}: {path} can't be looked at: {error}", key=key, path=str(folder), error=error.strerror or "")
        yield Finding(AREA, "skipped", what, Text("Run this as the hub's own account on its machine."))
        return
    if not os.access(there, os.W_OK | os.X_OK):
        what = Text("{key}: this account can't write in {path}", key=key, path=str(there))
        mend = Text(
            "Run this as the hub's own account; if it is, give it the folder: chown -R ACCOUNT {path}", path=there
        )
        yield Finding(AREA, "error", what, mend, Text("nothing that the hub has to keep is kept"))
    if device in seen:
        return
    seen.add(device)
    free = room.f_bavail * room.f_frsize
    share = room.f_bavail / room.f_blocks if room.f_blocks else 1.0
    names = room.f_favail / room.f_files if room.f_files else 1.0
    what = Text(
        "{free} free on the disk of {path} ({percent} %)",
        free=format_bytes(free),
        path=str(there),
        percent=round(share * 100),
    )
    if names < SHARE:
        what = Text(
            "the disk of {path} has room for few files more ({percent} % of its inodes)",
            path=str(there),
            percent=round(names * 100),
        )
    elif free >= LITTLE and share >= SHARE:
        yield Finding(AREA, "ok", what)
        return
    mend = Text(
        "See what takes the room: du -xh --max-depth 2 {path} | sort -h | tail; then move it or get more.",
        path=str(there),
    )
    why = Text("a full disk stops logins, the ledger and people's work")
    yield Finding(AREA, "error" if free < VERY_LITTLE or names < SHARE / 5 else "warning", what, mend, why)
