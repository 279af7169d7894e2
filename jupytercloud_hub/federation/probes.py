"""Looks whether sites are there: one probe at a time for each, so that none can hold up another."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import re
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from functools import cache

import httpx

from ..contracts.loopback import LOOPBACK
from ..contracts.text import Text
from ..settings.federation import FederationSite, HealthSettings
from .board import Board
from .health import Health, ProbeResult, next_probe

log = logging.getLogger("jupytercloud")

VERSION_HEADER = "X-JupyterHub-Version"
MAX_ANSWER = 64 * 1024

ClientFactory = Callable[[FederationSite], httpx.AsyncClient]


@cache
def _certificates() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def client(site: FederationSite) -> httpx.AsyncClient:
    """Return a client for one probe of a site: each probe connects anew, as people do."""
    address = httpx.URL(site.probe_url or site.url)
    return httpx.AsyncClient(
        base_url=address,
        timeout=None,  # noqa: S113 - the probe as a whole has a deadline
        verify=_certificates(),
        headers={"User-Agent": "jupytercloud-hub", "Connection": "close"},
        follow_redirects=False,
        trust_env=address.host not in LOOPBACK,
    )


async def probe(site: httpx.AsyncClient, settings: HealthSettings) -> ProbeResult:
    """Look at one site once: the hub behind its proxy, and whether its version will do. Raises nothing."""
    begun = time.monotonic()

    def result(good: bool, reason: Text, version: str | None = None) -> ProbeResult:
        return ProbeResult(good, timedelta(seconds=time.monotonic() - begun), reason, version)

    try:
        async with asyncio.timeout(settings.timeout.total_seconds()):
            status, headers, _ = await _get(site, "hub/health")
            if status != 200:
                return result(False, Text("Its hub answered with status {status}.", status=status))
            version = headers.get(VERSION_HEADER) or await _version(site)
    except TimeoutError:
        seconds = f"{settings.timeout.total_seconds():g}"
        return result(False, Text("It did not answer within {seconds} s.", seconds=seconds))
    except Exception as error:
        return result(False, _why(error))
    if version is None:
        return result(False, Text("Something answers there, but it is no JupyterHub."))
    if _numbers(version) < _numbers(settings.oldest_api):
        return result(
            False,
            Text("It runs JupyterHub {version}; {oldest} is needed.", version=version, oldest=settings.oldest_api),
            version,
        )
    took = f"{(time.monotonic() - begun) * 1000:.0f}"
    return result(True, Text("It answered within {milliseconds} ms.", milliseconds=took), version)


async def _get(site: httpx.AsyncClient, path: str) -> tuple[int, httpx.Headers, bytes]:
    async with site.stream("GET", path) as response:
        body = b""
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_ANSWER:
                raise ValueError("an answer without end")
        return response.status_code, response.headers, body


async def _version(site: httpx.AsyncClient) -> str | None:
    """A balancer may take the header away: the API's root tells the version too."""
    status, _, body = await _get(site, "hub/api/")
    if status != 200:
        return None
    match = re.search(rb'"version":\s*"([0-9A-Za-z.+-]{1,40})"', body)
    return match[1].decode() if match else None


def _why(error: Exception) -> Text:
    if isinstance(error, httpx.ConnectError):
        if "certificate" in str(error).lower():
            return Text("Its certificate is not good.")
        return Text("Nothing listens at its address.")
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError):
        return Text("It broke the connection off.")
    return Text("It can't be reached ({kind}).", kind=type(error).__name__)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


class Prober:
    """Probes all sites of a board until it is stopped, each in a task of its own, all in a thread of their own.

    The thread is there because a portal under heavy load answers everything late, its own probes too: they would
    time out, and sites that are well would be taken for dead. The board is only touched in the loop that made it.
    """

    def __init__(
        self,
        board: Board,
        settings: HealthSettings,
        *,
        make_client: ClientFactory = client,
        rng: random.Random | None = None,
        on_probe: Callable[[str, ProbeResult, Health], None] = lambda name, result, health: None,
    ) -> None:
        self._board = board
        self._settings = settings
        self._make_client = make_client
        self._rng = rng or random.Random()  # noqa: S311 - spreads probes, decides nothing
        self._on_probe = on_probe
        self._home: asyncio.AbstractEventLoop | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._tasks: dict[str, tuple[FederationSite, Future[None]]] = {}
        self._wake: dict[str, asyncio.Event] = {}

    def follow(self) -> None:
        """Probe exactly the sites that are on the board now; those that moved are looked at anew."""
        loop = self._running()
        sites = self._board.sites
        for name, (site, task) in list(self._tasks.items()):
            if name not in sites or (sites[name].url, sites[name].probe_url) != (site.url, site.probe_url):
                task.cancel()
                del self._tasks[name], self._wake[name]
        for name, site in sites.items():
            if name not in self._tasks:
                self._wake[name] = asyncio.Event()
                watching = self._watch(site, self._wake[name])
                self._tasks[name] = (site, asyncio.run_coroutine_threadsafe(watching, loop))

    def look(self, name: str) -> None:
        """Probe a site at once, unless a probe is under way."""
        if name in self._wake and self._loop:
            self._loop.call_soon_threadsafe(self._wake[name].set)

    async def stop(self) -> None:
        """End all probes, and the thread."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._loop = self._thread = None
        self._tasks.clear()
        self._wake.clear()
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_cancel_all(), loop))
        loop.call_soon_threadsafe(loop.stop)
        await asyncio.to_thread(thread.join)
        loop.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._home = asyncio.get_running_loop()
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="probes", daemon=True)
            self._thread.start()
        return self._loop

    async def _watch(self, site: FederationSite, wake: asyncio.Event) -> None:
        while True:
            begun = time.monotonic()
            wake.clear()
            try:
                # Never the last one's client: a pool may keep the place of a request that ran out of time for ever.
                async with self._make_client(site) as connection:
                    result = await probe(connection, self._settings)
                health = await self._tell(site.name, result)
                if health is None:
                    return
                wait = next_probe(health, self._settings, self._rng).total_seconds()
            except Exception:  # a site that nobody looks at any more would keep its state for good
                log.exception("federation: the probe of site %r failed", site.name)
                wait = self._settings.interval.total_seconds()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, begun + wait - time.monotonic())):
                    await wake.wait()

    async def _tell(self, name: str, result: ProbeResult) -> Health | None:
        """Let the board's loop take a result in, and return what it makes of it."""
        answer: Future[Health | None] = Future()

        def take() -> None:
            if not answer.set_running_or_notify_cancel():
                return
            try:
                health = self._board.probed(name, result)
                if health is not None:
                    self._on_probe(name, result, health)
            except Exception as error:
                answer.set_exception(error)
            else:
                answer.set_result(health)

        assert self._home is not None
        self._home.call_soon_threadsafe(take)
        return await asyncio.wrap_future(answer)


async def _cancel_all() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
