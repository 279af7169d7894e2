"""The culler as a service beside the hub: a pass every so often, pages for people, an API for programs."""

from __future__ import annotations

import asyncio
import logging
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..contracts.stops import STOPS_PATH
from ..hubapi.client import HubApi, HubApiError
from ..settings.culling import CullingSettings
from ..storage.plain import PlainDatabase
from ..web.service import Service
from ..web.tasks import ended
from . import pages
from .asked import Asked
from .metrics import Metrics
from .passes import Busy, Culler
from .store import Store

if TYPE_CHECKING:
    from ..settings import Settings
    from ..web.mail import Mailer
    from .letters import Letters
    from .webhook import Webhook

log = logging.getLogger("jupytercloud.culling")

PART = "culling"
STOPS_URL = "JUPYTERCLOUD_STOPS_URL"
"""Environment variable with the address of the quota service's list, where it is not the public one."""
HUB_SECONDS = 30.0
"""Longer than the hub's `slow_stop_timeout` (10 s), after which it answers a DELETE with 202."""
_DAY_SECONDS = 86_400


class CullerService(Service):
    """Stops servers that nobody uses, and tells their owners when and why."""

    name = "culler"

    culler: Culler
    store: Store

    @property
    def culling(self) -> CullingSettings:
        """The section ``culling:``; without one, only quota and maintenance stop servers."""
        return self.settings.culling or CullingSettings()

    async def start(self) -> None:
        """Open the database and begin with the passes."""
        self._database = PlainDatabase(self.settings.database_url(PART), PART)
        await self._database.upgrade()
        self.store = Store(self._database)
        self.metrics = Metrics(self.registry)
        self.metrics.foresee(rule.name for rule in self.culling.rules)
        self._api = open_api(self.settings, self.context.api_url, self.context.api_token)
        self._asked = open_asked(self.settings, self.context.api_token)
        self._webhook = open_webhook(self.settings)
        self.culler = Culler(
            self.culling,
            self.settings.site.zone,
            self._api,
            self.store,
            self.metrics,
            self.now,
            self._asked,
            self._webhook,
            open_letters(self.settings, self.mailer, self._api),
        )
        self._last_error: str | None = None
        self._tasks = [asyncio.create_task(self._passes()), asyncio.create_task(self._prune())]

    async def stop(self) -> None:
        """End after the stops under way are cut off: the next process looks at each server anew."""
        await ended(self._tasks)
        await self._api.close()
        if self._asked:
            await self._asked.close()
        if self._webhook:
            await self._webhook.close()
        await self._database.close()

    def handlers(self) -> list[tuple[Any, ...]]:
        """Return the page and the API."""
        return pages.HANDLERS

    async def health(self) -> tuple[bool, dict[str, Any]]:
        """Well when the database answers and the last pass went through."""
        read = await self.store.last_read()
        detail = {"last_pass": read.isoformat() if read else None, "last_error": self._last_error}
        return self._last_error is None, detail

    async def _passes(self) -> None:
        """One pass after the other: one that takes longer than ``every`` delays the next."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                done = await self.culler.run()
                self._last_error = None
                if done.outcomes:
                    log.info("pass over %d servers: %s", len(done.verdicts), dict(done.outcomes))
            except Busy:
                log.info("another process runs a pass: this one waits for its next turn")
            except HubApiError as error:
                self._last_error = f"the hub: {error}"
                log.warning("no pass: %s", error)
            except Exception as error:
                self._last_error = type(error).__name__
                log.exception("the pass broke; the next one comes as if it had not been")
            await asyncio.sleep(max(0.0, self.culling.every.total_seconds() - (loop.time() - began)))

    async def _prune(self) -> None:
        keep: timedelta = self.settings.privacy.retention.culling
        while True:
            try:
                await self.store.prune(self.now() - keep)
            except Exception:
                log.exception("old rows were not removed; tried again tomorrow")
            await asyncio.sleep(_DAY_SECONDS)


def open_api(settings: Settings, url: str, token: str) -> HubApi:
    """Return the hub's client, wide enough for all stops in flight and what is read beside them."""
    culling = settings.culling or CullingSettings()
    return HubApi(url, token, concurrency=culling.concurrency + 4, timeout=HUB_SECONDS)


def open_asked(settings: Settings, token: str) -> Asked | None:
    """Return the quota service's client; None for a hub without quotas."""
    if settings.quotas is None:
        return None
    url = os.environ.get(STOPS_URL) or f"{settings.site.url}services/quotas/{STOPS_PATH}"
    return Asked(url, token)


def open_letters(settings: Settings, mailer: Mailer | None, api: HubApi) -> Letters | None:
    """Return what writes to people, where the operator switched that on."""
    if mailer is None or not mailer.to_people:
        return None
    from .letters import Letters

    return Letters(mailer, api, settings.site, f"{settings.site.url}services/{CullerService.name}/")


def open_webhook(settings: Settings) -> Webhook | None:
    """Return the operator's address for warnings, if there is one. Raises `SecretMissingError`."""
    webhook = settings.culling.webhook if settings.culling else None
    if webhook is None:
        return None
    from .webhook import Webhook  # as letters: only where it was asked for

    token = webhook.token.read(settings.folder) if webhook.token else None
    return Webhook(webhook.url, token, settings.site.name, f"{settings.site.url}services/{CullerService.name}/")
