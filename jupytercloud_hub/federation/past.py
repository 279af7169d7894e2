"""The sites' last ninety days, read from the database once in a while, not for every visitor."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from ..storage import Database
from . import registry
from .board import Board
from .history import DAYS
from .registry import Transition

log = logging.getLogger("jupytercloud")

KEPT_SECONDS = 10.0
"""How long what was read is shown before it is read again."""


class Past:
    """Reads and keeps the transitions of all sites."""

    def __init__(self, database: Callable[[], Database], board: Board, now: Callable[[], datetime]) -> None:
        self._database = database
        self._board = board
        self._now = now
        self._read_at = -KEPT_SECONDS
        self._steps: Mapping[str, list[Transition]] | None = None

    async def read(self) -> Mapping[str, list[Transition]] | None:
        """Return the steps by site; None: the database is away."""
        if time.monotonic() - self._read_at < KEPT_SECONDS and self._steps is not None:
            return self._steps
        since = self._now() - timedelta(days=DAYS)
        try:
            async with self._database().session() as session:
                self._steps = await registry.history(session, since, list(self._board.known))
        except Exception as error:
            log.warning("federation: the past days can't be read: %s", error)
            return None
        self._read_at = time.monotonic()
        return self._steps
