"""Starts, people and a hub of one's own making."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import select

from jupytercloud_hub.contracts.admission import Confirm, Release, Reserve, StartKey
from jupytercloud_hub.contracts.person import Person
from jupytercloud_hub.contracts.server_record import Resources, ServerRecord
from jupytercloud_hub.hubapi import HubApi
from jupytercloud_hub.quotas.ledger import SUMS, Ledger
from jupytercloud_hub.quotas.tables import ByDay, ByMonth, ByProfile, Interval

T0 = datetime(2026, 11, 20, 9, 0, 0, 123456, tzinfo=UTC)
ANNA = Person(username="anna", home_organization="univ-grenoble-alpes.fr", groups=("m2",))


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def record(cpu: float = 2, gpu: int = 0, profile: str = "lab") -> ServerRecord:
    return ServerRecord(profile=profile, resources=Resources(cpu=cpu, memory="4 GiB", gpu=gpu))


def key(user: str = "anna", server: str = "", started: datetime = T0) -> StartKey:
    return StartKey(hub="grenoble", user=user, server=server, started=started)


def reserve(person: Person = ANNA, server: str = "", started: datetime = T0, **resources: Any) -> Reserve:
    return Reserve(key=key(person.username, server, started), person=person, record=record(**resources))


def confirm(message: Reserve) -> Confirm:
    return Confirm(key=message.key)


def release(message: Reserve, ended: datetime | None = None, *, ran: bool = False) -> Release:
    return Release(key=message.key, ended=ended, ran=ran)


async def intervals(ledger: Ledger) -> list[Interval]:
    async with ledger.database.session() as session:
        return list((await session.execute(select(Interval).order_by(Interval.id))).scalars())


async def sums(ledger: Ledger, kind: str = "person", name: str = "anna") -> dict[str, int]:
    """Return an account's sums, which are the same by day, by month and by profile."""
    found = []
    for table in (ByDay, ByMonth, ByProfile):
        async with ledger.database.session() as session:
            query = select(table).where(table.kind == kind, table.name == name)
            rows = (await session.execute(query)).scalars().all()
        found.append({column: sum(getattr(row, column) for row in rows) for column in SUMS})
    assert found[0] == found[1] == found[2]
    return found[0]


class FakeHub:
    """Answers `HubApi` as JupyterHub 6.1 does: pages, states, stopped servers with the moment of their stop."""

    def __init__(self) -> None:
        self.users: dict[str, dict[str, Any]] = {}
        self.away = False
        self.calls: list[str] = []
        self.before_page: Any = None
        self.page_size: int | None = None
        self.began: datetime | None = None
        """When its process began, for who may read its metrics; None: nobody may."""

    def api(self) -> HubApi:
        return HubApi("http://hub.invalid/hub/api", "token", transport=httpx.MockTransport(self._answer))

    def start(
        self,
        person: Person = ANNA,
        server: str = "",
        started: datetime = T0,
        *,
        pending: str | None = None,
        state: ServerRecord | None = None,
    ) -> None:
        user = self.users.setdefault(
            person.username,
            {
                "name": person.username,
                "groups": list(person.groups),
                "user_info": {"jupytercloud": {"home_organization": person.home_organization}},
                "servers": {},
            },
        )
        stamp = started.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
        user["servers"][server] = {
            "name": server,
            "started": stamp,
            "last_activity": stamp,
            "pending": pending,
            "ready": pending is None,
            "stopped": False,
            "user_options": {"profile": "lab", "options": {}},
            "state": {"jupytercloud": (state or record()).model_dump(mode="json")},
        }

    def stop(self, user: str, at: datetime, server: str = "") -> None:
        stamp = at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
        self.users[user]["servers"][server].update(
            started=None, last_activity=stamp, stopped=True, ready=False, pending=None, state={}
        )

    def _model(self, user: dict[str, Any], with_stopped: bool) -> dict[str, Any]:
        servers = {name: server for name, server in user["servers"].items() if with_stopped or not server["stopped"]}
        return {**user, "servers": servers}

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            raise httpx.ConnectError("the hub is away", request=request)
        path = request.url.path.removeprefix("/hub/api/")
        self.calls.append(path)
        if path == "metrics":
            if self.began is None:
                return httpx.Response(403, json={"message": "no scope"})
            text = f"# HELP x y\nprocess_start_time_seconds {self.began.timestamp():.2f}\nup 1.0\n"
            return httpx.Response(200, text=text)
        if path == "users":
            active = [
                model
                for user in self.users.values()
                if (model := self._model(user, False))["servers"] or request.url.params.get("state") != "active"
            ]
            offset, limit = int(request.url.params["offset"]), int(request.url.params["limit"])
            limit = self.page_size or limit
            if self.before_page:
                self.before_page(offset)
            page = active[offset : offset + limit]
            more = {"offset": offset + limit, "limit": limit} if offset + limit < len(active) else None
            return httpx.Response(200, json={"items": page, "_pagination": {"next": more}})
        user = self.users.get(path.removeprefix("users/"))
        if user is None:
            return httpx.Response(404, json={"message": "no such user"})
        stopped = request.url.params.get("include_stopped_servers") == "1"
        return httpx.Response(200, json=self._model(user, stopped))
