"""One process that plays all single-user servers of a hub, with what reaches hub and proxy of real ones.

Each server has its own prefix, token and OAuth client: JupyterHub's own `HubOAuth` logs people in, kernels answer over
websockets in Jupyter's messages, activity is told to the hub (and to our culler) as often as `jupyterhub-singleuser`
and our extension do. Only CPython's start-up and memory are saved, which no hub ever sees: a thousand processes would
need ten times the memory of all hubs together.

``python -m tests.soak.light_server PORT START_SECONDS``: `POST /_light/servers` with what a spawner puts into the
environment starts a server (the answer comes after START_SECONDS, as an engine's does); `DELETE` with its prefix ends
it.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import aiohttp
from jupyterhub import __version__
from jupyterhub.services.auth import HubOAuth, HubOAuthCallbackHandler, HubOAuthenticated
from tornado.web import Application, HTTPError, RequestHandler
from tornado.websocket import WebSocketHandler

ACTIVITY_SECONDS = 300.0
"""JupyterHub's own; a tenth more or less at random, as there."""
CULLER_SECONDS = 120.0
"""Our extension's, until the culler says otherwise."""
PAGE = "<!doctype html><title>JupyterLab</title><h1>JupyterLab</h1><p>{}</p>".format("A page of a laboratory. " * 200)


