"""The homes on a file system, for ``jupytercloud homes``: listed, packed away, deleted by an operator's hand only."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..contracts.text import Text

HIDDEN_PREFIX = "."


class HomeError(Exception):
    """A home that is not there, or that must not be touched; `text` says why."""

    def __init__(self, text: Text) -> None:
        self.text = text
        super().__init__(str(text))


@dataclass(frozen=True)
class KeptHome:
    """One person's folder."""

    slug: str
    size: int
    """Bytes on disk, of all files."""
    used: datetime
    """When a file in it was last changed, or the folder itself where it is empty."""


def kept(homes: Path) -> list[KeptHome]:
    """Return the homes, the longest unused first. Links are not followed."""
    if not homes.is_dir():
        return []
    found = [_look(entry) for entry in homes.iterdir() if entry.is_dir() and not entry.is_symlink()]
    return sorted((home for home in found if not home.slug.startswith(HIDDEN_PREFIX)), key=lambda home: home.used)


def archive(homes: Path, slug: str, target: Path) -> Path:
    """Pack a home into ``<target>/<slug>-<date of its last use>.tar.gz`` and return that; the home stays.

    Raises `HomeError` where there is no such home, or where the archive is there already.
    """
    home = _home(homes, slug)
    target.mkdir(parents=True, exist_ok=True)
    path = target / f"{slug}-{_look(home).used:%Y%m%d}.tar.gz"
    if path.exists():
        raise HomeError(Text("{path} is there already: nothing was touched", path=str(path)))
    draft = path.with_name(f".{path.name}.new")
    with draft.open("xb") as stream:
        os.fchmod(stream.fileno(), 0o600)
        with tarfile.open(fileobj=stream, mode="w:gz") as tar:
            tar.add(home, arcname=slug)
    draft.rename(path)
    return path


def delete(homes: Path, slug: str) -> None:
    """Delete a home and all that is in it. Raises `HomeError` where there is no such home."""
    shutil.rmtree(_home(homes, slug))


def _home(homes: Path, slug: str) -> Path:
    home = homes / slug
    if "/" in slug or slug.startswith(HIDDEN_PREFIX) or home.is_symlink() or not home.is_dir():
        raise HomeError(Text("there is no home {name} in {folder}", name=slug, folder=str(homes)))
    return home


def _look(home: Path) -> KeptHome:
    size, last = 0, home.stat().st_mtime
    for entry in _files(home):
        status = entry.stat(follow_symlinks=False)
        size += status.st_blocks * 512  # st_blocks counts in units of 512 bytes, whatever the file system
        last = max(last, status.st_mtime)
    return KeptHome(home.name, size, datetime.fromtimestamp(last, UTC))


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path))
            else:
                yield entry
