"""Every metric of the quota service; never a label that names a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ..settings.quotas import AccountKind

KINDS: tuple[AccountKind, ...] = get_args(AccountKind)


class Metrics:
    """The metrics of one service process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.admissions = Counter(
            "jupytercloud_quotas_admissions_total",
            "Answers to the spawner, by verdict (admitted, refused, confirmed, released).",
            ["verdict"],
            registry=registry,
        )
        for verdict in ("admitted", "refused", "confirmed", "released"):  # a rate of what is not there yet is nothing
            self.admissions.labels(verdict)
        self.admission_seconds = Histogram(
            "jupytercloud_quotas_admission_seconds",
            "Time in which an admission is answered.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
            registry=registry,
        )
        self.intervals = Gauge(
            "jupytercloud_quotas_open_intervals",
            "Servers that are counted, by state (place, running).",
            ["state"],
            registry=registry,
        )
        self.reached = Gauge(
            "jupytercloud_quotas_accounts_reached",
            "Accounts that have used so many percent of a limit, by kind (person, group, organization, hub).",
            ["kind", "percent"],
            registry=registry,
        )
        self.closed = Counter(
            "jupytercloud_quotas_closed_intervals_total",
            "Intervals that the service closed by itself because the hub no longer has the server.",
            registry=registry,
        )
        self.adopted = Counter(
            "jupytercloud_quotas_adopted_servers_total",
            "Servers found running that nobody had asked about (this service was away).",
            registry=registry,
        )
        self.unpriced = Counter(
            "jupytercloud_quotas_servers_without_record_total",
            "Looks at servers whose resources are unknown: counted, at no price.",
            registry=registry,
        )
        self.looks = Counter(
            "jupytercloud_quotas_looks_total",
            "Heartbeats, by outcome (done, failed).",
            ["outcome"],
            registry=registry,
        )
        self.look_seconds = Histogram(
            "jupytercloud_quotas_look_seconds",
            "Time that one heartbeat takes, over all servers.",
            buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
            registry=registry,
        )
        self.last_look = Gauge(
            "jupytercloud_quotas_last_look_timestamp_seconds",
            "When a heartbeat was last done.",
            registry=registry,
        )

    def show_reached(self, reached: Mapping[tuple[str, int], int], levels: Sequence[int]) -> None:
        """Say how many accounts of each kind have reached each level, none included."""
        for kind in KINDS:
            for level in levels:
                self.reached.labels(kind, str(level)).set(reached.get((kind, level), 0))
