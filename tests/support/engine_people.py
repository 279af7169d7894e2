"""A person at a hub on an engine: logs in at LemonLDAP::NG, starts a server, computes over a kernel's websocket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import ssl
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urljoin, urlsplit

import httpx
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from tests.support.lemonldap import ORGANIZATION, log_in
from tests.support.login import Browser


class Kernel:
    """One websocket to one kernel; never opened a second time."""

    def __init__(self, socket: WebSocketClientConnection, number: str) -> None:
        self.socket, self.number, self.opened, self.session = socket, number, 1, uuid.uuid4().hex

    async def is_closed(self) -> bool:
        """Read what is left to read, up to the end."""
        async with asyncio.timeout(60):
            while await self.socket.read_message() is not None:
                pass
        return True

    async def run(self, code: str, seconds: float = 120) -> str:
        """Execute code; return how its last value is shown."""
        number = uuid.uuid4().hex
        header = {
            "msg_id": number,
            "msg_type": "execute_request",
            "username": "",
            "session": self.session,
            "version": "5.3",
        }
        content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
        message = {
            "header": header,
            "parent_header": {},
            "metadata": {},
            "content": content,
            "channel": "shell",
            "buffers": [],
        }
        await self.socket.write_message(json.dumps(message))
        value = ""
        async with asyncio.timeout(seconds):
            while True:
                said = await self.socket.read_message()
                assert said is not None, "the websocket was closed"
                reply = json.loads(said)
                if reply["parent_header"].get("msg_id") != number:
                    continue
                kind, content = reply["msg_type"], reply["content"]
                assert kind != "error", content
                if kind == "execute_result":
                    value = content["data"]["text/plain"]
                elif kind == "status" and content["execution_state"] == "idle":
                    return value


class Place(Protocol):
    """A hub behind TLS: its address, and the files of the authority that signed its certificate."""

    url: str
    pems: dict[str, Path]


class Person(Browser):
    """A browser of somebody at a hub."""

    def __init__(self, stack: Place, account: str) -> None:
        self.stack, self.account, self.name = stack, account, f"{account}@{ORGANIZATION}"
        self.base = f"{stack.url}hub/"
        trusted = ssl.create_default_context(cafile=str(stack.pems["authority"]))
        self.http = httpx.AsyncClient(headers={"Accept-Language": "fr"}, verify=trusted, trust_env=False, timeout=120)
        self.visited = []

    async def log_in(self) -> None:  # type: ignore[override]
        page = await log_in(self, await self.get("login?next=/hub/home"), self.account)
        assert page.status_code == 200, page.text[:2000]
        assert str(page.url).endswith("/hub/home"), page.url

    async def start(self, profile: str) -> None:
        """Send the spawn form, and wait until the server answers."""
        async with asyncio.timeout(240):
            while any(server.get("pending") == "stop" for server in (await self.model())["servers"].values()):
                await asyncio.sleep(0.5)
        form = await self.get("spawn")
        if "/spawn-pending/" not in str(form.url) and "/user/" not in str(form.url):
            xsrf = re.search(r'name="_xsrf" value="([^"]+)"', form.text)
            assert xsrf, form.text[:2000]
            answer = await self.http.post(form.url, data={"profile": profile, "_xsrf": xsrf[1]})
            assert answer.is_redirect, answer.text[:3000]
        async with asyncio.timeout(600):
            while not (server := (await self.model())["servers"].get("")) or not server["ready"]:
                assert server, "the start failed: what the hub logged says why"
                await asyncio.sleep(0.5)

    async def model(self) -> dict[str, Any]:
        own = urljoin(self.base, f"api/users/{self.name}")
        answer = await self.http.get(own, headers={"Referer": urljoin(self.base, "home")})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def server_is_ready(self) -> bool:
        server = (await self.model())["servers"].get("")
        return bool(server and server["ready"])

    async def stop(self) -> None:
        """Stop the server as its page does."""
        xsrf = next(c.value for c in self.http.cookies.jar if c.name == "_xsrf" and c.path == urlsplit(self.base).path)
        own = urljoin(self.base, f"api/users/{self.name}/server")
        answer = await self.http.delete(own, headers={"Referer": urljoin(self.base, "home"), "X-XSRFToken": str(xsrf)})
        assert answer.status_code in (202, 204), answer.text
        async with asyncio.timeout(240):
            while (await self.model())["servers"]:
                await asyncio.sleep(0.5)

    @contextlib.asynccontextmanager
    async def kernel(self, number: str = "") -> AsyncIterator[Kernel]:
        """Open the server as a browser does (it logs in at the hub by itself), start a kernel, open its websocket.

        With ``number`` a websocket to a kernel that runs.
        """
        own = urljoin(self.stack.url, (await self.model())["servers"][""]["url"])
        page = await self._follow(await self.http.get(f"{own}lab"))
        assert page.status_code == 200, f"{page.url}: {page.text[:500]}"
        place = unquote(urlsplit(own).path)
        found = [c for c in self.http.cookies.jar if c.name == "_xsrf" and unquote(c.path) == place]
        assert found, [(c.name, c.path) for c in self.http.cookies.jar]
        xsrf = found[0].value
        if not number:
            headers = {"X-XSRFToken": str(xsrf)}
            made = await self.http.post(f"{own}api/kernels", headers=headers, json={"name": "python3"})
            assert made.status_code == 201, f"{made.status_code} {made.text[:1000]}"
            number = made.json()["id"]
        address = f"{own}api/kernels/{number}/channels"
        cookies = self.http.build_request("GET", address).headers["cookie"]
        request = HTTPRequest(
            address.replace("https://", "wss://"),
            headers={"Cookie": cookies, "Origin": self.stack.url.rstrip("/")},
            ca_certs=str(self.stack.pems["authority"]),
            request_timeout=60,
        )
        socket = await websocket_connect(request)
        try:
            yield Kernel(socket, number)
        finally:
            socket.close()
