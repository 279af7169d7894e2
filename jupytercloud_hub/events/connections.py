"""The connection log, for those whom the law asks for one: apart from everything else, with an end of its own.

Off unless ``event.connection_log`` is there. A file for each day (UTC) in ``state/connections``, for the hub's account
alone; a line for each time that a code opened a seat: when, from which address, which seat, and the beginning of the
code's keyed hash, by which two uses of one code are seen to be one person's. No name, for nobody is asked for any.
The purge leaves these files; each goes when it is as old as the setting says.
"""

from __future__ import annotations

import json
import os
from datetime import date, datetime, timedelta
from pathlib import Path

FOLDER = "connections"
HASH_LETTERS = 12


class ConnectionLog:
    """The files of one event."""

    def __init__(self, state: Path, keep: timedelta) -> None:
        self.folder, self.keep = state / FOLDER, keep

    def note(self, now: datetime, address: str, account: str, digest: str) -> None:
        """Add a line; it is on the disk when this returns."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        line = {
            "at": now.isoformat(timespec="seconds"),
            "address": address,
            "account": account,
            "code": digest[:HASH_LETTERS],
        }
        file = os.open(self.folder / f"{now.date()}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(file, (json.dumps(line) + "\n").encode())
            os.fsync(file)
        finally:
            os.close(file)

    def days(self) -> list[date]:
        """Return the days of which there is a file, in order."""
        return sorted(date.fromisoformat(path.stem) for path in self.folder.glob("????-??-??.jsonl"))

    def ends(self) -> date | None:
        """Return the day on which the last file goes; None where there is none."""
        days = self.days()
        return days[-1] + self.keep if days else None

    def prune(self, now: datetime) -> int:
        """Remove the files that are old enough; return how many."""
        old = [day for day in self.days() if day + self.keep <= now.date()]
        for day in old:
            (self.folder / f"{day}.jsonl").unlink(missing_ok=True)
        return len(old)
