"""``event-kubernetes``: an event's seats as pods."""

from __future__ import annotations

from ..spawners.kubernetes import ProfileKubernetesSpawner
from .seats import SeatMixin


class EventKubernetesSpawner(SeatMixin, ProfileKubernetesSpawner):
    """Seats on Kubernetes."""
