"""Runs inside a person's Jupyter server: tells the culler what is truly going on, and her when it stops.

What the hub tells everybody comes the same way.

A kernel that computes is activity, with or without a browser; so is a key or a click in JupyterLab, a saved file,
a terminal that moves. A tab that is open and does nothing is not. The server's own token is all that it uses.

It needs nothing of the hub's package but this file and ``lab/``: an image may install jupytercloud-hub without its
dependencies. It does nothing where ``JUPYTERCLOUD_CULLER_URL`` is not set.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import ensure_async, url_path_join
from tornado import web

log = logging.getLogger("jupytercloud.culling")

CONTENTS_EVENTS = "https://events.jupyter.org/jupyter_server/contents_service/v1"
DONE_BY_SOMEBODY = frozenset({"save", "create", "rename", "copy", "delete"})
REPORT_SECONDS = 120.0
"""Until the culler says how often it wants to hear."""
TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Place:
    """Which server this is, and where its culler is."""

    url: str
    token: str

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Place | None:
        """Return None where JupyterHub or a culler is missing."""
        culler, user = environ.get("JUPYTERCLOUD_CULLER_URL"), environ.get("JUPYTERHUB_USER")
        token = environ.get("JUPYTERHUB_API_TOKEN")
        if not (culler and user and token):
            return None
        server = environ.get("JUPYTERHUB_SERVER_NAME") or "~"
        return cls(f"{culler}api/v1/servers/{quote(user, safe='')}/{quote(server, safe='~')}", token)


class Watch:
    """Looks at the server every now and then, reports, and keeps the culler's answer for JupyterLab."""

    def __init__(self, server: Any, place: Place) -> None:
        self._server = server
        self._place = place
        self._task: asyncio.Task[None] | None = None
        self._soon = asyncio.Event()
        self.touched_at: datetime = server.web_app.settings["started"]
        self.language = ""
        self.answer: dict[str, Any] = {}

    def begin(self) -> None:
        """Report from now on."""
        self._server.event_logger.add_listener(schema_id=CONTENTS_EVENTS, listener=self._on_contents)
        self._task = asyncio.create_task(self._report_always())

    def end(self) -> None:
        """Report no more."""
        if self._task:
            self._task.cancel()

    def touch(self) -> None:
        """Note that somebody did something; while a stop is announced, the culler is told at once."""
        self.touched_at = datetime.now(UTC)
        if self.answer.get("warned"):
            self._soon.set()

    async def seen(self) -> tuple[datetime, list[str]]:
        """Return when the server was last active, and what it computes now (notebooks by their path)."""
        moments, busy = [self.touched_at], []
        paths = await self._paths()
        for kernel in await ensure_async(self._server.kernel_manager.list_kernels()):
            moments.append(_moment(kernel["last_activity"]))
            if kernel.get("execution_state") == "busy":
                busy.append(paths.get(kernel["id"]) or str(kernel.get("name", "kernel")))
        terminals = self._server.web_app.settings.get("terminal_manager")
        for terminal in terminals.list() if terminals else []:
            moments.append(_moment(terminal["last_activity"]))
        return max(moments), sorted(busy)[:50]

    async def ask(self, method: str, path: str = "", body: Any = None, language: str = "") -> tuple[int, Any]:
        """Call the culler about this server; return the status and the JSON of its answer."""
        headers = {"Authorization": f"Bearer {self._place.token}", "Content-Type": "application/json"}
        if language or self.language:
            headers["Accept-Language"] = language or self.language
        data = None if body is None else json.dumps(body).encode()
        url = f"{self._place.url}{path}"
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - the hub's own address
        return await asyncio.to_thread(_open, request)

    async def report(self) -> None:
        """Report once; a culler that is away is told the next time."""
        active, busy = await self.seen()
        body = {"last_activity": active.isoformat(), "busy": busy}
        try:
            status, answer = await self.ask("POST", "/activity", body)
        except OSError as error:
            log.warning("the culler could not be told what this server does: %s", error)
            return
        if status == 200:
            self.answer = answer
        else:
            log.warning("the culler answered %s to a report: %s", status, answer)

    async def _report_always(self) -> None:
        while True:
            try:
                await self.report()
            except Exception:
                log.exception("no report this time")
            pause = float(self.answer.get("report_in") or REPORT_SECONDS)
            self._soon.clear()
            try:
                await asyncio.wait_for(self._soon.wait(), pause)
            except TimeoutError:
                continue

    async def _paths(self) -> dict[str, str]:
        sessions = await ensure_async(self._server.session_manager.list_sessions())
        return {session["kernel"]["id"]: session["path"] for session in sessions if session.get("kernel")}

    async def _on_contents(self, logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        if data.get("action") in DONE_BY_SOMEBODY:
            self.touch()


class _Handler(APIHandler):
    """Asks about a stop are no activity themselves."""

    _track_activity = False

    @property
    def watch(self) -> Watch:
        return self.settings["jupytercloud_watch"]  # type: ignore[no-any-return]

    def give(self, status: int, answer: Any) -> None:
        self.set_status(status)
        self.finish(json.dumps(answer))


class StopHandler(_Handler):
    """``GET jupytercloud/stop``: what the culler last said of this server."""

    @web.authenticated
    async def get(self) -> None:
        """Answer from memory; only a change of language asks the culler."""
        language = self.request.headers.get("Accept-Language", "")
        if language != self.watch.language:
            self.watch.language = language
            await self.watch.report()
        self.give(200, self.watch.answer)


class NoticeHandler(_Handler):
    """``GET jupytercloud/stop/notice.js``: the same for pages of this server that are not JupyterLab, such as Voilà's.

    ``<script src="…/jupytercloud/stop/notice.js" defer></script>`` is all that such a page needs.
    """

    @web.authenticated
    def get(self) -> None:
        """Give the script."""
        script = (Path(__file__).parent / "lab" / "notice.js").read_text(encoding="utf-8")
        self.finish(script, set_content_type="text/javascript; charset=utf-8")


class KeepHandler(_Handler):
    """``POST jupytercloud/stop/keep``: "keep it", with the server's own token."""

    @web.authenticated
    async def post(self) -> None:
        """Pass the culler's answer on, a refusal too."""
        status, answer = await self.watch.ask("POST", "/keep", language=self.watch.language)
        if status == 200:
            self.watch.answer = answer
        self.give(status, answer)


class HereHandler(_Handler):
    """``POST jupytercloud/stop/here``: somebody uses the keyboard or the mouse in JupyterLab."""

    @web.authenticated
    async def post(self) -> None:
        """Note it."""
        self.watch.touch()
        self.give(200, {})


def _open(request: urllib.request.Request) -> tuple[int, Any]:
    # urllib honours HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE, and every Python has it.
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        try:
            return error.code, json.load(error)
        except ValueError:
            return error.code, {}


def _moment(value: str | datetime) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _link_jupyter_server_extension(server: Any) -> None:
    """Show JupyterLab where our notice is, before it looks for its own extensions."""
    lab = server.config.LabApp
    paths = list(lab.extra_labextensions_path) if "extra_labextensions_path" in lab else []
    lab.extra_labextensions_path = [*paths, str(Path(__file__).parent / "lab")]


def _load_jupyter_server_extension(server: Any) -> None:
    place = Place.from_environment()
    if place is None:
        log.info("no culler is named in JUPYTERCLOUD_CULLER_URL: nothing to report to")
        return
    watch = Watch(server, place)
    server.web_app.settings["jupytercloud_watch"] = watch
    base = url_path_join(server.web_app.settings["base_url"], "jupytercloud", "stop")
    handlers = [
        (base, StopHandler),
        (f"{base}/keep", KeepHandler),
        (f"{base}/here", HereHandler),
        (f"{base}/notice[.]js", NoticeHandler),
    ]
    server.web_app.add_handlers(".*$", handlers)
    server.io_loop.add_callback(watch.begin)
