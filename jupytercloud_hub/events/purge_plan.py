"""What has to go when an event is over, step by step, so that it can go on after any interruption. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

Step = Literal["server", "volume", "files", "account", "rows", "code"]
SEAT_STEPS: tuple[Step, ...] = ("server", "volume", "files", "account", "rows")
"""In this order for each seat: files go after what writes them, rows after what may still make some."""


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to remove; doing it twice does no harm."""

    step: Step
    subject: str
    """Name of the account; for codes, which go all at once, ``*``."""


ALL_CODES = Task("code", "*")


def tasks(accounts: Iterable[str], done: Collection[Task]) -> list[Task]:
    """Return what is left to do: everything of one account before the next, the codes last.

    Codes are what a visitor's work is given out by: while they are there, an interrupted purge is seen as one.
    """
    wanted = [Task(step, account) for account in sorted(accounts) for step in SEAT_STEPS]
    return [task for task in [*wanted, ALL_CODES] if task not in done]
