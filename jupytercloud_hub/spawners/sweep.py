"""What an engine holds that the hub knows nothing of: left behind when a hub was killed in the middle of a start.

Engines are listed first and the hub is asked afterwards: whatever is started in between is not in the list, and
what the hub knows is never an orphan. Homes are nothing that a sweep touches.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from ..contracts.text import Text

Owner = tuple[str, str]
"""Slugs of a user and of a server (empty for the default one), as the labels have them."""


@dataclass(frozen=True)
class Held:
    """One server's thing at an engine: a service, a pod."""

    name: str
    user: str
    """Slug of the user, as the label has it."""
    server: str
    """Slug of the server; empty for the default one."""
    profile: str
    made: datetime
    state: Text

    @property
    def owner(self) -> Owner:
        """Whose it is: slugs of the user and of the server."""
        return self.user, self.server


class Engine(Protocol):
    """What a sweep asks of an engine."""

    async def held(self) -> Sequence[Held]:
        """Return everything with the labels of this hub."""

    async def remove(self, name: str) -> None:
        """Remove one of them; that it is gone already is no error."""


def orphans(held: Iterable[Held], known: Iterable[Owner], now: datetime, grace: timedelta) -> list[Held]:
    """Return what no server of the hub accounts for, and is older than ``grace``.

    ``known``: the hub's servers, of those that run, start and stop. Where an engine holds several for one server, as
    processes have no name of their own, the hub's is the newest: it starts none while it knows of another.
    """
    owners, things = frozenset(known), list(held)
    newest = {thing.owner: thing for thing in sorted(things, key=lambda thing: thing.made)}
    return [
        thing
        for thing in things
        if (thing.owner not in owners or thing is not newest[thing.owner]) and now - thing.made > grace
    ]
