"""Notices when the machine's clock was set, so that a server's hour stays an hour.

The wall clock dates what is counted; the monotonic clock, which all processes of a machine share until it is
booted anew, tells how much time has truly passed. Their difference is kept in the ledger. Where it has changed,
what is open is dated anew by as much (`Ledger.shift`): nothing is counted for time that never was, and nothing is
lost while a clock that was set back catches up.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from .ledger import Ledger, moment_of, seconds_of
from .tables import ClockOffset

TOLERANCE = timedelta(seconds=2)
"""Steps up to this are left alone: clocks are slewed, and two readings are never of the same instant."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Return what tells one boot of the machine from the next; the same for all its processes."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return "unknown"


def parent_began(now: datetime) -> datetime:
    """Return when the process that started this one began: the hub, for a service that it manages (Linux only).

    ``now`` where that can't be known.
    """
    try:
        # after the name in brackets, which may hold spaces, the twentieth field is the start: proc(5)
        fields = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()
        age = float(Path("/proc/uptime").read_text().split()[0]) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return now
    return now - timedelta(seconds=max(0.0, age))


class Clock:
    """The time of one service process; every moment that the ledger is told comes from here."""

    def __init__(
        self,
        ledger: Ledger,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        boot: str | None = None,
    ) -> None:
        self._ledger = ledger
        self._now = now
        self._monotonic = monotonic
        self._boot = boot_id() if boot is None else boot
        self._offset: timedelta | None = None

    async def now(self) -> datetime:
        """Return the time; the ledger is dated anew before, if the clock was set since anybody looked."""
        wall = self._now()
        if self._offset is None or abs(self._read(wall) - self._offset) > TOLERANCE:
            await self.keep()
            wall = self._now()
        return wall

    async def keep(self) -> None:
        """Compare the clock with what the ledger knows of it, and note that it was right at this moment."""
        wall = self._now()
        offset = self._read(wall)
        async with self._ledger.writing() as session:
            row = await session.get(ClockOffset, (self._ledger.hub, self._boot))
            if row is None:
                row = ClockOffset(hub=self._ledger.hub, boot=self._boot)
                session.add(row)
            else:
                known = timedelta(milliseconds=row.offset_ms)
                step = offset - known
                if abs(step) > TOLERANCE:
                    right = moment_of(row.right_s)
                    await self._ledger.shift(session, round(step.total_seconds()), right, wall - step)
            row.offset_ms = round(offset.total_seconds() * 1000)
            row.right_s = seconds_of(wall)
        self._offset = offset

    def _read(self, wall: datetime) -> timedelta:
        return wall - datetime.fromtimestamp(0, UTC) - timedelta(seconds=self._monotonic())
