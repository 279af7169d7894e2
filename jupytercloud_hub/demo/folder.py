"""The demo's state folder: whose it is, and how it is emptied."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..contracts.text import Text

MARK = ".jupytercloud-demo"
"""A file that says that a folder is the demo's own: nothing else is ever reset."""
KEPT_BY_RESET = ("node", "npm-cache")


class NotOursError(Exception):
    """The folder holds something else than a demo's state."""

    def __init__(self, text: Text) -> None:
        self.text = text
        super().__init__(str(text))


def claim(state: Path, *, reset: bool) -> None:
    """Make the state folder, or make sure that it is a demo's; with ``reset`` empty it.

    Raises `NotOursError` for a folder with other things in it.
    """
    if state.exists() and not state.is_dir():
        raise NotOursError(Text("{path} is a file; --state takes a folder", path=str(state)))
    if state.is_dir() and any(state.iterdir()) and not (state / MARK).exists():
        raise NotOursError(Text("{path} holds something else than a demo: nothing was touched", path=str(state)))
    state.mkdir(parents=True, exist_ok=True)
    state.chmod(0o700)
    (state / MARK).touch()
    if reset:
        for entry in state.iterdir():
            if entry.name == MARK or entry.name in KEPT_BY_RESET:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
