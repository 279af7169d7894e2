"""A hub that answers from memory over the client's own HTTP edge, and counts what it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import httpx

from jupytercloud_hub.storage.database import upgrade
from jupytercloud_hub.storage.plain import PlainDatabase

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


async def opened(url: str) -> PlainDatabase:
    """Return the culler's database with its tables, made in this process: the one of their own costs a second."""
    await asyncio.to_thread(upgrade, url, "culling")
    return PlainDatabase(url, "culling")


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    at: datetime = NOON

    def __call__(self) -> datetime:
        return self.at

    def tick(self, **delta: float) -> None:
        self.at += timedelta(**delta)


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass
class FakeHub(httpx.AsyncBaseTransport):
    """``users[name][server]`` holds the server models; stops take ``stop_seconds`` and may answer 202."""

    users: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)
    stop_seconds: float = 0.0
    slow: bool = False
    requests: list[tuple[str, str]] = field(default_factory=list)
    stopped: list[tuple[str, str]] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    before: Callable[[str, str], httpx.Response | None] | None = None

    def add(self, user: str, server: str = "", *, idle: timedelta, age: timedelta, **more: Any) -> None:
        self.users.setdefault(user, {})[server] = {
            "name": server,
            "started": iso(NOON - age),
            "last_activity": iso(NOON - idle),
            "ready": True,
            "pending": None,
            "stopped": False,
            "user_options": {},
            **more,
        }

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode().split("?")[0].removeprefix("/hub/api/")
        self.requests.append((request.method, path))
        if self.before and (answer := self.before(request.method, path)):
            return answer
        parts = [unquote(part) for part in path.split("/")]
        if request.method == "DELETE":
            return await self._stop(parts[1], parts[3] if len(parts) == 4 else "")
        if parts == ["users"]:
            return self._page(dict(request.url.params))
        name = parts[1]
        if name not in self.users:
            return httpx.Response(404, json={"message": "no such user"})
        return httpx.Response(200, json=self._model(name))

    def _model(self, name: str) -> dict[str, Any]:
        return {
            "kind": "user",
            "name": name,
            "groups": self.groups.get(name, []),
            "servers": self.users[name],
            "user_info": None,
        }

    def _page(self, query: dict[str, str]) -> httpx.Response:
        names = [name for name in sorted(self.users) if self.users[name] or query.get("state") != "active"]
        offset, limit = int(query.get("offset", 0)), min(int(query.get("limit", 50)), 200)
        items = [self._model(name) for name in names[offset : offset + limit]]
        following = {"offset": offset + limit} if offset + limit < len(names) else None
        return httpx.Response(200, json={"items": items, "_pagination": {"next": following}})

    async def _stop(self, user: str, server: str) -> httpx.Response:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        if self.slow:
            self.users[user][server] |= {"pending": "stop", "ready": False}
            asyncio.get_running_loop().call_later(self.stop_seconds, self._gone, user, server)
            return httpx.Response(202)
        await asyncio.sleep(self.stop_seconds)
        self._gone(user, server)
        return httpx.Response(204)

    def _gone(self, user: str, server: str) -> None:
        self.in_flight -= 1
        self.users[user].pop(server, None)
        self.stopped.append((user, server))
