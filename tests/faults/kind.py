"""What a kind of fault is: where it strikes, what may end with it, and how it is put into the table."""

from __future__ import annotations

import random
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from .topology import World

Place = Literal["portal", "site", "grenoble", "paris-saclay", "provider", "person", "line"]
"""Where a kind strikes: ``site`` at either of the two, ``person`` at somebody's server, ``line`` between machines."""


@dataclass(frozen=True)
class Aim:
    """What a fault is aimed at; kinds of the place ``site`` strike at the one that the round chose."""

    world: World
    chance: random.Random
    site: str

    @property
    def hub(self) -> subprocess.Popen[bytes]:
        """The process of the site's hub."""
        return self.world.processes[self.site]


Steps = Callable[[Aim], AsyncIterator[None]]
"""Strikes, yields, mends."""
Victim = Callable[[Aim], int]
"""Chooses a process."""


@dataclass(frozen=True)
class Fault:
    """One kind of fault."""

    name: str
    place: Place
    strike: Callable[[Aim], AbstractAsyncContextManager[object]]
    kills: Literal["nothing", "one server", "the site's servers"] = "nothing"
    """People's servers that end with it; all others have to go on."""
    nobody_answers: bool = False
    """Connections to its place may be refused meanwhile: what would answer is what was ended, or a hub that starts
    again starts its proxy anew too."""

    def silences(self, site: str) -> str:
        """Return the hub or provider that may refuse connections, empty where all have to be taken."""
        return (site if self.place == "site" else self.place) if self.nobody_answers else ""


KINDS: dict[str, Fault] = {}


def fault(
    name: str,
    place: Place,
    *,
    kills: Literal["nothing", "one server", "the site's servers"] = "nothing",
    nobody_answers: bool = False,
) -> Callable[[Steps], None]:
    """Put a fault into the table; what stands before its ``yield`` strikes, what follows mends."""

    def put(strike: Steps) -> None:
        assert name not in KINDS, name
        KINDS[name] = Fault(name, place, asynccontextmanager(strike), kills, nobody_answers)

    return put
