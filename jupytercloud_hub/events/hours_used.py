"""Counts how long servers run, and how long visitors have one, for the report: sums, and never whose."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from .report import SERVERS, VISITORS
from .store import Store

EVERY = timedelta(minutes=1)
LONGEST_STEP = timedelta(seconds=30)
"""A longer pause between two looks counts as this much: a clock that jumped, or a service that did not run."""


class Hours:
    """Adds up, and writes a row of each kind once a minute; what is lost at a crash is a minute at most."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._last: datetime | None = None
        self._written: datetime | None = None
        self._sums = {VISITORS: 0.0, SERVERS: 0.0}

    async def add(self, now: datetime, visited: Collection[str], servers: Mapping[str, Mapping[str, Any]]) -> None:
        """Count the time since the last look for each server that answers."""
        ready = {account for account, server in servers.items() if server.get("ready")}
        step = min(max(now - self._last, timedelta(0)), LONGEST_STEP) if self._last else timedelta(0)
        self._last = now
        self._sums[SERVERS] += step.total_seconds() * len(ready)
        self._sums[VISITORS] += step.total_seconds() * len(ready & set(visited))
        self._written = self._written or now
        if now - self._written >= EVERY or now < self._written:
            self._written = now
            for what, seconds in self._sums.items():
                if seconds:
                    await self._store.happened(now, what, seconds)
                self._sums[what] = 0.0
