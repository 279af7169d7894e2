"""Simulated people: they come through the portal, log in, start a server, compute, keep something, and come back.

Whatever answers them is judged: the service, or a page that says honestly what is so. A person tries again as a
person would, until she is served or her patience ends.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

import httpx

from jupytercloud_hub.demo import people as demo_people
from jupytercloud_hub.demo.plan import expected_site

from .topology import World

PATIENCE = 240.0
AGAIN = 1.0
"""Seconds until she tries again."""
TRACES = ("Traceback (most recent call last)", "sqlalchemy.exc", "psycopg.", 'File "/')
_TAGS = re.compile(r"<(script|style)\b.*?</\1>|<[^>]+>", re.DOTALL)
INVITED, INVITED_TO = "ens-plateau.example", ("grenoble",)
"""The demo's rule ``invites``."""
BARE = ("Service Unavailable", "Not Found", "Internal Server Error", "Bad Gateway")
"""All that configurable-http-proxy says by itself when its hub, which makes its error pages, is away too."""


class NotYet(Exception):
    """She got an honest page instead of what she came for; she will try again."""


def judge(answer: httpx.Response) -> str:
    """Return what is dishonest about a page, empty where nothing is."""
    where = f"{answer.request.method} {answer.request.url} → {answer.status_code}"
    if answer.is_redirect or answer.status_code in (204, 304):
        return ""
    text = answer.text
    if any(trace in text for trace in TRACES):
        return f"{where}: a stack trace or an engine's words: {text[:600]}"
    words = " ".join(_TAGS.sub(" ", text).split())
    if words in BARE and answer.status_code >= 400:
        return ""
    if "json" in answer.headers.get("content-type", ""):
        return "" if words else f"{where}: nothing at all"
    if len(words) < 10:
        return f"{where}: a blank page: {text[:200]!r}"
    if answer.status_code >= 400:
        title = re.search(r"<title>(.*?)</title>", text, re.DOTALL)
        if not title or not title[1].strip() or "<h1" not in text:
            return f"{where}: a page without title and heading: {words[:300]}"
    return ""


@dataclass
class Story:
    """What a run's people met."""

    served: set[int] = field(default_factory=set)
    """Processes of single-user servers that answered somebody."""
    wrong: list[str] = field(default_factory=list)
    honest: int = 0
    """Pages that said that something is away, or to wait."""
    refused: Counter[str] = field(default_factory=Counter)
    """Connections that nobody took, for each hub and the provider: right only where that is what was ended."""
    why: dict[str, str] = field(default_factory=dict)
    """The last of them."""
    bare: int = 0
    """Of the honest ones, those that the proxy had to make by itself: two words, and no way out."""
    done: int = 0


