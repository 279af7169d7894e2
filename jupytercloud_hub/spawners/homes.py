"""Homes on a file system that the hub sees: made once, given files, never overwritten, never deleted."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from ..profiles.catalogue import WorkFile


def make_home(home: Path) -> None:
    """Make a home that only its owner's account can enter; one that is there stays as it is."""
    home.parent.mkdir(parents=True, exist_ok=True)
    home.mkdir(mode=0o700, exist_ok=True)


def give_files(home: Path, files: Iterable[WorkFile], root: Path) -> None:
    """Copy what the profile gives into the home, where nothing of that name is there yet.

    Raises FileNotFoundError for a source that the hub does not have.
    """
    inside = home.resolve()
    for file in files:
        source, target = root / file.source, home / file.target
        if target.exists() or target.is_symlink():
            continue
        if not target.parent.resolve().is_relative_to(inside):
            continue  # her own link leads out of her home: nothing of ours goes there
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)
