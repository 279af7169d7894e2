"""Limits over all sites of a federation, such as one GPU server per person: how they count, and what sites are told.

The portal applies them where it sends people; a site's admission applies them where portal and site both switched
it on. They are advisory: two starts at two sites within one heartbeat both get through, and nothing is refused by
what is not known, or not known any more. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, Field

from .model import Model
from .patterns import matches
from .text import Localized

MOST_TOLD = 5000
"""Persons' counts that one answer holds at most."""


class SharedLimit(Model):
    """How many servers of a kind one person may have at once, over all sites together."""

    name: str = Field(min_length=1, max_length=80)
    """Short name, shown where the limit speaks."""
    title: Localized | None = None
    """What people read: ``{fr: un serveur avec GPU, en: one GPU server}``; without it the short name."""
    most: int = Field(ge=1, le=1000)
    """Servers at once that are allowed."""
    gpu: bool = False
    """Count servers that hold a GPU only."""
    profiles: tuple[str, ...] = ()
    """Count servers of these profiles only (patterns); empty: of all."""

    def counts(self, profile: str, gpu: bool) -> bool:
        """Whether a server of this profile, with or without a GPU, counts."""
        return (gpu or not self.gpu) and (
            not self.profiles or any(matches(pattern, profile) for pattern in self.profiles)
        )

    @property
    def shown(self) -> Localized:
        """The title, or the short name."""
        return self.title or Localized(self.name)


class Elsewhere(Model):
    """Servers of one person at one other site that a limit counts."""

    limit: Annotated[str, Field(max_length=80)]
    """The limit's name."""
    who: Annotated[str, Field(max_length=64)]
    """`mark` of the person for the site that is told: it recognises its own people and learns of nobody else."""
    site: Localized
    """Title of the other site."""
    count: int = Field(ge=1)
    """Servers."""
    known: AwareDatetime
    """When the other site said so."""


class LimitsTold(Model):
    """What the portal tells a site in its answer to a heartbeat, believed until ``until``."""

    told: AwareDatetime
    """When the portal said it."""
    until: AwareDatetime
    """From then on it is stale, and nothing is refused by it."""
    limits: tuple[SharedLimit, ...] = ()
    """The limits in force."""
    elsewhere: Annotated[tuple[Elsewhere, ...], Field(max_length=MOST_TOLD)] = ()
    """What people have at other sites."""

    def holds(self, now: datetime) -> bool:
        """Whether it is still believed."""
        return now < self.until


class Reached(Model):
    """A limit that one more server would break: what counts elsewhere, and how many count here."""

    limit: SharedLimit
    elsewhere: tuple[Elsewhere, ...]
    here: int

    @property
    def count(self) -> int:
        """Servers that count, here and elsewhere."""
        return self.here + sum(each.count for each in self.elsewhere)


def mark(site: str, person: str) -> str:
    """Return how the portal names a person to a site: whoever does not know the identifier can't read it."""
    return hashlib.sha256(f"jupytercloud limits\0{site}\0{person}".encode()).hexdigest()


def reached(
    told: LimitsTold,
    site: str,
    person: str,
    profile: str,
    gpu: bool,
    here: Iterable[tuple[str, bool]],
) -> Reached | None:
    """Return the first limit that one more server at ``site`` would break; None: none.

    ``here`` are her servers at the site itself: profile, and whether it holds a GPU.
    """
    who, own = mark(site, person), list(here)
    for limit in told.limits:
        if not limit.counts(profile, gpu):
            continue
        found = tuple(each for each in told.elsewhere if each.who == who and each.limit == limit.name)
        candidate = Reached(limit=limit, elsewhere=found, here=sum(limit.counts(*server) for server in own))
        if candidate.count >= limit.most:
            return candidate
    return None
