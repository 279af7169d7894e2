"""The portal's service: holds the board, the probes and the database together, and gives them to its handlers."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Coroutine, Mapping
from datetime import timedelta
from typing import Any, ClassVar

from ..contracts.links import GoLink
from ..contracts.person import Person
from ..hubapi import HubApi
from ..settings import Settings
from ..settings.configure.names import FEDERATION
from ..settings.federation import FederationRule, FederationSettings
from ..storage import Database
from ..web.context import ServiceContext
from ..web.service import Now, Service, utc_now
from . import homes, registry
from .board import Board
from .health import ProbeResult
from .history import DAYS
from .metrics import FederationMetrics
from .model import Decision, SiteState
from .probes import ClientFactory, Prober, client
from .registry import Transition
from .route_cookie import RouteCookies
from .routing import decide

log = logging.getLogger("jupytercloud")

TICK = 0.5
"""Seconds between two looks at what time alone changes (orders and heartbeats that end)."""
SYNC = 2.0
"""Seconds between two looks at what operators and other replicas wrote into the database."""
CLEAN = 3600.0
PAST_SECONDS = 10.0
"""How long the past days are kept before they are read again."""


class FederationService(Service):
    """Sends people to sites."""

    name: ClassVar[str] = FEDERATION

    def __init__(
        self, settings: Settings, context: ServiceContext, now: Now = utc_now, make_client: ClientFactory = client
    ) -> None:
        super().__init__(settings, context, now)
        self.federation: FederationSettings = settings.federation or FederationSettings()
        self.rules = all_rules(settings)
        self.metrics = FederationMetrics(self.registry)
        self.board = Board(self.federation, now, self._step)
        self.prober = Prober(self.board, self.federation.health, make_client=make_client, on_probe=self._probed)
        self.database = Database(settings.database_url(FEDERATION), FEDERATION)
        self.hub = HubApi(context.api_url, context.api_token)
        self.past = Past(self)
        self.keys: dict[str, list[str]] = {}
        self.synced = False
        self.cookies = RouteCookies(
            context.cookie_secret,
            (f"service-{self.name}", "jupyterhub-session-id", "__Host-jupyterhub-session-id"),
            fingerprint(self.rules),
        )
        self._go_prefix = f"{context.prefix}go/"
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def audience(self) -> str:
        """The portal's address, as heartbeats must name it."""
        return self.settings.site.url

    @property
    def go_prefix(self) -> str:
        """Path that links through the portal begin with."""
        return self._go_prefix

    async def start(self) -> None:
        await self.database.upgrade()
        await self.sync()
        self.prober.follow()
        for loop in (self._every(TICK, self._tick), self._every(SYNC, self.sync), self._every(CLEAN, self._clean)):
            self._spawn(loop)

    async def stop(self) -> None:
        await self.prober.stop()
        for name, known in self.board.known.items():
            if known.shown.state is not SiteState.UNKNOWN:  # what happens until the next start is not known
                await self._note(Transition(name, self.now(), SiteState.UNKNOWN, "the portal stopped"))
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.hub.close()
        await self.database.close()

    def handlers(self) -> list[tuple[Any, ...]]:
        from .api import HANDLERS as API
        from .api import LAST
        from .api_sites import HANDLERS as SITES
        from .go import GoHandler
        from .pages import HANDLERS as PAGES

        return [(r"go/.*", GoHandler), *API, *SITES, LAST, *PAGES]

    async def health(self) -> tuple[bool, dict[str, Any]]:
        states = {name: known.shown.state.value for name, known in self.board.known.items()}
        return True, {"sites": states, "database": "ok" if self.synced else "away"}

    # decisions

    async def decide(self, person: Person, link: GoLink) -> Decision:
        """Return where a person goes; an ordinary first visit sets her home site."""
        async with self.database.session() as session:
            home = await homes.of(session, person, self.now())
        decision = decide(person, link, home, self.board.views, self.rules)
        if decision.sets_home and decision.site:
            async with self.database.session() as session:
                home = await homes.set_first(session, person, decision.site, self.now())
            if home != decision.site:  # another request of hers was first
                decision = decide(person, link, home, self.board.views, self.rules)
        return decision

    async def explain(self, person: Person, link: GoLink) -> Decision:
        """Return where a person would go, and change nothing."""
        async with self.database.session() as session:
            found = await homes.get(session, person=person.person, username=person.username)
        return decide(person, link, found.site if found else None, self.board.views, self.rules)

    # what runs beside the requests

    async def sync(self) -> None:
        """Read what operators and other replicas wrote; a database that is away leaves what is known."""
        try:
            async with self.database.session() as session:
                now = self.now()
                registered = await registry.sites(session)
                orders = await registry.orders(session, now)
                keys = await registry.keys(session, now)
        except Exception as error:
            if not self.synced:
                raise
            log.warning("federation: the database is away: %s", error)
            self.synced = False
            return
        self.synced = True
        self.board.register(registered)
        self.board.ordered(orders)
        for site in self.board.sites.values():
            if site.key:
                keys.setdefault(site.name, []).append(site.key)
        self.keys = keys
        if self._tasks:
            self.prober.follow()

    async def _tick(self) -> None:
        self.board.refresh()
        self.metrics.states({name: known.shown.state for name, known in self.board.known.items()})

    async def _clean(self) -> None:
        now = self.now()
        before = now - self.settings.privacy.retention.routing
        async with self.database.session() as session:
            await registry.clean(session, now, before)
            await homes.forget_older(session, before)
            await registry.clean_history(session, now - timedelta(days=DAYS + 30))

    def _probed(self, name: str, result: ProbeResult) -> None:
        self.metrics.probe_seconds.labels(name, "good" if result.good else "bad").observe(result.took.total_seconds())

    def _step(self, step: Transition) -> None:
        log.info("federation: %s is %s: %s", step.site, step.state.value, step.reason)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return
        self._spawn(self._note(step))

    async def _note(self, step: Transition) -> None:
        try:
            async with self.database.session() as session:
                await registry.note_transition(session, step)
        except Exception as error:
            log.warning("federation: a transition of %s could not be written: %s", step.site, error)

    async def _every(self, seconds: float, work: Any) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except Exception:
                log.exception("federation: %s failed; it is tried again", work.__name__)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Past:
    """The sites' last ninety days, read from the database once in a while, not for every visitor."""

    def __init__(self, service: FederationService) -> None:
        self._service = service
        self._read_at = -PAST_SECONDS
        self._steps: Mapping[str, list[Transition]] | None = None

    async def read(self) -> Mapping[str, list[Transition]] | None:
        """Return the steps by site; None: the database is away."""
        if time.monotonic() - self._read_at < PAST_SECONDS and self._steps is not None:
            return self._steps
        since = self._service.now() - timedelta(days=DAYS)
        try:
            async with self._service.database.session() as session:
                self._steps = await registry.history(session, since, list(self._service.board.known))
        except Exception as error:
            log.warning("federation: the past days can't be read: %s", error)
            return None
        self._read_at = time.monotonic()
        return self._steps


def all_rules(settings: Settings) -> tuple[FederationRule, ...]:
    """Return the rules of the file, and for each institution with a home site one that sends its people there.

    Where the file has no rule at all, every site stays open: the institutions' rules then only prefer.
    """
    rules = settings.federation.rules if settings.federation else ()
    made = tuple(
        FederationRule(
            name=institution.name,
            home_organizations=institution.home_organizations,
            allow=(institution.home_site,) if rules else (),
            prefer=(institution.home_site,),
        )
        for institution in settings.institutions
        if institution.home_site and institution.home_organizations
    )
    if made and not rules:
        return (FederationRule(name="everybody", allow=("*",)), *made)
    return (*rules, *made)


def fingerprint(rules: tuple[FederationRule, ...]) -> str:
    """Return a hash of the rules: a cookie made under other rules is worth nothing."""
    dumped = json.dumps([rule.model_dump(mode="json") for rule in rules], sort_keys=True)
    return hashlib.sha256(dumped.encode()).hexdigest()
