"""Faults that strike at once: of one batch, each at another place, so that none undoes what another did."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from jupytercloud_hub.demo.plan import SITES

from .kinds import KINDS, Fault

PILES: Sequence[Sequence[str]] = (("portal",), ("provider", "person"), ("line",))
"""Places that are one beside the two sites: nothing of one pile meets another of it."""

CORE = frozenset(
    {
        *("the federation service killed", "the portal's proxy killed", "the portal's hub frozen"),
        *("the portal's database locked by somebody else", "disk full under the federation service"),
        "no more file descriptors for the federation service",
        *("heartbeats cut off", "forged heartbeats say that a site is away", "a site cut off from the portal's probes"),
        *("PostgreSQL stopped as by a power cut and started", "PostgreSQL ends all connections"),
        "a route to PostgreSQL lost",
        *("the identity provider killed", "the identity provider frozen", "the provider's keys changed"),
        *("a person's server killed", "a person's server frozen"),
        *("a site's hub killed", "a site's proxy killed", "a site's proxy frozen", "a site's agent killed"),
        *("the quota service killed", "the quota service frozen", "the culler killed"),
        *("all services of a site killed at once", "a site's database locked by somebody else"),
        *("disk full under a site's services", "a site's key changed", "files of the state cut short"),
    }
)
"""At least one kind of each sort, those that take less than a minute: six rounds for each seed. It is what continuous
integration strikes with, and what a long run begins with."""


def batches(seed: int, faults: Iterable[Fault] = tuple(KINDS.values())) -> list[list[Fault]]:
    """Return every fault once, in batches of at most one from each pile and for each site; which meet is the seed's."""
    chance = random.Random(seed)
    mixed = list(faults)
    chance.shuffle(mixed)
    piles = [[fault for fault in mixed if fault.place in places] for places in PILES]
    at_sites = [[fault for fault in mixed if fault.place == site] for site in SITES]
    for fault in mixed:
        if fault.place == "site":
            min(at_sites, key=len).append(fault)
    piles += at_sites
    number = max(map(len, piles), default=0)
    made: list[list[Fault]] = [[] for _ in range(number)]
    for pile in piles:  # a short pile is spread over all batches
        for batch, fault in zip(chance.sample(made, len(pile)), pile, strict=True):
            batch.append(fault)
    return made


def sites_of(faults: Sequence[Fault], chance: random.Random) -> list[str]:
    """Return at which site each fault of a batch strikes; those of other places get any."""
    free = [site for site in SITES if all(fault.place != site for fault in faults)]
    chance.shuffle(free)
    return [
        fault.place if fault.place in SITES else free.pop() if fault.place == "site" else chance.choice(SITES)
        for fault in faults
    ]
