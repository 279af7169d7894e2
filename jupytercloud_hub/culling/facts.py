"""From JupyterHub's model of a user to what the rules know of each of her servers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from ..contracts.person import Person
from ..contracts.seats import seat_of
from ..contracts.server_record import ServerRecord
from .rules import Server

Start = tuple[str, str, datetime]
"""User, server name, start: what a warning and a "keep it" are about."""


@dataclass(frozen=True, slots=True)
class Report:
    """What the extension in a server last said: when, when it was last active, what was computing."""

    reported_at: datetime
    active_at: datetime
    busy: tuple[str, ...] = ()

    @property
    def last_activity(self) -> datetime:
        """When the server was last active: what computes is active at the moment of the report."""
        return self.reported_at if self.busy else self.active_at


def servers_of(user: Mapping[str, Any]) -> list[Server]:
    """Return the running servers of a user model of the hub's REST API, as the hub alone knows them.

    A server with no start is not running.
    """
    running = [
        (name, model)
        for name, model in (user.get("servers") or {}).items()
        if model.get("started") and not model.get("stopped")
    ]
    if not running:
        return []
    person = Person.from_hub_user(user)
    return [_server(user, person, name, model) for name, model in running]


def _server(user: Mapping[str, Any], person: Person, name: str, model: Mapping[str, Any]) -> Server:
    seat = seat_of(user, model.get("state"))
    started = parse(model["started"])
    last = parse(model["last_activity"]) if model.get("last_activity") else started
    record = ServerRecord.from_state(model.get("state"))
    resources = record.resources if record else None
    options = model.get("user_options") or {}
    profile = record.profile if record else options.get("profile")
    return Server(
        user=person.username,
        name=name,
        started=started,
        last_activity=max(last, started),
        profile=profile if isinstance(profile, str) else None,
        gpu=resources.gpu if resources else 0,
        gpu_type=resources.gpu_type if resources else None,
        cpu=resources.cpu if resources else 0.0,
        memory=int(resources.memory) if resources else 0,
        groups=person.groups,
        organization=person.home_organization,
        event=seat.event,
        waiting=seat.waiting,
        pending=model.get("pending") or (None if model.get("ready") else "unready"),
    )


def reported(server: Server, report: Report | None, now: datetime, fresh: timedelta) -> Server:
    """Return the server with what its extension said of its activity, where that is not older than ``fresh``.

    Then its word counts and not the hub's, whose ``last_activity`` also moves when a forgotten tab asks for news.
    """
    if report is None or now - report.reported_at > fresh:
        return server
    last = max(report.last_activity, server.started)
    return replace(server, last_activity=last, reported=True, busy=report.busy)


def parse(value: str) -> datetime:
    """Read a time of the hub's REST API (ISO 8601 with Z)."""
    return datetime.fromisoformat(value)
