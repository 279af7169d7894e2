"""Every metric of the events service; never a label that names a seat or a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge

if TYPE_CHECKING:
    from .keeper import Figures

EVERY_SECONDS = 10.0
"""How old the gauges may be: they cost a look at all seats."""


class Metrics:
    """The metrics of one service process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.planned = Gauge("jupytercloud_events_planned_seats", "Seats that the event has.", registry=registry)
        self.seats = Gauge(
            "jupytercloud_events_seats",
            "Seats by state: ready for a visitor, starting, held by one, failed.",
            ["state"],
            registry=registry,
        )
        self.queued = Gauge(
            "jupytercloud_events_queued_people", "Visitors with a code who wait for a seat.", registry=registry
        )

    def show(self, figures: Figures) -> None:
        """Take over what the board shows."""
        self.planned.set(figures.seats)
        self.queued.set(figures.queued)
        for state in ("ready", "starting", "held", "failed"):
            self.seats.labels(state).set(getattr(figures, state))
