"""Visitors' files in folders that the hub sees, and their packed work: made when the event is over, then removed."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..settings import Settings
from ..settings.configure.event import WORK
from ..spawners.base import slug

LARGEST = 50 * 1024**2
"""Bytes of one visitor's work that are packed; a notebook and what it drew is far below."""


class SeatFiles:
    """The files of seats that this machine sees: homes, scratch rooms, logs, packed work."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        state = settings.state_folder.resolve()
        self.local = settings.spawner is None or settings.spawner.backend == "local"
        self.homes = _homes(settings)
        """Pattern of the homes' folders; None where homes are the engine's, or nobody said where they are."""
        self.logs = state / "logs"
        self.scratch = state / "scratch"
        self.work = state / WORK

    def home(self, account: str) -> Path | None:
        """Return the home of an account; None where it is no folder that the hub sees."""
        if self.homes is None:
            return None
        name = slug(account)
        escaped = account.replace("-", "-2d")  # as SwarmSpawner writes names of letters, digits and hyphens
        hub = slug(self._settings.site.name or "hub")
        return Path(self.homes.format(hub=hub, user=name, safe_username=name, username=escaped))

    def places(self, account: str) -> Iterator[Path]:
        """Yield everything that may hold files of an account."""
        name, home = slug(account), self.home(account)
        if home is not None:
            yield home
        if self.local:
            yield from (self.scratch / name, self.logs / f"{name}.log")
        yield self.packed(account)
        yield self._draft(account)

    def packed(self, account: str) -> Path:
        """Return where an account's work stands once it is packed."""
        return self.work / f"{account}.zip"

    def _draft(self, account: str) -> Path:
        return self.packed(account).with_suffix(".new")

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
        if home is None or not home.is_dir():
            return None
        return self.write(account, _made(home))

    def write(self, account: str, made: Iterable[tuple[str, Path | bytes]]) -> Path:
        """Write an account's packed work: pairs of a name and a file or its content."""
        self.work.mkdir(parents=True, exist_ok=True, mode=0o700)
        target = self.packed(account)
        draft = self._draft(account)
        size = 0
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in made:
                length = len(content) if isinstance(content, bytes) else content.stat().st_size
                if size + length > LARGEST:
                    continue
                size += length
                if isinstance(content, bytes):
                    archive.writestr(name, content)
                else:
                    archive.write(content, name)
        draft.chmod(0o600)
        draft.replace(target)
        return target


def _made(home: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(home.rglob("*")):
        inside = path.relative_to(home)
        if path.is_symlink() or not path.is_file() or any(part.startswith(".") for part in inside.parts):
            continue
        if path.resolve().is_relative_to(home.resolve()):
            yield str(inside), path


def _homes(settings: Settings) -> str | None:
    spawner = settings.spawner
    if spawner is None or spawner.backend == "local":
        where = spawner.local if spawner else None
        homes = settings.folder / where.homes if where and where.homes else settings.state_folder.resolve() / "homes"
        return str(homes).replace("{", "{{").replace("}", "}}") + "/{user}"
    home = spawner.kubernetes.home if spawner.backend == "kubernetes" else spawner.swarm and spawner.swarm.home
    return home.made.path if home and home.made else None
