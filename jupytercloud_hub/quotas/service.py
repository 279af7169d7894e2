"""The quota service beside the hub: the ledger's keeper, its pages and its API."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import datetime
from functools import partial
from typing import Any

from ..contracts.admission import Reserve, StartKey
from ..contracts.person import Person
from ..contracts.server_record import Resources, ServerRecord
from ..contracts.text import Language
from ..hubapi import HubApi, HubApiError
from ..settings.quotas import QuotasSettings
from ..storage import Database
from ..web.service import Service
from ..web.tasks import ended
from . import manage_pages, pages
from .admission import Admission
from .clock import Clock, parent_began
from .collector import Collector
from .hub_age import hub_began
from .ledger import Ledger, Prices
from .letters import Letters
from .metrics import Metrics
from .notices import USED_UP, Notices
from .shared_limits import SharedLimits
from .store import prune
from .usage import Reader

log = logging.getLogger("jupytercloud.quotas")

PART = "quotas"
SOON_SECONDS = 2.0
"""After a look that failed the next one comes so soon (or after a heartbeat, if that is sooner)."""
_DAY_SECONDS = 86_400
LATE = 3
"""Heartbeats without a look after which the service says that it is unwell."""


def open_ledger(settings: Any, database: Database) -> tuple[Ledger, Reader]:
    """Return the ledger of a hub and its reader, as its settings say."""
    quotas: QuotasSettings = settings.quotas or QuotasSettings()
    classes = {profile.name: profile.price_class for profile in settings.profiles if profile.price_class}
    ledger = Ledger(database, settings.site.name, Prices(quotas.tariff, settings.site.zone, classes))
    return ledger, Reader(ledger, quotas)


class QuotasService(Service):
    """Counts what runs, judges what wants to start, says what is left."""

    name = "quotas"

    ledger: Ledger
    reader: Reader
    admission: Admission
    clock: Clock
    collector: Collector
    notices: Notices

    @property
    def quotas(self) -> QuotasSettings:
        """The section ``quotas:``; without one, everything is counted and nothing refused."""
        return self.settings.quotas or QuotasSettings()

    async def start(self) -> None:
        """Open the ledger, and reconcile it with the hub as soon as the hub answers."""
        self._database = Database(self.settings.database_url(PART), PART)
        await self._database.upgrade(apart=True)
        self.metrics = Metrics(self.registry)
        self.ledger, self.reader = open_ledger(self.settings, self._database)
        self.admission = Admission(
            self.ledger, self.reader, self.quotas, self.settings.site, SharedLimits(self.settings)
        )
        self._hub = HubApi(self.context.api_url, self.context.api_token)
        self.clock = Clock(self.ledger, self.now)
        self.collector = Collector(
            self.ledger,
            self._hub,
            self.settings,
            self.metrics,
            self.clock.now,
            parent_began(self.now()) if self.context.managed else self.now(),
            None if self.context.managed else partial(hub_began, self._hub),
        )
        self.notices = Notices(self.ledger, self.reader, self._person)
        self.letters = self._open_letters()
        self._posting: asyncio.Task[None] | None = None
        self._last_error: str | None = "the hub was not read yet"
        self._looked = self.now()
        await self._warm_up()
        self._tasks = [asyncio.create_task(self._looks()), asyncio.create_task(self._prune())]

    async def stop(self) -> None:
        """End; what is not counted yet is counted by the next process."""
        await ended([*self._tasks, *([self._posting] if self._posting else [])])
        await self._hub.close()
        await self._database.close()

    def handlers(self) -> list[tuple[Any, ...]]:
        """Return the pages and the API."""
        return [*pages.HANDLERS, *manage_pages.HANDLERS]

    async def health(self) -> tuple[bool, dict[str, Any]]:
        """Well when the ledger answers and the hub was read lately."""
        try:
            await self._database.ping()
        except Exception as error:  # whatever the driver raises: the ledger is away
            return False, {"ledger": type(error).__name__}
        late = self.now() - self._looked > LATE * self.quotas.heartbeat
        detail = {"last_look": self._looked.isoformat(), "last_error": self._last_error}
        return not (late and self._last_error), detail

    def profile_titles(self, language: Language) -> dict[str, str]:
        """Return the titles of the profiles that people know them by."""
        return {profile.name: profile.title.in_(language) for profile in self.settings.profiles if profile.title}

    async def _warm_up(self) -> None:
        """Refuse nobody in both languages: what is read and compiled once would make the first answer late."""
        nobody = Person(username="-", home_organization="-", groups=("-",))
        resources = Resources(cpu=1, memory=0)
        start = Reserve(
            key=StartKey(hub=self.ledger.hub, user="-", started=self.now()),
            person=nobody,
            record=ServerRecord(profile="-", resources=resources),
        )
        await self.admission.rehearse(start, self.now())
        with contextlib.suppress(Exception):  # a hub that does not answer yet is no reason not to begin
            async with asyncio.timeout(SOON_SECONDS):
                await self.context.hub_auth().user_for_token(self.context.api_token, sync=False)

    async def look(self) -> None:
        """One heartbeat: count, close, adopt, warn."""
        with self.metrics.look_seconds.time():
            found = await self.collector.look()
            await self.clock.keep()
            reached = await self.notices.refresh(found.as_of)
        self.metrics.show_reached(reached, [*self.quotas.warn_at, USED_UP])
        if found.adopted or found.closed:
            log.info("ledger and hub agree: %d adopted, %d closed", found.adopted, found.closed)
        if self.letters and (self._posting is None or self._posting.done()):
            # beside the heartbeat: a mail server that does not answer keeps nobody from being counted
            self._posting = asyncio.create_task(self._post(self.letters, found.as_of))
        self._looked = found.as_of
        self.metrics.last_look.set(found.as_of.timestamp())

    def _open_letters(self) -> Letters | None:
        if self.mailer is None or not self.mailer.to_people:
            return None
        site = self.settings.site
        page = f"{site.url}services/{self.name}/"
        return Letters(self.mailer, self._hub, self.notices, site, page, self.quotas.managers)

    async def _post(self, letters: Letters, now: datetime) -> None:
        try:
            await letters.send(now)
        except Exception:
            log.exception("letters were not sent; tried again after the next heartbeat")

    async def _looks(self) -> None:
        period = self.quotas.heartbeat.total_seconds()
        loop = asyncio.get_running_loop()
        while True:
            began, pause = loop.time(), period
            try:
                await self.look()
                self._last_error = None
                self.metrics.looks.labels("done").inc()
            except HubApiError as error:
                self._failed(f"the hub: {error}")
                log.warning("the hub was not read: %s", error)
                pause = min(SOON_SECONDS, period)
            except Exception as error:
                self._failed(type(error).__name__)
                log.exception("the heartbeat broke; the next one counts what it missed")
            await asyncio.sleep(max(0.0, pause - (loop.time() - began)))

    async def _prune(self) -> None:
        keep = self.settings.privacy.retention.usage
        while True:
            try:
                await prune(self.ledger, self.now() - keep)
            except Exception:
                log.exception("old intervals were not removed; tried again tomorrow")
            await asyncio.sleep(_DAY_SECONDS)

    async def person(self, username: str) -> Person | None:
        """Return somebody as the hub describes her now; None where it does not know her, or does not answer."""
        if username in self.collector.people:
            return self.collector.people[username]
        try:
            model = await self._hub.user(username)
        except HubApiError as error:
            log.warning("%s was not looked up: %s", username, error)
            return None
        return Person.from_hub_user(model) if model else None

    def prices(self) -> dict[str, float]:
        """Return units for an hour of a server, by profile as the catalogue has it, today."""
        return self.ledger.prices.by_profile(self.settings.profiles, self.now())

    def _failed(self, error: str) -> None:
        self._last_error = error
        self.metrics.looks.labels("failed").inc()

    def _person(self, username: str) -> Person | None:
        return self.collector.people.get(username)