@dataclass
class Visitor:
    """One of the demo's people with her browser."""

    made_up: demo_people.MadeUpPerson
    world: World
    http: httpx.AsyncClient = field(init=False)
    story: Story = field(default_factory=Story)
    words: list[str] = field(default_factory=list)
    """What she kept in her home, in order."""
    user: str = ""

    def __post_init__(self) -> None:
        self.new_browser()

    at: str = ""
    """Where the portal sent her at first: her home from then on."""

    @property
    def site(self) -> str | None:
        return self.at or expected_site(self.made_up)

    @property
    def may_go(self) -> set[str]:
        """Where the demo's rules allow her: a first visit goes elsewhere among them when the preferred site is away."""
        expected = expected_site(self.made_up)
        return {*([expected] if expected else []), *(INVITED_TO if self.made_up.organization == INVITED else ())}

    def new_browser(self) -> None:
        """Forget all cookies: she comes from another machine."""
        self.http = httpx.AsyncClient(
            timeout=60, trust_env=False, headers={"Accept-Language": "fr", "Accept": "text/html,*/*;q=0.8"}
        )

    # -- a browser

    async def open(self, address: str) -> httpx.Response:
        """Open an address, follow it to its end, log in where the provider asks."""
        page = await self._follow(await self._send("GET", address))
        if "/interaction/" in page.url.path:
            form = {"username": self.made_up.login, "password": self.made_up.password}
            login = str(page.url.copy_with(params={"organization": self.made_up.organization}))
            page = await self._follow(await self._send("POST", login, data=form))
        return page

    async def _send(self, method: str, address: str, **more: Any) -> httpx.Response:
        try:
            try:
                answer = await self.http.request(method, address, **more)
            except (httpx.RemoteProtocolError, httpx.ReadError):
                if method != "GET":
                    raise
                # As a browser does (RFC 9112, 9.3.1): a connection that was kept may end just when it is used again.
                answer = await self.http.request(method, address, **more)
        except httpx.TransportError as error:
            self.story.refused[self.world.name_of(address)] += 1
            self.story.why[self.world.name_of(address)] = f"{method} {address}: {type(error).__name__} {error}"
            raise NotYet(f"{address}: {type(error).__name__} {error}") from None
        self.story.bare += answer.status_code >= 400 and answer.text.strip() in BARE
        if fault := judge(answer):
            self.story.wrong.append(f"{self.made_up.login}: {fault}")
        return answer

    async def _follow(self, answer: httpx.Response) -> httpx.Response:
        for _ in range(30):
            if not answer.is_redirect:
                return answer
            answer = await self._send("GET", urljoin(str(answer.url), answer.headers["location"]))
        self.story.wrong.append(f"{self.made_up.login}: an endless redirect at {answer.url}")
        raise NotYet(f"{answer.url}: an endless redirect")

    # -- what she does

    async def job(self, word: str) -> None:
        """Arrive, start a server unless one runs, compute and keep a word, come back and find it."""
        await self._until(self.arrive)
        await self._until(lambda: self.work(word))
        self.words.append(word)
        await self._until(self.come_back)
        self.story.done += 1

    async def arrive(self) -> None:
        """Come to the portal with a deep link and land at her own site."""
        page = await self.open(f"{self.world.plan.hub('portal').url}services/federation/go/hub/user-redirect/work")
        self._at_her_site(page)

    def _at_her_site(self, page: httpx.Response) -> None:
        here = page.url.path.split("/")[1]
        if not self.at and here in self.may_go and page.status_code < 500:
            self.at = here
        if here == self.at and (page.status_code < 400 or page.status_code == 424):  # 424: her server does not run
            return
        for other in self.world.plan.hubs:
            if other.role == "site" and here == other.name and (here not in self.may_go or here != (self.at or here)):
                self.story.wrong.append(f"{self.made_up.login} of {self.site} was sent to {page.url}")
        self.story.honest += 1
        raise NotYet(f"{page.status_code} {page.url}")

    async def work(self, word: str) -> None:
        """Let her server compute and keep; start it first where it does not run."""
        base = self.world.plan.hub(self.site or "").url
        page = await self.open(f"{base}hub/user-redirect/work")
        told = self._told(page)
        if told is None:
            form = await self.open(f"{base}hub/spawn")
            if "spawn-pending" not in form.url.path and "spawn_form" in form.text:
                await self._start(form)
            page = await self.open(f"{base}hub/user-redirect/work")
            if (told := self._told(page)) is None:
                self.story.honest += 1
                raise NotYet(f"{page.status_code} {page.url}")
        if self.words and told["kept"][: len(self.words)] != self.words:
            self.story.wrong.append(f"{self.made_up.login}: her home held {told['kept']}, not {self.words}")
        if word not in told["kept"]:
            told = self._told(await self.open(f"{page.url.copy_with(query=None)}?write={word}"))
            if told is None or word not in told["kept"]:
                raise NotYet("nothing was kept")

    async def _start(self, form: httpx.Response) -> None:
        action = re.search(r'<form[^>]*spawn_form[^>]*action="([^"]+)"', form.text)
        if not action:
            raise NotYet(f"no form at {form.url}")
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', form.text)
        data = {"profile": "jupyterlab", **({"_xsrf": xsrf[1]} if xsrf else {})}
        address = urljoin(str(form.url), action[1].replace("&amp;", "&"))
        files = {name: (None, value) for name, value in data.items()}
        await self._follow(await self._send("POST", address, files=files))

    def _told(self, page: httpx.Response) -> dict[str, Any] | None:
        """Return her server's answer; None where another page came."""
        if page.status_code != 200 or "json" not in page.headers.get("content-type", ""):
            return None
        told: dict[str, Any] = page.json()
        if "kept" not in told:
            return None
        if told["owner"] != told["who"] or (self.user and told["owner"] != self.user):
            self.story.wrong.append(f"{self.made_up.login} is in the server of {told['owner']} as {told['who']}")
        self.user = told["owner"]
        self.story.served.add(told["pid"])
        return told

    async def come_back(self) -> None:
        """Come by the portal's deep link once more: her server, her words."""
        page = await self.open(f"{self.world.plan.hub('portal').url}services/federation/go/hub/user-redirect/work")
        told = self._told(page)
        if told is None:
            self._at_her_site(page)
            await self.work(self.words[-1])
        elif told["kept"][: len(self.words)] != self.words:
            self.story.wrong.append(f"{self.made_up.login}: her home held {told['kept']}, not {self.words}")

    async def intrude(self, others: list[str]) -> None:
        """Somebody whom the rules refuse tries the portal, the sites and other people's servers."""
        portal = self.world.plan.hub("portal").url
        doors = [f"{portal}services/federation/go/hub/home"]
        doors += [f"{hub.url}hub/home" for hub in self.world.plan.hubs if hub.role == "site"]
        doors += [f"{hub.url}user/{other}/work" for hub in self.world.plan.hubs[1:] for other in others[:2]]
        for door in doors:
            try:
                page = await self.open(door)
            except NotYet:
                continue
            if page.status_code < 400 and "/interaction/" not in page.url.path and "/hub/login" not in page.url.path:
                self.story.wrong.append(f"{self.made_up.login} came in at {door} → {page.url} {page.status_code}")
        self.story.done += 1

    async def peep(self, other: str, site: str) -> None:
        """Somebody with a session of her own tries another person's server."""
        address = f"{self.world.plan.hub(site).url}user/{other}/work"
        try:
            page = await self.open(address)
        except NotYet:
            return
        if page.status_code == 200 and "json" in page.headers.get("content-type", ""):
            self.story.wrong.append(f"{self.made_up.login} looked into the server of {other}")

    async def _until(self, step: Callable[[], Awaitable[None]]) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                await step()
                return
            except NotYet as why:
                if time.monotonic() > deadline:
                    self.story.wrong.append(f"{self.made_up.login} was not served within {PATIENCE:g} s: {why}")
                    raise
                await asyncio.sleep(AGAIN)


def everybody(world: World) -> tuple[list[Visitor], list[Visitor]]:
    """Return who is let in, and who is not."""
    _, made_up = demo_people.load()
    visitors = [Visitor(person, world) for person in made_up]
    return [v for v in visitors if v.site], [v for v in visitors if not v.site]
