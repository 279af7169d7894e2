"""A real JupyterHub with `configure`, profile spawner on local processes, and the quota service beside it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from jupytercloud_hub.quotas.service import open_ledger
from jupytercloud_hub.quotas.tables import Interval
from jupytercloud_hub.settings import load
from jupytercloud_hub.storage import Database
from tests.culling.hub import ADMIN_TOKEN, Hub, until

from .helpers import intervals

ASKER_TOKEN = "asker-" + "a" * 26
"""Holds what the hub itself and the culler hold towards the quota service."""
PROFILES = [
    {"name": "small", "title": {"fr": "Petit", "en": "Small"}, "resources": {"cpu": 1, "memory": "1 GiB"}},
    {"name": "big", "title": {"fr": "Grand", "en": "Big"}, "resources": {"cpu": 8, "memory": "8 GiB"}},
]
EXTRA = """
from jupyterhub.auth import DummyAuthenticator

from jupytercloud_hub.web.hub_pages import hub_handlers


class WithPages(DummyAuthenticator):
    def get_handlers(self, app):
        return [*super().get_handlers(app), *hub_handlers()]


c.JupyterHub.authenticator_class = WithPages
c.JupyterHub.spawner_class = "profile-local"
c.JupyterHub.cleanup_servers = False
c.ProfileLocalSpawner.end_with_hub = True
c.Authenticator.admin_users = {{"chef"}}
c.JupyterHub.services.append({{"name": "asker", "api_token": {asker!r}}})
c.JupyterHub.load_roles.append({{
    "name": "asker", "services": ["asker"],
    "scopes": [
        "custom:jupytercloud:admission", "custom:jupytercloud:stops", "access:services!service=quotas",
    ],
}})
c.ProfileLocalSpawner.homes = {folder!r} + "/homes"
c.ProfileLocalSpawner.logs = {folder!r} + "/logs"
"""


class QuotaHub(Hub):
    """`tests.culling.hub.Hub`, with our own spawner and quotas."""

    def __init__(
        self, folder: Path, quotas: dict[str, Any], *, extra: str = "", culling: dict[str, Any] | None = None
    ) -> None:
        super().__init__(folder, {}, extra=EXTRA.format(folder=str(folder), asker=ASKER_TOKEN) + extra)
        self.quotas = f"{self.base}services/quotas/"
        self.culler = self.quotas  # whose health tells that all is up
        self.settings.write_text(
            json.dumps(
                {
                    "site": {"name": "essai", "url": self.base, "contact": "aide@example.fr"},
                    "spawner": {"backend": "local"},
                    "profiles": PROFILES,
                    "quotas": quotas,
                    **({"culling": culling} if culling else {}),
                },
                ensure_ascii=False,
            )
        )

    async def post_server(self, user: str, profile: str) -> httpx.Response:
        """Ask for a server, until the service has answered: on a busy machine its first answers come late."""
        await self.client.post(f"{self.api}/users/{user}")
        options = {"profile": profile, "options": {}}
        for _ in range(10):
            answer = await self.client.post(f"{self.api}/users/{user}/server", json=options)
            if answer.status_code != 503:
                break
            await asyncio.sleep(0.5)
        return answer

    async def spawn(self, user: str, server: str = "", **options: Any) -> None:
        answer = await self.post_server(user, options["profile"])
        assert answer.status_code in (201, 202), answer.text

        async def ready() -> bool:
            model = (await self.client.get(f"{self.api}/users/{user}")).json()
            return bool(model["servers"].get(server, {}).get("ready"))

        await until(ready, 30)

    async def stop_server(self, user: str) -> None:
        await self.client.delete(f"{self.api}/users/{user}/server")

        async def gone() -> bool:
            return not await self.running(user)

        await until(gone, 20)

    def service_pid(self) -> int:
        """Return the process of the quota service that this hub started."""
        found = []
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = file.read_text().split("\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if "quotas" in words and str(self.settings) in words:
                found.append(int(file.parent.name))
        assert len(found) == 1, found
        return found[0]

    def kill_service(self) -> None:
        os.kill(self.service_pid(), signal.SIGKILL)

    async def intervals(self) -> list[Interval]:
        settings = load(self.settings)
        database = Database(settings.database_url("quotas"), "quotas")
        try:
            ledger, _ = open_ledger(settings, database)
            return await intervals(ledger)
        finally:
            await database.close()

    async def token(self, user: str, *scopes: str) -> str:
        """Return a person's API token."""
        answer = await self.client.post(f"{self.api}/users/{user}/tokens", json={"scopes": scopes} if scopes else {})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])


class Person:
    """A browser without JavaScript that is logged in through the hub's pages."""

    def __init__(self, hub: QuotaHub, language: str = "fr") -> None:
        self.hub = hub
        self.client = httpx.AsyncClient(
            follow_redirects=True, timeout=timedelta(seconds=20).total_seconds(), headers={"Accept-Language": language}
        )

    async def log_in(self, user: str) -> None:
        page = await self.client.get(f"{self.hub.base}hub/login")
        token = re.search(r'name="_xsrf"\s+value="([^"]+)"', page.text)
        assert token, page.text
        await self.client.post(
            f"{self.hub.base}hub/login", data={"username": user, "password": "x", "_xsrf": token.group(1)}
        )

    async def page(self, path: str = "") -> httpx.Response:
        return await self.client.get(f"{self.hub.quotas}{path}")

    async def post(self, path: str, **form: str) -> httpx.Response:
        """Send a form of the page at ``path``, with the page's own XSRF field."""
        page = await self.page(path)
        token = re.search(r'name="_xsrf"[^>]*value="([^"]+)"', page.text)
        assert token, page.text
        return await self.client.post(f"{self.hub.quotas}{path}", data={"_xsrf": token.group(1), **form})


__all__ = ["ADMIN_TOKEN", "Person", "QuotaHub", "until"]
