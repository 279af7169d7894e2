"""Limits over all sites at the portal: whose servers count, what routing says, what sites are told. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from ..contracts.heartbeat import Heartbeat
from ..contracts.limits import MOST_TOLD, Elsewhere, LimitsTold, SharedLimit, mark
from ..contracts.text import Localized
from .model import Held

SHOWN = timedelta(days=1)
"""How long servers are shown that a site told of and that it does not tell of any more."""


def by_person(beats: Iterable[Heartbeat]) -> dict[str, list[tuple[Heartbeat, int]]]:
    """Return where each person's servers stand: heartbeat, place in its ``servers``."""
    found: dict[str, list[tuple[Heartbeat, int]]] = {}
    for beat in beats:
        for place, server in enumerate(beat.servers or ()):
            found.setdefault(server.person, []).append((beat, place))
    return found


def held(places: Iterable[tuple[Heartbeat, int]], now: datetime, believed: timedelta) -> tuple[Held, ...]:
    """Return a person's servers as they are known now; those told longer ago than ``believed`` are stale."""
    return tuple(
        Held(beat.site, (beat.servers or ())[place], beat.sent, now - beat.sent >= believed)
        for beat, place in places
        if now - beat.sent < SHOWN
    )


def exceeded(
    limits: Sequence[SharedLimit], profile: str, gpu: bool, servers: Iterable[Held], site: str
) -> tuple[SharedLimit, tuple[Held, ...]] | None:
    """Return the first limit that a new server of ``profile`` at ``site`` would break, with the servers that count.

    Stale ones do not count. Who has such a server at ``site`` itself is on her way to it, and is let through.
    """
    fresh = [server for server in servers if not server.stale]
    for limit in limits:
        if not limit.counts(profile, gpu):
            continue
        counted = tuple(one for one in fresh if limit.counts(one.server.profile, one.server.gpu > 0))
        if len(counted) >= limit.most and all(one.site != site for one in counted):
            return limit, counted
    return None


def told_to(
    site: str,
    limits: Sequence[SharedLimit],
    beats: Iterable[Heartbeat],
    titles: Mapping[str, Localized],
    now: datetime,
    believed: timedelta,
) -> LimitsTold:
    """Return what ``site`` is told: the limits, and who has counted servers at other sites that share them."""
    counted: Counter[tuple[str, str, str, datetime]] = Counter()
    for beat in beats:
        if beat.site == site or now - beat.sent >= believed:
            continue
        for server in beat.servers or ():
            for limit in limits:
                if limit.counts(server.profile, server.gpu > 0):
                    counted[limit.name, server.person, beat.site, beat.sent] += 1
    elsewhere = tuple(
        Elsewhere(
            limit=limit, who=mark(site, person), site=titles.get(other, Localized(other)), count=count, known=known
        )
        for (limit, person, other, known), count in counted.most_common(MOST_TOLD)
    )
    return LimitsTold(told=now, until=now + believed, limits=tuple(limits), elsewhere=elsewhere)
