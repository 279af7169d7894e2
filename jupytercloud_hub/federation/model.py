"""What routing reads and says, as frozen records. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ..contracts.heartbeat import RunningServer
from ..contracts.text import Localized, Text


class SiteState(StrEnum):
    """A site's state, as pages, the API and metrics name it."""

    UNKNOWN = "unknown"
    UP = "up"
    DEGRADED = "degraded"
    DRAINING = "draining"
    MAINTENANCE = "maintenance"
    FULL = "full"
    DOWN = "down"

    @property
    def routable(self) -> bool:
        """Whether people may be sent to a site in this state."""
        return self in (SiteState.UP, SiteState.DEGRADED)

    @property
    def reachable(self) -> bool:
        """Whether a server that already runs there can still be used."""
        return self in (SiteState.UP, SiteState.DEGRADED, SiteState.DRAINING, SiteState.FULL)


class Failure(StrEnum):
    """What happens to people at home at a site that is away."""

    WAIT = "wait"
    EMPTY_HOME = "empty-home"
    PARTNER = "partner"


@dataclass(frozen=True)
class SiteView:
    """A site as routing sees it at one moment.

    ``free`` counts free places by profile, with ``"*"`` for the whole site; a profile that is missing has no
    known limit. ``profiles`` is None while nobody has said what the site offers. ``ramp`` goes from 0 to 1 after
    the site came back.
    """

    name: str
    url: str
    title: Localized
    state: SiteState = SiteState.UNKNOWN
    weight: float = 1.0
    ramp: float = 1.0
    profiles: frozenset[str] | None = None
    free: Mapping[str, int] = field(default_factory=dict)
    failure: Failure = Failure.WAIT
    partners: tuple[str, ...] = ()
    message: Localized | None = None
    until: datetime | None = None
    gpu_profiles: frozenset[str] = frozenset()
    titles: Mapping[str, Localized] = field(default_factory=dict)

    def profile_title(self, profile: str) -> Localized:
        """What people read for a profile's name here."""
        return self.titles.get(profile) or Localized(profile)

    def offers(self, profile: str) -> bool:
        """Whether the profile is, or may be, offered here."""
        return self.profiles is None or profile in self.profiles

    def room(self, profile: str | None = None) -> int | None:
        """Free places for a profile, or for anything; None where there is no known limit."""
        limits = [self.free[key] for key in ("*", profile) if key is not None and key in self.free]
        return min(limits) if limits else None

    def share(self, profile: str | None = None) -> float:
        """Weight in rendezvous hashing: free places where they are known, else the configured weight."""
        room = self.room(profile)
        return max((self.weight if room is None else float(room)) * self.ramp, 0.0)


@dataclass(frozen=True)
class Held:
    """A server that a person has at a site, as the site told it at ``known``; a stale one may be gone."""

    site: str
    server: RunningServer
    known: datetime
    stale: bool = False


class Outcome(StrEnum):
    """What becomes of a request; ``status`` of the page that is not a redirect."""

    GO = "go"
    OTHER_SITE = "other-site"
    CHOOSE = "choose"
    NOT_ALLOWED = "not-allowed"
    UNKNOWN_SITE = "unknown-site"
    NO_PROFILE = "no-profile"
    LIMITED = "limited"
    AWAY = "away"
    NONE_LEFT = "none-left"

    @property
    def status(self) -> int:
        """HTTP status of the answer."""
        return _STATUS[self]


_STATUS = {
    Outcome.GO: 302,
    Outcome.OTHER_SITE: 200,
    Outcome.CHOOSE: 200,
    Outcome.NOT_ALLOWED: 403,
    Outcome.UNKNOWN_SITE: 404,
    Outcome.NO_PROFILE: 404,
    Outcome.LIMITED: 409,
    Outcome.AWAY: 503,
    Outcome.NONE_LEFT: 503,
}


@dataclass(frozen=True)
class Decision:
    """Where a person is sent, or why nowhere, and for each other site why not there.

    ``site`` is the site decided on: to go to (GO), offered (OTHER_SITE) or waited for (AWAY). ``choices`` are sites
    to choose from on a page, best first. ``sets_home`` asks the caller to make ``site`` the home site;
    ``open`` are the sites that the rules allow and that are up. ``held`` are the servers at other sites for which a
    limit over all sites (LIMITED) lets no further one be started.
    """

    outcome: Outcome
    reason: Text
    site: str | None = None
    others: Mapping[str, Text] = field(default_factory=dict)
    choices: tuple[str, ...] = ()
    sets_home: bool = False
    home: str | None = None
    open: frozenset[str] = frozenset()
    held: tuple[Held, ...] = ()
