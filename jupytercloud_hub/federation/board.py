"""What the portal knows of all sites at this moment; everything that learns something new writes here.

One object in one event loop. Routing reads `views`; who wants to know of changes of state gives `on_step`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ..contracts.heartbeat import Heartbeat
from ..contracts.limits import LimitsTold
from ..contracts.text import Localized
from ..settings.federation import FederationSettings, FederationSite
from . import health as rules_of_health
from . import limits
from .health import Health, Order, ProbeResult, Standing
from .model import Failure, Held, SiteState, SiteView
from .registry import Transition


@dataclass
class Known:
    """All that is known of one site."""

    site: FederationSite
    registered: bool = False
    health: Health = field(default_factory=Health)
    heartbeat: Heartbeat | None = None
    orders: tuple[Order, ...] = ()
    shown: Standing = field(default_factory=lambda: Standing(SiteState.UNKNOWN, Health().reason))
    since: datetime | None = None


class Board:
    """The sites and their states."""

    def __init__(
        self,
        settings: FederationSettings,
        now: Callable[[], datetime],
        on_step: Callable[[Transition], None] = lambda step: None,
    ) -> None:
        self._settings = settings
        self._now = now
        self._on_step = on_step
        self.known: dict[str, Known] = {site.name: Known(site) for site in settings.sites}
        self._views: dict[str, SiteView] | None = None
        self._servers: dict[str, list[tuple[Heartbeat, int]]] | None = None
        self.open: dict[str, str] = {}
        """Name → URL of the sites that people can be sent to: all that the shortest way through the portal reads."""

    @property
    def sites(self) -> Mapping[str, FederationSite]:
        """The sites by name."""
        return {name: known.site for name, known in self.known.items()}

    def register(self, sites: list[FederationSite]) -> None:
        """Take the registered sites in, beside those of the settings file, which come first."""
        names = {site.name for site in sites}
        for name in [name for name, known in self.known.items() if known.registered and name not in names]:
            del self.known[name]
        for site in sites:
            known = self.known.get(site.name)
            if known is None:
                self.known[site.name] = Known(site, registered=True)
            elif known.registered and known.site != site:
                moved = known.site.url != site.url or known.site.probe_url != site.probe_url
                self.known[site.name] = Known(site, registered=True) if moved else known
                self.known[site.name].site = site
        self._servers = None
        self.refresh()

    def probed(self, name: str, result: ProbeResult) -> Health | None:
        """Take in what a probe found; return the health after it (None: the site has left)."""
        known = self.known.get(name)
        if known is None:
            return None
        known.health = rules_of_health.after_probe(known.health, result, self._now(), self._settings.health)
        self.refresh()
        return known.health

    def told(self, health: Mapping[str, Health]) -> None:
        """Take in what the replica that probes found."""
        for name, found in health.items():
            known = self.known.get(name)
            if known is not None:
                known.health = found
        self.refresh()

    def heard(self, heartbeat: Heartbeat) -> bool:
        """Take a heartbeat in; return whether the site is worth a probe at once."""
        known = self.known[heartbeat.site]
        if known.heartbeat is not None and heartbeat.sent < known.heartbeat.sent:
            return False  # an older one that was late
        known.heartbeat = heartbeat
        self._servers = None
        self.refresh()
        return rules_of_health.worth_a_look(known.health, heartbeat)

    def held(self, person: str | None) -> tuple[Held, ...]:
        """Return the servers of a person at all sites that share them, stale ones marked; none without identifier."""
        if person is None:
            return ()
        if self._servers is None:
            self._servers = limits.by_person(known.heartbeat for known in self.known.values() if known.heartbeat)
        return limits.held(self._servers.get(person, ()), self._now(), self._settings.health.heartbeat_expires)

    def limits_for(self, site: str) -> LimitsTold:
        """Return what a site is told of the limits over all sites."""
        return limits.told_to(
            site,
            self._settings.limits,
            [known.heartbeat for known in self.known.values() if known.heartbeat],
            {name: view.title for name, view in self.views.items()},
            self._now(),
            self._settings.health.heartbeat_expires,
        )

    def ordered(self, orders: Mapping[str, tuple[Order, ...]]) -> None:
        """Take in what operators ordered, all of it."""
        for name, known in self.known.items():
            known.orders = orders.get(name, ())
        self.refresh()

    def refresh(self) -> None:
        """Work all states out anew: something was learnt, or time passed (orders and heartbeats end)."""
        now = self._now()
        for name, known in self.known.items():
            shown = rules_of_health.standing(known.health, known.heartbeat, known.orders, now, self._settings.health)
            changed = shown.state is not known.shown.state
            known.shown = shown
            if changed or known.since is None:
                known.since = now
            if changed:
                self._on_step(Transition(name, now, shown.state, str(shown.reason)))
        self._views = None
        self.open = {name: known.site.url for name, known in self.known.items() if known.shown.state.routable}

    @property
    def views(self) -> Mapping[str, SiteView]:
        """The sites as routing sees them now."""
        if self._views is None:
            now = self._now()
            self._views = {name: self._view(known, now) for name, known in self.known.items()}
        return self._views

    def _view(self, known: Known, now: datetime) -> SiteView:
        site, beat = known.site, known.heartbeat
        if beat is not None and not rules_of_health.fresh(beat, now, self._settings.health):
            beat = None
        failover = site.failover or self._settings.failover
        told = beat.profiles if beat else None
        profiles = told if told is not None else (site.profiles or None)
        notice = known.shown.notice
        return SiteView(
            name=site.name,
            url=site.url,
            title=site.title or Localized(site.name),
            state=known.shown.state,
            weight=site.weight,
            ramp=rules_of_health.ramp(known.health, now, self._settings.health),
            profiles=None if profiles is None else frozenset(profiles),
            free=dict(beat.free) if beat else {},
            failure=Failure(failover.policy),
            partners=tuple(failover.partners),
            message=notice.message if notice else None,
            until=notice.until if notice else None,
            gpu_profiles=frozenset(beat.gpu_profiles) if beat else frozenset(),
            titles=dict(known.heartbeat.titles) if known.heartbeat else {},
        )
