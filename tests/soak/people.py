"""Simulated people: a browser each, with its own cookies, its own cache of what pages load, and its own connections.

aiohttp, not the tests' httpx: a thousand browsers share two cores with the hubs that they visit, and have to be cheap.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from html import unescape
from typing import Any
from urllib.parse import urljoin

import aiohttp
from yarl import URL

_ASSET = re.compile(r'(?:src|href)="(/[^"]+\.(?:css|js|svg|png|ico)(?:\?[^"]*)?)"')
_XSRF = re.compile(r'xsrf_token: "([^"]+)"')
REDIRECTS = 25
NOT_NOW = (429, 503)
"""Too many starts at once, or a site that is away: said honestly, with a way out."""
AGAIN = 1.0
"""Seconds until she presses a button that is still there."""
PATIENCE = 120.0
"""Seconds for one step; who waits longer has given up, which is a failure."""


class Failed(Exception):
    """A step did not end as it should."""


@dataclass(frozen=True)
class Took:
    """One step of one person."""

    side: str
    step: str
    at: float
    """When it began, of the monotonic clock."""
    seconds: float


@dataclass
class Diary:
    """What everybody met."""

    took: list[Took] = field(default_factory=list)
    failed: list[tuple[str, str, str]] = field(default_factory=list)
    """Side, step, why."""
    requests: dict[str, int] = field(default_factory=dict)
    """Requests by side, all of them, assets too."""
    met: dict[str, int] = field(default_factory=dict)
    """By side, what was neither a success nor a redirect: HTTP's statuses, buttons that had to be pressed again."""


@dataclass(frozen=True)
class Page:
    url: str
    status: int
    text: str
    location: str = ""
    retry: float = 2.0
    """Seconds after which it says to try again."""

    @property
    def path(self) -> str:
        return URL(self.url, encoded=True).path


def words(page: Page) -> str:
    """Return what a page says."""
    text = re.sub(r"<(script|style|head)\b.*?</\1>|<[^>]+>", " ", page.text, flags=re.DOTALL)
    return " ".join(text.split())[:300]


