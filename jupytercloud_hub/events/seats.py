"""Marks the servers of an event's seats, so that whoever stops idle servers spares those without a visitor."""

from __future__ import annotations

from typing import Any

from traitlets import Unicode

from ..contracts.seats import SEAT_STATE_KEY, UNASSIGNED
from ..spawners.base import ProfileMixin
from ..spawners.local import ProfileLocalSpawner

SEAT_PREFIX = "seat-"


class SeatMixin(ProfileMixin):
    """A seat's mark in the spawner's state. Stands before a profile spawner."""

    seat_event = Unicode(
        "",
        help="""
        Name of the event whose seats these servers are.

        ``configure`` sets it; empty marks nothing.
        """,
    ).tag(config=True)

    def get_state(self) -> dict[str, Any]:
        """Return the state with the mark of `contracts.seats`: started ahead, for whoever comes."""
        state = super().get_state()
        if state and self.seat_event and self.user.name.startswith(SEAT_PREFIX):
            state[SEAT_STATE_KEY] = {"event": self.seat_event, "seat": UNASSIGNED}
        return state


class EventLocalSpawner(SeatMixin, ProfileLocalSpawner):
    """``event-local``: seats as processes on this machine."""