class Server:
    """One person's server, from what the spawner said."""

    def __init__(self, env: dict[str, str], client: aiohttp.ClientSession) -> None:
        self.env, self._client = env, client
        self.prefix = env["JUPYTERHUB_SERVICE_PREFIX"]
        self.moved = datetime.now(UTC)
        self.auth = HubOAuth(
            api_token=env["JUPYTERHUB_API_TOKEN"],
            api_url=env["JUPYTERHUB_API_URL"],
            base_url=self.prefix,
            hub_prefix=f"{env['JUPYTERHUB_BASE_URL']}hub/",
            oauth_client_id=env["JUPYTERHUB_CLIENT_ID"],
            oauth_redirect_uri=env["JUPYTERHUB_OAUTH_CALLBACK_URL"],
            access_scopes=set(json.loads(env["JUPYTERHUB_OAUTH_ACCESS_SCOPES"])),
        )
        jobs = [self._tell_hub()]
        if env.get("JUPYTERCLOUD_CULLER_URL"):
            jobs.append(self._tell_culler())
        self._tasks = [asyncio.create_task(job) for job in jobs]

    def end(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _tell_hub(self) -> None:
        while True:
            now = self.moved.isoformat()
            body = {"servers": {self.env["JUPYTERHUB_SERVER_NAME"]: {"last_activity": now}}, "last_activity": now}
            await self._post(self.env["JUPYTERHUB_ACTIVITY_URL"], body)
            await asyncio.sleep(ACTIVITY_SECONDS * random.uniform(0.9, 1.1))

    async def _tell_culler(self) -> None:
        user = quote(self.env["JUPYTERHUB_USER"], safe="")
        url = f"{self.env['JUPYTERCLOUD_CULLER_URL']}api/v1/servers/{user}/~/activity"
        while True:
            answer = await self._post(url, {"last_activity": self.moved.isoformat(), "busy": []})
            await asyncio.sleep(float((answer or {}).get("report_in") or CULLER_SECONDS))

    async def _post(self, url: str, body: Any) -> Any:
        try:
            headers = {"Authorization": f"Bearer {self.env['JUPYTERHUB_API_TOKEN']}"}
            async with self._client.post(url, json=body, headers=headers) as answer:
                text = await answer.text()
                if answer.status >= 400:
                    print(f"{url}: {answer.status} {text[:200]}", file=sys.stderr, flush=True)
                    return None
                return json.loads(text) if text else None
        except (aiohttp.ClientError, TimeoutError) as error:
            print(f"{url}: {type(error).__name__} {error}", file=sys.stderr, flush=True)
            return None


Servers = dict[str, Server]


class Control(RequestHandler):
    """What an engine's API is to a hub."""

    def initialize(self, servers: Servers, seconds: float) -> None:
        self.servers, self.seconds = servers, seconds

    async def post(self) -> None:
        if not self.settings.get("client"):
            timeout = aiohttp.ClientTimeout(total=30)
            connector = aiohttp.TCPConnector(limit=0, force_close=True)  # each real server has a connection of its own
            self.settings["client"] = aiohttp.ClientSession(connector=connector, timeout=timeout)
        await asyncio.sleep(self.seconds)
        server = Server(json.loads(self.request.body), self.settings["client"])
        self.servers[server.prefix] = server
        self.set_status(201)

    def delete(self) -> None:
        server = self.servers.pop(self.get_query_argument("prefix"), None)
        if server:
            server.end()

    def get(self) -> None:
        self.write({"servers": len(self.servers)})


class Page(HubOAuthenticated, RequestHandler):
    """All that is behind a server's prefix."""

    open = ()

    def initialize(self, servers: Servers) -> None:
        self.servers = servers

    async def prepare(self) -> None:
        self.set_header("X-JupyterHub-Version", __version__)
        prefix = "/".join(self.request.path.split("/")[:4]) + "/"
        server = self.servers.get(prefix)
        if server is None:
            raise HTTPError(404)
        self.server, self.rest, self.hub_auth = server, self.request.path.removeprefix(prefix), server.auth
        # The mixin would ask the hub with the loop at a standstill, and with it all the other servers.
        model = await server.auth.get_user(self, sync=False)
        self._hub_auth_user_cache = self.check_hub_user(model) if model else None


class Web(Page):
    async def get(self, _: str) -> None:
        if self.rest == "api":  # how the hub sees that a server is up
            self.write({"version": "2.17.0"})
            return
        if not self.current_user:
            self.redirect(self.get_login_url())
            return
        self.server.moved = datetime.now(UTC)
        self.xsrf_token  # noqa: B018 - sets the cookie, as each page of JupyterLab does
        self.write(PAGE)

    async def post(self, _: str) -> None:
        if not self.current_user:
            raise HTTPError(403)
        if self.rest != "api/kernels":
            raise HTTPError(404)
        self.server.moved = datetime.now(UTC)
        self.set_status(201)
        self.write({"id": str(uuid.uuid4()), "name": "python3", "execution_state": "starting", "connections": 0})


class Callback(HubOAuthCallbackHandler, Page):
    pass


class Channels(Page, WebSocketHandler):
    """A kernel: each request is answered with the five messages that ipykernel sends."""

    def open(self, _: str) -> None:  # type: ignore[override]
        if not self.current_user:
            self.close(code=1008)

    def on_message(self, message: str | bytes) -> None:
        asked = json.loads(message)
        self.server.moved = datetime.now(UTC)
        for channel, kind, content in (
            ("iopub", "status", {"execution_state": "busy"}),
            ("iopub", "execute_input", {"code": asked["content"]["code"], "execution_count": 1}),
            ("iopub", "execute_result", {"data": {"text/plain": "499500"}, "metadata": {}, "execution_count": 1}),
            ("shell", "execute_reply", {"status": "ok", "execution_count": 1, "payload": [], "user_expressions": {}}),
            ("iopub", "status", {"execution_state": "idle"}),
        ):
            header = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "username": "", "session": "", "version": "5.3"}
            header["date"] = datetime.now(UTC).isoformat()
            told = {"channel": channel, "header": header, "parent_header": asked["header"], "content": content}
            self.write_message({**told, "metadata": {}, "buffers": []})


async def main(port: int, seconds: float) -> None:
    servers: Servers = {}
    given = {"servers": servers}
    user = r".*/user/[^/]+/"
    application = Application(
        [
            ("/_light/servers", Control, {**given, "seconds": seconds}),
            (rf"{user}oauth_callback", Callback, given),
            (rf"({user}api/kernels/[^/]+/channels)", Channels, given),
            (rf"({user}.*)", Web, given),
        ],
        cookie_secret=os.urandom(32),
    )
    application.listen(port, "127.0.0.1", backlog=1024)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
