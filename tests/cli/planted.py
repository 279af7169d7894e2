"""A hub's surroundings in which a fault can be planted and mended: files, a provider, a database, a hub's answers."""

from __future__ import annotations

import asyncio
import fcntl
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import httpx

from jupytercloud_hub.cli.checks import database, disk, hub, portal, provider, secrets, spawner
from jupytercloud_hub.cli.checks.look import Look
from jupytercloud_hub.contracts.finding import Finding
from jupytercloud_hub.federation import signing
from jupytercloud_hub.settings import load
from tests.support.fake_provider import FakeProvider

HUB, PORTAL = "http://127.0.0.1:1/labo/", "http://127.0.0.1:2/portail/"
LOOKS = (
    secrets.look,
    hub.look_at_hub,
    hub.look_at_proxy,
    hub.look_at_services,
    database.look,
    disk.look,
    provider.look,
    portal.look,
    spawner.look,
)
SERVICES = ("quotas", "culler")


class Surroundings:
    """All is well at first. ``file`` holds the settings' sections, ``answers`` what HTTP says, by address."""

    def __init__(self, folder: Path, idp: FakeProvider, tables: Path) -> None:
        self.folder, self.idp = folder, idp
        self.path = folder / "jupytercloud.yaml"
        self.sections: dict[str, Any] = {
            "site": {"name": "labo", "title": "Labo", "url": HUB},
            "auth": {"issuer": idp.issuer, "client_id": "a", "client_secret": {"file": "secret"}},
            "institutions": [{"name": "a", "home_organizations": "a.fr"}],
            "spawner": {"backend": "local", "local": {"homes": "homes"}},
            "profiles": [{"name": "lab", "title": "Lab"}],
            "culling": {"rules": [{"name": "partout", "idle": "1 h"}]},
            "quotas": {},
            "federation": {"portal": {"url": PORTAL}},
        }
        (folder / "homes").mkdir()
        self.secret = folder / "secret"
        self.secret.write_text("s3cret")
        self.secret.chmod(0o600)
        self.database = folder / "state/jupytercloud.sqlite"
        self.database.parent.mkdir()
        for path in tables.parent.glob(f"{tables.name}*"):
            shutil.copy(path, self.database.parent)
        self.key = folder / "state" / signing.KEY_FILE
        signing.kept_key(self.key)
        self.locks: list[IO[str]] = []
        self.agent_runs()
        self.token = "t" * 32
        here = "services/federation/api/v1/"
        self.state = {
            "name": "labo",
            "url": HUB,
            "state": "up",
            "reason": "",
            "heartbeat": datetime.now(UTC).isoformat(),
        }
        self.answers: dict[str, tuple[int, Any]] = {
            f"{HUB}hub/api/": (200, {"version": "6.1.1"}),
            f"{HUB}hub/api/proxy": (200, {f"/labo/{p}": {} for p in ("", *(f"services/{s}/" for s in SERVICES))}),
            f"{PORTAL}{here}status": (200, {"sites": [self.state]}),
            f"{PORTAL}{here}sites/labo/keys": (400, {"error": {"code": "body"}}),
        }
        for name in SERVICES:
            self.answers[f"{HUB}services/{name}/health"] = (200, {"status": "ok"})
            self.answers[f"{HUB}services/{name}/api/v1/scopes"] = (200, {"missing": [], "beyond": []})
        self.version = "6.1.1"

    def agent_runs(self) -> None:
        """Hold the agent's lock, as its process does."""
        lock = (self.database.parent / "service-agent.lock").open("a")
        fcntl.flock(lock, fcntl.LOCK_EX)
        self.locks.append(lock)

    def agent_ends(self) -> None:
        while self.locks:
            self.locks.pop().close()

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        if str(request.url).startswith(self.idp.issuer):
            async with httpx.AsyncClient(trust_env=False) as client:
                return await client.get(request.url)
        status, body = self.answers.get(str(request.url.copy_with(query=None)), (404, {"message": "not found"}))
        if isinstance(body, Exception):
            raise body
        headers = {} if self.version == "" else {"X-JupyterHub-Version": self.version}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.Response(status, headers=headers, content=content)

    def check(self) -> list[Finding]:
        """Look at everything."""
        self.path.write_text(json.dumps(self.sections))  # YAML holds JSON

        async def every() -> list[Finding]:
            async with httpx.AsyncClient(transport=httpx.MockTransport(self._answer)) as client:
                at = Look(load(self.path), client, self.token)
                return [finding for look in LOOKS for finding in await look(at)]

        return asyncio.run(every())
