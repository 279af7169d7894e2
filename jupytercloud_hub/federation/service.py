"""The portal's service: holds the board, the probes and the database together, and gives them to its handlers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

from tornado.web import Application

from ..contracts.heartbeat import Heartbeat
from ..contracts.links import GoLink
from ..contracts.person import Person
from ..hubapi import HubApi
from ..settings import Settings
from ..settings.configure.names import FEDERATION
from ..settings.federation import FederationSettings
from ..settings.secrets import Secret, SecretMissingError
from ..storage import Database
from ..web.context import ServiceContext
from ..web.service import Now, Service, utc_now
from ..web.tasks import ended
from . import homes, live, registry
from .board import Board
from .health import Health, ProbeResult
from .history import DAYS
from .login_state import LoginState, SharedHubOAuth
from .metrics import FederationMetrics
from .model import Decision, SiteState
from .notices import Notifier
from .past import Past
from .probes import ClientFactory, Prober, client
from .ratelimit import RateLimit
from .registry import Transition
from .replicas import Replicas
from .route_cookie import RouteCookies
from .routing import decide
from .rules import all_rules, fingerprint
from .signing import SignedBy

log = logging.getLogger("jupytercloud")

SECRET_LENGTH = 32
TICK = 0.5
"""Seconds between two looks at what time alone changes (orders and heartbeats that end)."""
SYNC = 2.0
"""Seconds between two looks at what operators and other replicas wrote into the database."""
CLEAN = 3600.0
API_RATE, API_BURST = 20.0, 200.0
"""Calls of the API a second from one address, in the long run and at once."""
DATABASE_SECONDS = 3.0
"""How long a person waits for the database before it counts as away."""


class FederationService(Service):
    """Sends people to sites."""

    name: ClassVar[str] = FEDERATION

    def __init__(
        self, settings: Settings, context: ServiceContext, now: Now = utc_now, make_client: ClientFactory = client
    ) -> None:
        self.federation: FederationSettings = settings.federation or FederationSettings()
        if self.federation.cookie_secret is not None:
            context = replace(context, cookie_secret=_shared(self.federation.cookie_secret, settings.folder))
        super().__init__(settings, context, now)
        self.rules = all_rules(settings)
        self.metrics = FederationMetrics(self.registry)
        self.board = Board(self.federation, now, self._step)
        self.prober = Prober(self.board, self.federation.health, make_client=make_client, on_probe=self._probed)
        self.database = Database(settings.database_url(FEDERATION), FEDERATION)
        self.hub = HubApi(context.api_url, context.api_token)
        self.past = Past(lambda: self.database, self.board, now)
        self.replicas = Replicas(self.database, self.board, self.prober, self.sync)
        self.notifier = Notifier(
            self.board,
            self.federation,
            settings.folder,
            settings.site.zone,
            f"{settings.site.origin}{context.prefix}status",
            self.mailer,
        )
        self.used: dict[str, datetime] = {}
        self.limit = RateLimit(API_RATE, API_BURST)
        self.keys: dict[str, list[str]] = {}
        self.synced = False
        self.cookies = RouteCookies(
            context.cookie_secret,
            (f"service-{self.name}", "jupyterhub-session-id", "__Host-jupyterhub-session-id"),
            fingerprint(self.rules),
        )
        self._go_prefix = f"{context.prefix}go/"
        self._tasks: set[asyncio.Task[Any]] = set()
        self._started = False

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
        self.replicas.start()
        self._started = True
        for loop in (self._every(TICK, self._tick), self._every(SYNC, self.sync), self._every(CLEAN, self._clean)):
            self._spawn(loop)

    async def stop(self) -> None:
        led = self.replicas.leads
        await ended(self._tasks)
        await self.replicas.stop()
        for name, known in self.board.known.items():
            if led and known.shown.state is not SiteState.UNKNOWN:  # what happens until the next start is not known
                await self._note(Transition(name, self.now(), SiteState.UNKNOWN, "the portal stopped"))
        await self.hub.close()
        await self.database.close()

    def handlers(self) -> list[tuple[Any, ...]]:
        from .api import HANDLERS as API
        from .api import LAST
        from .api_sites import HANDLERS as SITES
        from .go import GoHandler
        from .operate import HANDLERS as OPERATE
        from .pages import HANDLERS as PAGES

        return [(r"go/.*", GoHandler), *API, *SITES, LAST, *PAGES, *OPERATE]

    def application(self) -> Application:
        """The service's application, whose logins may begin at one replica and end at another."""
        from .go import GoHandler

        application = super().application()
        login = self.context.hub_auth(SharedHubOAuth)
        login.sealing = LoginState(self.context.cookie_secret, login.oauth_state_max_age)
        application.settings["hub_auth"] = login
        rules = application.wildcard_router.rules
        rules.sort(key=lambda rule: rule.target is not GoHandler)  # links first: nearly all requests are links
        return application

    async def health(self) -> tuple[bool, dict[str, Any]]:
        states = {name: known.shown.state.value for name, known in self.board.known.items()}
        return True, {"sites": states, "database": "ok" if self.synced else "away", "part": self.replicas.part.value}

    # decisions

    async def decide(self, person: Person, link: GoLink) -> Decision:
        """Return where a person goes; an ordinary first visit sets her home site."""
        async with asyncio.timeout(DATABASE_SECONDS), self.database.session() as session:
            home = await homes.of(session, person, self.now())
        decision = self._decided(person, link, home)
        if decision.sets_home and decision.site:
            async with asyncio.timeout(DATABASE_SECONDS), self.database.session() as session:
                home = await homes.set_first(session, person, decision.site, self.now())
            if home != decision.site:  # another request of hers was first
                decision = self._decided(person, link, home)
        return decision

    async def explain(self, person: Person, link: GoLink) -> Decision:
        """Return where a person would go, and change nothing."""
        async with asyncio.timeout(DATABASE_SECONDS), self.database.session() as session:
            found = await homes.get(session, person=person.person, username=person.username)
        return self._decided(person, link, found.site if found else None)

    def _decided(self, person: Person, link: GoLink, home: str | None) -> Decision:
        limits = self.federation.limits
        held = self.board.held(person.person) if limits else ()
        return decide(person, link, home, self.board.views, self.rules, limits, held)

    # what runs beside the requests

    async def sync(self) -> None:
        """Read what operators and other replicas wrote; a database that is away leaves what is known."""
        try:
            async with asyncio.timeout(DATABASE_SECONDS), self.database.session() as session:
                now = self.now()
                registered = await registry.sites(session)
                orders = await registry.orders(session, now)
                keys = await registry.keys(session, now)
                health, heartbeats = await live.read(session)
        except Exception as error:
            if not self._started:
                raise
            if self.synced:
                log.warning("federation: the database is away: %s", str(error) or type(error).__name__)
            self.synced = False
            return
        self.synced = True
        self.board.register(registered)
        self.board.ordered(orders)
        for site in self.board.sites.values():
            if site.key:
                keys.setdefault(site.name, []).append(site.key)
        self.keys = keys
        for heartbeat in heartbeats.values():
            if heartbeat.site in self.board.known and self.board.heard(heartbeat) and self.replicas.probes:
                self.prober.look(heartbeat.site)
        if not self.replicas.probes:
            self.board.told(health)
        elif self._started:
            self.prober.follow()

    async def accept(self, heartbeat: Heartbeat, signed: SignedBy) -> bool:
        """Take in a heartbeat that was proved; False when its token was used before, here or at another replica."""
        now = self.now()
        self.used = {jti: expires for jti, expires in self.used.items() if now < expires}
        if signed.jti in self.used:
            return False
        self.used[signed.jti] = signed.expires
        try:
            async with asyncio.timeout(DATABASE_SECONDS), self.database.session() as session:
                if not await registry.first_use(session, signed.site, signed.jti, signed.expires):
                    return False
                if not self.database.is_sqlite:
                    row = (heartbeat.site, live.HEARTBEAT, heartbeat.model_dump_json(), heartbeat.sent)
                    await live.publish(session, [row])
        except Exception as error:  # what this replica saw itself still counts
            log.warning("federation: a heartbeat is kept by this replica only: %s", str(error) or type(error).__name__)
        if self.board.heard(heartbeat) and self.replicas.probes:
            self.prober.look(heartbeat.site)
        return True

    async def changed(self) -> None:
        """Something of the operators' was written: read it here, and tell the other replicas."""
        async with self.database.session() as session:
            await live.wake(session)
        await self.sync()

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

    def _probed(self, name: str, result: ProbeResult, health: Health) -> None:
        self.replicas.found(name, health)
        self.metrics.probe_seconds.labels(name, "good" if result.good else "bad").observe(result.took.total_seconds())

    def _step(self, step: Transition) -> None:
        log.info("federation: %s is %s: %s", step.site, step.state.value, step.reason)
        if self.replicas.leads and self._started:
            self._spawn(self._note(step))
            self._spawn(self.notifier.changed(step.site))

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


def _shared(secret: Secret, folder: Path) -> bytes:
    """Return the key that all replicas make of their shared secret; the process ends where there is none."""
    try:
        text = secret.read(folder)
    except SecretMissingError as error:
        raise SystemExit(f"federation.cookie_secret: {error.text}") from None
    if len(text) < SECRET_LENGTH:
        raise SystemExit(f"federation.cookie_secret has {len(text)} characters; {SECRET_LENGTH} are needed")
    return sha256(b"jupytercloud services cookie secret " + text.encode()).digest()
