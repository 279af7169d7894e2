"""Visitors' files on a local backend: packed when the event is over, removed by reset and purge."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

from ..settings import Settings
from ..settings.configure.event import WORK
from ..spawners.base import slug

LARGEST = 50 * 1024**2
"""Bytes of one visitor's work that are packed; a notebook and what it drew is far below."""


class SeatFiles:
    """The files of seats on this machine: homes, scratch rooms, logs, packed work."""

    def __init__(self, settings: Settings) -> None:
        where = settings.spawner.local if settings.spawner else None
        state = settings.state_folder.resolve()
        self.here = settings.spawner is None or settings.spawner.backend == "local"
        """Whether homes are folders of this machine: on engines they are volumes, which this does not touch."""
        self.homes = settings.folder / where.homes if where and where.homes else state / "homes"
        self.logs = state / "logs"
        self.scratch = state / "scratch"
        self.work = state / WORK

    def home(self, account: str) -> Path:
        """Return the home of an account."""
        return self.homes / slug(account)

    def places(self, account: str) -> Iterator[Path]:
        """Yield everything that may hold files of an account."""
        name = slug(account)
        if self.here:
            yield from (self.homes / name, self.scratch / name, self.logs / f"{name}.log")
        yield self.work / f"{account}.zip"

    def count(self, account: str) -> int:
        """Return how many files there are of an account."""
        return sum(
            sum(1 for one in place.rglob("*") if not one.is_dir()) if place.is_dir() else place.exists()
            for place in self.places(account)
        )

    def remove(self, account: str) -> None:
        """Remove all of them; nothing is left to remove the second time."""
        for place in self.places(account):
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            else:
                place.unlink(missing_ok=True)

    def pack(self, account: str) -> Path | None:
        """Pack what a visitor made (nothing hidden, no links out of the home) and return the file; None for nothing."""
        home = self.home(account)
        if not self.here or not home.is_dir():
            return None
        self.work.mkdir(parents=True, exist_ok=True, mode=0o700)
        target = self.work / f"{account}.zip"
        draft = target.with_suffix(".new")
        size = 0
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(home.rglob("*")):
                inside = path.relative_to(home)
                if path.is_symlink() or not path.is_file() or any(part.startswith(".") for part in inside.parts):
                    continue
                if not path.resolve().is_relative_to(home.resolve()) or size + path.stat().st_size > LARGEST:
                    continue
                size += path.stat().st_size
                archive.write(path, str(inside))
        draft.chmod(0o600)
        draft.replace(target)
        return target
