"""Faults that strike at once: of one batch, each at another place, so that none undoes what another did."""

from __future__ import annotations

import random
from collections.abc import Iterable

from .kinds import KINDS, Fault

PLACES = ("portal", "site", "line")


def place(fault: Fault) -> str:
    """Return where a fault strikes: at the portal and what it stands on, at a site, or on a line between machines."""
    if any(word in fault.name for word in ("PostgreSQL", "heartbeats", "probes", "line", "cut off")):
        return "line"
    return "portal" if any(word in fault.name for word in ("portal", "federation", "provider", "session")) else "site"


def batches(seed: int, faults: Iterable[Fault] = tuple(KINDS.values())) -> list[list[Fault]]:
    """Return every fault once, in batches of one from each place; which ones meet is the seed's."""
    chance = random.Random(seed)
    piles: dict[str, list[Fault]] = {name: [] for name in PLACES}
    for fault in faults:
        piles[place(fault)].append(fault)
    for pile in piles.values():
        chance.shuffle(pile)
    made = []
    while any(piles.values()):
        made.append([pile.pop() for pile in piles.values() if pile])
    return made
