"""Runs services as processes beside the hub: one of them, or a small hub's together in one process."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar

from prometheus_client import CollectorRegistry
from tornado.httpserver import HTTPServer
from tornado.web import Application, StaticFileHandler

from ..hubapi import HubApi
from ..hubapi.resolver import ask_the_system
from . import common
from .access_log import log_request
from .context import ServiceContext
from .mail import Mailer
from .templating import keep_error_page

if TYPE_CHECKING:
    from ..settings import Settings

Now = Callable[[], datetime]
log = logging.getLogger("jupytercloud")

LOCK_SECONDS = 15.0
CLOSE_SECONDS = 5.0
"""How long open connections have to end by themselves when a service stops."""
STOP_SECONDS = 30.0
"""How long a service may take to end."""
PARENT_SECONDS = 0.5


def utc_now() -> datetime:
    """Return the time, aware and in UTC."""
    return datetime.now(UTC)


class Service:
    """One service: its handlers, and what runs behind them."""

    name: ClassVar[str]
    has_page: ClassVar[bool] = True
    """Whether people find a page under its prefix (then other services' pages link to it)."""

    def __init__(self, settings: Settings, context: ServiceContext, now: Now = utc_now) -> None:
        self.settings = settings
        self.context = context
        self.now = now
        self.registry = CollectorRegistry()

    async def start(self) -> None:
        """Open what the handlers need (database, clients, loops); called before the first request."""

    async def stop(self) -> None:
        """Close it again; called once, after the last request."""

    def handlers(self) -> list[tuple[Any, ...]]:
        """Return tornado handlers; each pattern is relative to the prefix of the service."""
        return []

    async def health(self) -> tuple[bool, dict[str, Any]]:
        """Return whether the service can do its work, and what ``/health`` tells beside."""
        return True, {}

    async def scopes(self) -> tuple[frozenset[str], frozenset[str]]:
        """Return the scopes that this service's token has at the hub, and the least that it needs."""
        from ..settings.configure.least import least_scopes

        async with HubApi(self.context.api_url, self.context.api_token, timeout=5) as hub:
            held = await hub.get("user")
        return frozenset(held["scopes"]), least_scopes(self.settings).get(self.name, frozenset())  # type: ignore[call-overload]

    @cached_property
    def mailer(self) -> Mailer | None:
        """What sends the letters of this hub; None where ``mail:`` names no server."""
        mail = self.settings.mail
        return Mailer(mail, self.settings.folder, self.now) if mail else None

    def neighbours(self) -> dict[str, str]:
        """Return the services of this hub that have pages: name → path."""
        from ..settings.configure.names import page_services

        base = self.context.base_url
        return {name: f"{base}services/{name}/" for name in page_services(self.settings)}

    def application(self) -> Application:
        """Return the tornado application of the service, with what all services have."""
        prefix = self.context.prefix
        static = str(resources.files("jupytercloud_hub.web") / "static")
        own = [(f"{prefix}{pattern}", *rest) for pattern, *rest in self.handlers()]
        shared: list[tuple[Any, ...]] = [
            (f"{prefix}oauth_callback", common.CallbackHandler),
            (f"{prefix}health", common.HealthHandler),
            (f"{prefix}metrics", common.MetricsHandler),
            (f"{prefix}api/v1/scopes", common.ScopesHandler),
            (f"{prefix}language", common.LanguageHandler),
            (f"{prefix}(accessibility|privacy|guide)", common.StatementHandler),
            (f"{prefix}static/(.*)", StaticFileHandler, {"path": static}),
        ]
        return Application(
            [*shared, *own],
            default_handler_class=common.NotFoundHandler,
            service=self,
            hub_auth=self.context.hub_auth(),
            cookie_secret=self.context.cookie_secret,
            xsrf_cookies=True,
            static_hash_cache=True,
            log_function=log_request,
        )


async def run(services: Sequence[Service], *, ready: asyncio.Event | None = None) -> None:
    """Run services until a signal, or until the hub that started them is gone."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    ask_the_system()
    keep_error_page()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    locks = [await _locked(service) for service in services]
    watcher = asyncio.create_task(_watch_parent(stop)) if any(s.context.managed for s in services) else None
    servers: list[HTTPServer] = []
    started: list[Service] = []
    try:
        for service in services:
            await service.start()
            started.append(service)
            server = HTTPServer(service.application(), xheaders=True)
            host, port = service.context.bind
            server.listen(port, host)
            servers.append(server)
            log.info("service %s listens on http://%s:%s%s", service.name, host, port, service.context.prefix)
        if ready:
            ready.set()
        await stop.wait()
    finally:
        for server in servers:
            server.stop()
        for server in servers:
            try:
                await asyncio.wait_for(server.close_all_connections(), CLOSE_SECONDS)
            except TimeoutError:  # somebody does not let go: no reason to leave the services as they are
                log.warning("a connection is still open after %g s: it is cut off", CLOSE_SECONDS)
        for service in reversed(started):
            try:
                await asyncio.wait_for(service.stop(), STOP_SECONDS)
            except Exception:
                log.exception("service %s did not end in order", service.name)
        if watcher:
            watcher.cancel()
        for lock in locks:
            lock.close()


async def _locked(service: Service) -> IO[str]:
    """Hold the service's lock file: of a hub's old and new process only one works at a time."""
    folder = service.settings.state_folder
    folder.mkdir(parents=True, exist_ok=True)
    lock = Path(folder / f"service-{service.name}.lock").open("a")  # noqa: ASYNC230, SIM115
    deadline = asyncio.get_running_loop().time() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if asyncio.get_running_loop().time() > deadline:
                raise SystemExit(
                    f"another process runs the service {service.name} of this hub: it holds {lock.name}"
                ) from None
            await asyncio.sleep(0.1)


async def _watch_parent(stop: asyncio.Event) -> None:
    """End with the hub: a managed service has a session of its own and would outlive a hub that was killed."""
    parent = os.getppid()
    while os.getppid() == parent:
        await asyncio.sleep(PARENT_SECONDS)
    log.warning("the hub that started this service is gone: stopping")
    stop.set()