class Person:
    """Somebody at one side: ``ours`` comes through the portal, ``stock`` and ``site`` straight to the hub."""

    def __init__(
        self, side: str, entry: str, hub: str, who: tuple[str, str], diary: Diary, *, assets: bool = True
    ) -> None:
        """``entry``: the address she has; ``hub``: that of the hub where her server is to be."""
        self.side, self.entry, self.hub, self.diary = side, entry, hub, diary
        self.login, self.organization = who
        self.assets = assets
        self.user = ""
        self.page = Page("", 0, "")
        self.socket: aiohttp.ClientWebSocketResponse | None = None
        self._cached: set[str] = set()
        self._http: aiohttp.ClientSession | None = None

    # -- a browser

    @property
    def http(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                cookie_jar=aiohttp.CookieJar(unsafe=True),
                connector=aiohttp.TCPConnector(limit_per_host=6, keepalive_timeout=10),
                headers={"Accept-Language": "fr", "Accept": "text/html,*/*;q=0.8", "User-Agent": "Mozilla/5.0 soak"},
                timeout=aiohttp.ClientTimeout(total=PATIENCE),
            )
        return self._http

    async def leave(self) -> None:
        """Close the browser: cookies and cache are gone."""
        if self.socket is not None:
            await self.socket.close()
        if self._http is not None:
            await self._http.close()
        self._http = self.socket = None
        self._cached.clear()

    async def _send(self, method: str, url: str, **more: Any) -> Page:
        self.diary.requests[self.side] = self.diary.requests.get(self.side, 0) + 1
        try:
            async with self.http.request(method, URL(url, encoded=True), allow_redirects=False, **more) as answer:
                text = (await answer.read()).decode(errors="replace")
                wait = answer.headers.get("Retry-After", "")
                page = Page(url, answer.status, text, answer.headers.get("Location", ""))
                if wait.isdigit():
                    page = replace(page, retry=float(wait))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Failed(f"{method} {url}: {type(error).__name__} {error}") from None
        if page.status >= 400:
            self._count(str(page.status))
            if page.status not in (424, *NOT_NOW):
                raise Failed(f"{method} {page.path}: {page.status} {words(page)}")
        return page

    def _count(self, what: str) -> None:
        key = f"{self.side}: {what}"
        self.diary.met[key] = self.diary.met.get(key, 0) + 1

    async def _follow(self, page: Page, until: str = "") -> Page:
        """Follow redirects to the end, or up to one that leads to an address which begins with ``until``."""
        for _ in range(REDIRECTS):
            if not page.location or page.status not in (301, 302, 303, 307, 308):
                break
            target = urljoin(page.url, page.location)
            if until and target.startswith(until):
                return Page(target, 0, "")
            page = await self._send("GET", target)
        else:
            raise Failed(f"redirected for ever at {page.url}")
        if "/interaction/" in page.path:
            form = {"username": self.login, "password": "demo"}
            address = str(URL(page.url, encoded=True).with_query(organization=self.organization))
            return await self._follow(await self._send("POST", address, data=form), until)
        await self._load(page)
        return page

    async def open(self, url: str, until: str = "") -> Page:
        """Open an address; where a page says "not now", wait as long as it says and try again, as a person does."""
        while True:
            page = await self._follow(await self._send("GET", url), until)
            if page.status not in NOT_NOW:
                return page
            await asyncio.sleep(page.retry)

    async def _load(self, page: Page) -> None:
        """Load what the page names and the browser does not have yet, as a browser does."""
        if not self.assets or "/interaction/" in page.path:
            return
        wanted = {urljoin(page.url, unescape(path)) for path in _ASSET.findall(page.text)} - self._cached
        self._cached |= wanted
        if wanted:
            await asyncio.gather(*(self._send("GET", url) for url in sorted(wanted)))

    # -- what she does

    async def step(self, name: str, doing: Callable[[], Awaitable[None]]) -> bool:
        """Do a step and note how long it took; False where it failed, with the reason in the diary."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                await doing()
        except (Failed, TimeoutError, aiohttp.ClientError, OSError) as error:
            self.diary.failed.append((self.side, name, f"{type(error).__name__} {error}"[:400]))
            return False
        self.diary.took.append(Took(self.side, name, began, time.monotonic() - began))
        return True

    async def arrive(self) -> bool:
        """Come in, log in wherever it is asked, start a server, see its first page."""
        if self.side == "ours" and not await self.step("portal", self._portal):
            return False
        return await self.step("login", self._login) and await self.step("start", self._start)

    async def visit_portal(self) -> bool:
        """Log in at the portal and be sent to a site; no further."""
        return await self.step("portal", self._portal)

    async def _portal(self) -> None:
        self.page = await self.open(self.entry, until=self.hub)
        if not self.page.url.startswith(self.hub):
            raise Failed(f"the portal did not lead to {self.hub}, but {self.page.status} {self.page.url}")

    async def _login(self) -> None:
        """Log in at the hub, up to the moment at which it sends her to the start of a server."""
        start = f"{self.hub}hub/spawn"
        self.page = await self.open(self.page.url or self.entry, until=start)
        if not self.page.url.startswith(start):
            raise Failed(f"no login: {self.page.status} {self.page.url} {words(self.page)}")

    async def _start(self) -> None:
        """Start a server and wait for it, as the pages lead her.

        A hub whose loop is full shows the page of a server that does not run before the start has begun (JupyterHub
        6.1.1 leads there after a second, whether or not the start is under way): she presses its button.
        """
        page = await self.open(self.page.url)
        while "<title>JupyterLab</title>" not in page.text:
            if form := re.search(r'id="spawn_form"[^>]*?action="([^"]+)"', page.text, re.DOTALL):
                data = aiohttp.FormData(default_to_multipart=True)
                data.add_field("profile", "jupyterlab")
                page = await self._follow(await self._send("POST", urljoin(page.url, unescape(form[1])), data=data))
            elif events := re.search(r'new EventSource\("([^"]+)"\)', page.text):
                await self._wait(urljoin(page.url, unescape(events[1])))
                page = await self.open(page.url)
            elif button := re.search(r'id="start"[^>]*?href="([^"]+)"', page.text, re.DOTALL):
                self._count("pressed start once more")
                await asyncio.sleep(AGAIN)
                page = await self.open(urljoin(page.url, unescape(button[1])))
            else:
                break
        self._at_her_server(page)

    async def _wait(self, events: str) -> None:
        """Listen until her server is ready, as the page that shows the progress does."""
        self.diary.requests[self.side] += 1
        async with self.http.get(URL(events, encoded=True), headers={"Accept": "text/event-stream"}) as answer:
            async for line in answer.content:
                if line.startswith(b"data:"):
                    told = json.loads(line[5:])
                    if told.get("failed"):
                        raise Failed(f"the start failed: {told.get('message')}")
                    if told.get("ready"):
                        return
        raise Failed(f"{events} ended before the server was ready")

    def _at_her_server(self, page: Page) -> None:
        if page.status != 200 or "<title>JupyterLab</title>" not in page.text:
            raise Failed(f"not at a server: {page.status} {page.url} {words(page)}")
        self.page, self.user = page, page.path.removeprefix(URL(self.hub).path).split("/")[1]

    async def compute(self, cells: int) -> bool:
        """Open a kernel and let it compute; the connection stays open, as a tab's does."""
        return await self.step("kernel", lambda: self._compute(cells))

    async def _compute(self, cells: int) -> None:
        base = f"{self.hub}user/{self.user}/"
        xsrf = self.http.cookie_jar.filter_cookies(URL(f"{base}api/kernels", encoded=True)).get("_xsrf")
        headers = {"X-XSRFToken": xsrf.value} if xsrf else {}
        made = await self._send("POST", f"{base}api/kernels", headers=headers, json={"name": "python3"})
        kernel = json.loads(made.text)["id"]
        if self.socket is not None:
            await self.socket.close()
        channels = URL(f"{base.replace('http', 'ws', 1)}api/kernels/{kernel}/channels?session_id=s", encoded=True)
        self.socket = await self.http.ws_connect(channels, heartbeat=None)
        for cell in range(cells):
            asked = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "session": "s", "version": "5.3"}
            content = {"code": f"sum(range({1000 + cell}))", "silent": False, "store_history": True}
            await self.socket.send_json(
                {"channel": "shell", "header": asked, "parent_header": {}, "metadata": {}, "content": content}
            )
            idle = False
            while not idle:
                told = await self.socket.receive_json(timeout=PATIENCE)
                if told["parent_header"]["msg_id"] != asked["msg_id"]:
                    raise Failed("an answer to a question that was not asked")
                idle = told["content"].get("execution_state") == "idle"

    async def come_back(self) -> bool:
        """Come through the front door once more, with the cookies she has: her own server, which runs."""
        return await self.step("return", self._come_back)

    async def _come_back(self) -> None:
        page = await self.open(self.entry)
        user = self.user
        self._at_her_server(page)
        if not page.url.startswith(f"{self.hub}user/{user}/"):
            raise Failed(f"came back to {page.url}, not to {self.hub} as {user}")

    async def stop(self) -> bool:
        """Stop her server with the button of the hub's page."""
        return await self.step("stop", self._stop)

    async def _stop(self) -> None:
        if self.socket is not None:
            await self.socket.close()
            self.socket = None
        page = await self.open(f"{self.hub}hub/home")
        if not (token := _XSRF.search(page.text)):
            raise Failed(f"no token at {page.url}: {words(page)}")
        url = f"{self.hub}hub/api/users/{self.user}/server?_xsrf={token[1]}"
        done = await self._send("DELETE", url, headers={"Referer": f"{self.hub}hub/home"})
        if done.status not in (202, 204):
            raise Failed(f"not stopped: {done.status} {words(done)}")
