"""The hub of `tests.support.hub_process` with a culler, and small stand-ins for notebook servers."""

from __future__ import annotations

import asyncio
import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.support.hub_process import HubProcess

ADMIN_TOKEN = "admin-" + "a" * 26

SERVER = textwrap.dedent(
    """
    import http.server, json, os, sys
    from urllib.parse import urlsplit
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200); self.end_headers(); self.wfile.write(b"{}")
        def log_message(self, *args): pass
    url = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    name = os.environ["JUPYTERHUB_USER"] + "~" + os.environ.get("JUPYTERHUB_SERVER_NAME", "")
    with open(os.path.join(sys.argv[1], name + ".json"), "w") as file:
        json.dump(dict(os.environ), file)
    http.server.ThreadingHTTPServer((url.hostname, url.port), Handler).serve_forever()
    """
)

SPAWNER = '''
import asyncio, os, sys
from jupyterhub.spawner import SimpleLocalProcessSpawner

class Recording(SimpleLocalProcessSpawner):
    """Records what our own spawners record, and stops as slowly as it is told to."""
    home_dir_template = {folder!r} + "/homes/{{username}}"
    def get_state(self):
        state = super().get_state()
        state["jupytercloud"] = self.user_options.get("record")
        return state
    async def stop(self, now=False):
        await asyncio.sleep(float(os.environ.get("STOP_SECONDS", "0")))
        await super().stop(now=True)
'''
CONFIG = """
c.JupyterHub.db_url = "sqlite:///" + {folder!r} + "/hub.sqlite"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = Recording
c.JupyterHub.allow_named_servers = True
c.JupyterHub.cleanup_servers = True  # at SIGTERM: a test leaves nothing behind
c.JupyterHub.tornado_settings = {{"slow_stop_timeout": {slow_stop}}}
c.Spawner.cmd = [sys.executable, {folder!r} + "/server.py", {folder!r}]
c.Spawner.start_timeout = 90
c.JupyterHub.services.append({{"name": "admin", "api_token": {token!r}}})
c.JupyterHub.load_roles.append({{
    "name": "admin-role", "services": ["admin"],
    "scopes": ["admin:users", "admin:servers", "admin:groups", "tokens", "read:metrics", "access:services"],
}})
{extra}
"""


class Hub(HubProcess):
    """`HubProcess` with a culler; its helpers speak to it as an administrator does."""

    def __init__(
        self,
        folder: Path,
        culling: dict[str, Any],
        *,
        extra: str = "",
        slow_stop: float = 10,
        sections: dict[str, Any] | None = None,
        **env: str,
    ) -> None:
        values = {"folder": str(folder), "token": ADMIN_TOKEN, "slow_stop": slow_stop, "extra": extra}
        settings = {"site": {"name": "essai", "url": "{url}"}, "culling": culling, **(sections or {})}
        super().__init__(
            folder,
            json.dumps(settings, ensure_ascii=False),
            before=SPAWNER.format(**values),
            after=CONFIG.format(**values),
            path="/hub-test/",
        )
        (folder / "server.py").write_text(SERVER)
        self.base = self.url
        self.culler = f"{self.base}services/culler/"
        self._env = env
        self.client = httpx.AsyncClient(timeout=30, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})

    async def __aenter__(self) -> Hub:
        await self.up()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.client.aclose()
        self.end()

    async def up(self) -> None:
        """Start it, and wait until its service answers."""
        self.start(**self._env)

        async def answers() -> bool:
            if self.process and self.process.poll() is not None:
                raise AssertionError(f"the hub ended:\n{self.words()[-4000:]}")
            try:
                return (await self.client.get(f"{self.culler}health", timeout=2)).status_code == 200
            except httpx.TransportError:
                return False

        await until(answers, 120)

    async def spawn(self, user: str, server: str = "", **options: Any) -> None:
        await self.client.post(f"{self.api}/users/{user}")
        path = f"servers/{server}" if server else "server"
        answer = await self.client.post(f"{self.api}/users/{user}/{path}", json=options)
        assert answer.status_code in (201, 202), answer.text

        async def ready() -> bool:
            model = (await self.client.get(f"{self.api}/users/{user}")).json()
            return bool(model["servers"].get(server, {}).get("ready"))

        await until(ready, 90)

    async def running(self, user: str) -> list[str]:
        return sorted((await self.client.get(f"{self.api}/users/{user}")).json()["servers"])

    async def active(self, user: str, server: str = "") -> None:
        """Report activity to the hub as a single-user server does."""
        from datetime import UTC, datetime

        body = {"servers": {server: {"last_activity": datetime.now(UTC).isoformat()}}}
        answer = await self.client.post(f"{self.api}/users/{user}/activity", json=body)
        assert answer.status_code == 200, answer.text

    def own_token(self, user: str, server: str = "") -> str:
        """Return the token that the hub gave to a server."""
        environment = json.loads((self.folder / f"{user}~{server}.json").read_text())
        return str(environment["JUPYTERHUB_API_TOKEN"])

    async def ask(self, method: str, path: str, token: str = ADMIN_TOKEN, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with httpx.AsyncClient(timeout=30) as client:
            return await client.request(method, f"{self.culler}{path}", headers=headers, **options)

    async def view(self, user: str, server: str = "~", token: str = ADMIN_TOKEN) -> dict[str, Any]:
        answer = await self.ask("GET", f"api/v1/servers/{user}/{server}", token)
        return {"status": answer.status_code, **answer.json()}

    def culler_pid(self) -> int:
        """Return the process of the culler that this hub started."""
        found = []
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = file.read_text().split("\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if "culler" in words and str(self.settings) in words:
                found.append(int(file.parent.name))
        assert len(found) == 1, found
        return found[0]


async def until(condition: Callable[[], Any], seconds: float) -> None:
    """Wait until an asynchronous condition holds; fail when it does not in time."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not await condition():
        assert asyncio.get_running_loop().time() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.1)
