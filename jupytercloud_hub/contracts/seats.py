"""How an event says that a server is one of its seats, and whether a visitor has it already. Pure.

Two marks, written by the event's parts, read by the culler and whoever else treats seats apart:

- The spawner's state of a server that was started ahead for whoever comes carries ``jupytercloud_seat``:
  ``{"event": NAME, "seat": "unassigned"}``. It stays as it is for the life of the server.
- The authenticator publishes, in ``user_info["jupytercloud"]``, ``event: NAME`` and, from the moment at which a
  visitor holds the seat, ``seat: "assigned"``. What it says comes first: the account outlives the server's start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .person import USER_INFO_KEY

SEAT_STATE_KEY = "jupytercloud_seat"
"""The key of a seat's mark in a spawner's ``get_state()``."""
ASSIGNED = "assigned"
UNASSIGNED = "unassigned"


@dataclass(frozen=True, slots=True)
class Seat:
    """Of which event a server is a seat (None: it is no seat), and whether it still waits for its visitor."""

    event: str | None = None
    waiting: bool = False


NO_SEAT = Seat()


def seat_of(user: Mapping[str, Any], state: Mapping[str, Any] | None) -> Seat:
    """Read the marks on a user's model of the hub's REST API and on her server's state; other shapes are no mark."""
    info = user.get("user_info")
    published = info.get(USER_INFO_KEY) if isinstance(info, dict) else None
    marked = state.get(SEAT_STATE_KEY) if isinstance(state, dict) else None
    person = published if isinstance(published, dict) else {}
    server = marked if isinstance(marked, dict) else {}
    event = person.get("event") or server.get("event")
    seat = person.get("seat") or server.get("seat")
    if not isinstance(event, str) or not event:
        return NO_SEAT
    return Seat(event, waiting=seat == UNASSIGNED)
