"""Weighted rendezvous hashing: every person has her own order of the sites. Pure.

Each pair of person and site has a number u in (0, 1) that depends on nothing else, and the site's score is
``-weight / ln(u)``. The highest score wins: shares follow the weights, and when a site leaves only its own people
move (D. G. Thaler, C. V. Ravishankar 1998; the logarithmic weights are J. Schindelhauer's and G. Schomaker's, 2005).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from hashlib import blake2b


def score(person: str, site: str, weight: float) -> float:
    """Return the score of a site for a person: 0 for a weight of 0, else positive and proportional to the weight."""
    if weight <= 0:
        return 0.0
    digest = blake2b(f"{person}\0{site}".encode(), digest_size=8).digest()
    uniform = ((int.from_bytes(digest, "big") >> 11) + 0.5) / 2**53
    return -weight / math.log(uniform)


def order(person: str, weights: Iterable[tuple[str, float]]) -> list[str]:
    """Return the sites, best first; equal scores are ordered by name."""
    scored = [(-score(person, site, weight), site) for site, weight in weights]
    return [site for _, site in sorted(scored)]
