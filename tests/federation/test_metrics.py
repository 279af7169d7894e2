"""The gauge of each site's state."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from jupytercloud_hub.federation.metrics import FederationMetrics
from jupytercloud_hub.federation.model import SiteState


def shown(registry: CollectorRegistry) -> dict[str, str]:
    """Return the one state that each site is shown in."""
    samples = [sample for metric in registry.collect() for sample in metric.samples if sample.name.endswith("_state")]
    assert {sample.value for sample in samples} <= {0, 1}
    return {sample.labels["site"]: sample.labels["state"] for sample in samples if sample.value == 1}


def test_each_site_is_shown_in_its_state_and_one_that_left_is_not_shown() -> None:
    registry = CollectorRegistry()
    metrics = FederationMetrics(registry)
    metrics.states({"grenoble": SiteState.UP, "lyon": SiteState.DOWN})
    metrics.states({"grenoble": SiteState.UP, "lyon": SiteState.DOWN})
    assert shown(registry) == {"grenoble": "up", "lyon": "down"}
    metrics.states({"grenoble": SiteState.DRAINING})
    assert shown(registry) == {"grenoble": "draining"}


def test_what_has_not_changed_is_not_written_again() -> None:
    metrics = FederationMetrics(CollectorRegistry())
    metrics.states({"grenoble": SiteState.UP})
    metrics.site_state.labels("grenoble", "up").set(7)
    metrics.states({"grenoble": SiteState.UP})
    assert metrics.site_state.labels("grenoble", "up")._value.get() == 7
