"""Every metric of the culler. Labels are names of rules and fixed words, never a person's."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """The culler's metrics in a registry of their own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.passes = Counter(
            "jupytercloud_culling_passes_total",
            "Passes over the hub's servers, by outcome: done, failed (the hub gave no whole list), busy.",
            ["outcome"],
            registry=registry,
        )
        self.duration = Histogram(
            "jupytercloud_culling_pass_seconds",
            "Time that one pass takes, stops included.",
            buckets=(0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000),
            registry=registry,
        )
        self.servers = Gauge(
            "jupytercloud_culling_servers",
            "Servers at the last pass, by what was decided: spare, leave, warn, wait, stop, hold, pending.",
            ["action"],
            registry=registry,
        )
        self.stops = Counter(
            "jupytercloud_culling_stops_total",
            "Servers that were to be stopped, by rule, cause (idle, age, quota, maintenance) and outcome "
            "(stopped, spared, gone, failed).",
            ["rule", "cause", "outcome"],
            registry=registry,
        )
        self.in_flight = Gauge(
            "jupytercloud_culling_stops_in_flight", "Stops under way at this moment.", registry=registry
        )
        self.warnings = Counter(
            "jupytercloud_culling_warnings_total", "Warnings given, by rule.", ["rule"], registry=registry
        )
        self.keeps = Counter(
            "jupytercloud_culling_keeps_total",
            'Requests to "keep it", by outcome: kept or the code of the refusal.',
            ["outcome"],
            registry=registry,
        )
        self.reclaimed = {
            unit: Counter(
                f"jupytercloud_culling_reclaimed_{unit}_hours_total",
                f"{what} that lay free because an idle or old server was stopped, until its owner started it again "
                "(a day at most), by rule.",
                ["rule"],
                registry=registry,
            )
            for unit, what in (("core", "Core hours"), ("gib", "GiB hours of memory"), ("gpu", "GPU hours"))
        }
        self.last_pass = Gauge(
            "jupytercloud_culling_last_pass_timestamp_seconds",
            "When the last whole pass ended; alert when it grows old.",
            registry=registry,
        )
        self.asked = Gauge(
            "jupytercloud_culling_quota_reachable",
            "1 when the quota service answered at the last pass, 0 when it did not; absent without quotas.",
            registry=registry,
        )

    def foresee(self, rules: Iterable[str]) -> None:
        """Begin every rule's counters at 0: what appears with its first stop has no increase that anybody sees."""
        for rule in rules:
            for cause in ("idle", "age"):
                for outcome in ("stopped", "failed"):
                    self.stops.labels(rule, cause, outcome)
            for unit in self.reclaimed.values():
                unit.labels(rule)
        for outcome in ("stopped", "failed"):  # an event's end, or the machines': all at once, and only then
            self.stops.labels("maintenance", "maintenance", outcome)
