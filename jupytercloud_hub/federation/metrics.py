"""Every metric of the federation service. Labels are sites, states and reasons: never a person."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from .model import SiteState


class FederationMetrics:
    """The metrics of one service process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._shortcuts: dict[str, Counter] = {}
        self._shown: dict[str, SiteState] = {}
        self.decisions = Counter(
            "jupytercloud_federation_decisions_total",
            "Links decided on, by outcome and site (empty where there is none)",
            ["outcome", "site"],
            registry=registry,
        )
        self.shortcuts = Counter(
            "jupytercloud_federation_shortcut_redirects_total",
            "Redirects to a home site by the signed cookie alone, without database or hub",
            ["site"],
            registry=registry,
        )
        self.refused_links = Counter(
            "jupytercloud_federation_refused_links_total", "Links that are not followed (400)", registry=registry
        )
        self.site_state = Gauge(
            "jupytercloud_federation_site_state",
            "1 for the state that a site is in",
            ["site", "state"],
            registry=registry,
        )
        self.probe_seconds = Histogram(
            "jupytercloud_federation_probe_seconds",
            "Time that a probe took",
            ["site", "result"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5),
            registry=registry,
        )
        self.decision_seconds = Histogram(
            "jupytercloud_federation_decision_seconds",
            "Time from a link's arrival to its answer, shortcuts not counted",
            buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1),
            registry=registry,
        )
        self.heartbeats = Counter(
            "jupytercloud_federation_heartbeats_total",
            "Heartbeats by result: accepted, or why not",
            ["result"],
            registry=registry,
        )

    def shortcut(self, site: str) -> Counter:
        """Return the counter of a site's shortcuts (looked up once: it is counted on the shortest way)."""
        found = self._shortcuts.get(site)
        if found is None:
            found = self._shortcuts[site] = self.shortcuts.labels(site)
        return found

    def states(self, states: dict[str, SiteState]) -> None:
        """Show each site's state; it is called twice a second, and writes only what has changed."""
        if states == self._shown:
            return
        self.site_state.clear()
        for site, state in states.items():
            for one in SiteState:
                self.site_state.labels(site, one.value).set(1 if one is state else 0)
        self._shown = dict(states)
