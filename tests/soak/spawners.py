"""Spawners whose engine is the light server: one for a stock hub, the same with our profiles."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlsplit

import aiohttp
from jupyterhub.spawner import Spawner
from traitlets import Unicode

from jupytercloud_hub.spawners.base import ProfileMixin

_clients: list[aiohttp.ClientSession] = []


def client() -> aiohttp.ClientSession:
    """Return this process's client of the light server."""
    if not _clients:
        connector = aiohttp.TCPConnector(limit=0)
        _clients.append(aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=60)))
    return _clients[0]


class LightSpawner(Spawner):
    """Asks the light server for one more, as spawners ask their engine: one request for a start, one for a stop."""

    light = Unicode("", help="Address of the process that plays the servers of this hub.").tag(config=True)

    _runs = False

    async def start(self) -> tuple[str, int]:
        async with client().post(f"{self.light}/_light/servers", json=self.get_env()) as answer:
            answer.raise_for_status()
        self._runs = True
        where = urlsplit(self.light)
        return str(where.hostname), int(where.port or 0)

    async def stop(self, now: bool = False) -> None:
        prefix = {"prefix": self.server.base_url if self.server else ""}
        async with client().delete(f"{self.light}/_light/servers", params=prefix) as answer:
            answer.raise_for_status()
        self._runs = False

    async def poll(self) -> int | None:
        return None if self._runs else 0

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), **({"light": True} if self._runs else {})}

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self._runs = bool(state.get("light"))

    def clear_state(self) -> None:
        super().clear_state()
        self._runs = False


class LightProfileSpawner(ProfileMixin, LightSpawner):
    """The same with our catalogue, form, admission and progress."""

    backend: ClassVar[str] = "local"
