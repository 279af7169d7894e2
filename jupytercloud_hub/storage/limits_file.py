"""What the portal told this site of the limits over all sites: the agent writes it, the site's admission reads it."""

from __future__ import annotations

import logging
from pathlib import Path

from pydantic import ValidationError

from ..contracts.limits import LimitsTold

NAME = "limits-over-all-sites.json"
log = logging.getLogger("jupytercloud")


def write_limits(folder: Path, told: LimitsTold) -> None:
    """Keep what was told, in one step, so that a reader never sees half of it; only the owner reads it."""
    draft = folder / f".{NAME}.new"
    draft.touch(mode=0o600)
    draft.write_text(told.model_dump_json())
    draft.replace(folder / NAME)


def forget_limits(folder: Path) -> None:
    """Nothing is told any more."""
    (folder / NAME).unlink(missing_ok=True)


class LimitsFile:
    """Reads the file again only when it has changed."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._read: tuple[tuple[int, int], LimitsTold | None] | None = None

    def told(self) -> LimitsTold | None:
        """Return what the portal told last, however old; None where it told nothing, or it can't be read."""
        try:
            stat = self._path.stat()
            version = (stat.st_mtime_ns, stat.st_ino)
            if self._read is None or self._read[0] != version:
                self._read = version, LimitsTold.model_validate_json(self._path.read_text())
        except FileNotFoundError:
            self._read = None
        except (OSError, ValidationError) as error:
            log.error("%s can't be read: %s", self._path, error)
            return None
        return self._read[1] if self._read else None
