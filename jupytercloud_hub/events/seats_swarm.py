"""``event-swarm``: an event's seats as services of a Docker Swarm."""

from __future__ import annotations

from ..spawners.swarm import ProfileSwarmSpawner
from .seats import SeatMixin


class EventSwarmSpawner(SeatMixin, ProfileSwarmSpawner):
    """Seats on Docker Swarm."""
