"""From JupyterHub's model of a user to what the rules know of each of her servers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ..contracts.person import Person
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


def servers_of(
    user: Mapping[str, Any], reports: Mapping[Start, Report], now: datetime, fresh: timedelta
) -> list[Server]:
    """Return the running servers of a user model of the hub's REST API.

    Where the extension reported within ``fresh``, its word on the activity counts and not the hub's, whose
    ``last_activity`` also moves when a forgotten tab asks for news. A server with no start is not running.
    """
    person = Person.from_hub_user(user)
    found = []
    for name, model in (user.get("servers") or {}).items():
        if not model.get("started") or model.get("stopped"):
            continue
        started = parse(model["started"])
        report = reports.get((person.username, name, started))
        if report is not None and now - report.reported_at > fresh:
            report = None
        last = parse(model["last_activity"]) if model.get("last_activity") else started
        if report is not None:
            last = report.last_activity
        record = ServerRecord.from_state(model.get("state"))
        resources = record.resources if record else None
        options = model.get("user_options") or {}
        profile = record.profile if record else options.get("profile")
        found.append(
            Server(
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
                pending=model.get("pending") or (None if model.get("ready") else "unready"),
                reported=report is not None,
                busy=report.busy if report else (),
            )
        )
    return found


def parse(value: str) -> datetime:
    """Read a time of the hub's REST API (ISO 8601 with Z)."""
    return datetime.fromisoformat(value)
