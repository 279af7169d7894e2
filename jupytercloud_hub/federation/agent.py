"""A site's agent: tells the portal every few seconds how the site is. A process beside the site's hub.

The site never waits for the portal: whatever happens to a heartbeat, the hub, its spawns and its quotas go on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from .. import __version__
from ..contracts.heartbeat import Heartbeat, Notice, RunningServer
from ..contracts.limits import LimitsTold
from ..contracts.loopback import is_loopback
from ..contracts.model import Model
from ..contracts.person import Person
from ..contracts.server_record import ServerRecord
from ..hubapi import HubApi, HubApiError
from ..profiles.catalogue import Profile
from ..profiles.places import free_places
from ..settings import Settings
from ..settings.configure.names import AGENT
from ..settings.federation import PortalLink
from ..settings.spawner import SpawnerSettings
from ..storage.limits_file import forget_limits, write_limits
from ..web.context import ServiceContext
from ..web.service import Now, Service, utc_now
from ..web.tasks import ended
from . import signing

log = logging.getLogger("jupytercloud")

NOTICES_FILE = "site-notices.json"
DEADLINE = 10.0
"""Seconds that a heartbeat may take as a whole."""
SECONDS_EACH = 0.03
"""How long, for each server, the hub is left alone with the question who runs what. It answers in 0.6 ms for each, and
serves nobody meanwhile: with this it never spends more than a fiftieth of its time on heartbeats."""
OLDEST = 45.0
"""Seconds after which it is asked again however many they are: a heartbeat is believed for a minute."""


class Notices(Model):
    """What the site's operator announced on the site itself (``jupytercloud sites drain``, ``maintenance``)."""

    drain: Notice | None = None
    """The site takes nobody new."""
    maintenance: Notice | None = None
    """The site is being worked on."""


@dataclass(frozen=True)
class Reading:
    """What the hub told."""

    users: list[dict[str, Any]]
    until: float
    """How long it is good for, of the monotonic clock."""


def good_for(people: int) -> float:
    """Return for how many seconds the portal is told what the hub said of so many people with servers. Pure."""
    return min(people * SECONDS_EACH, OLDEST)


def site_key(settings: Settings) -> Ed25519PrivateKey:
    """Return the site's private key, from its secret or from the state folder, where it is made at first."""
    portal = settings.federation.portal if settings.federation else None
    if portal is not None and portal.key is not None:
        return signing.private_key(portal.key.read(settings.folder))
    return signing.kept_key(settings.state_folder / signing.KEY_FILE)


def read_notices(folder: Path) -> Notices:
    """Return what the operator announced; a file that can't be read announces nothing, and that is logged."""
    try:
        return Notices.model_validate_json((folder / NOTICES_FILE).read_text())
    except FileNotFoundError:
        return Notices()
    except (OSError, ValidationError) as error:
        log.error("agent: %s can't be read: %s", folder / NOTICES_FILE, error)
        return Notices()


def write_notices(folder: Path, notices: Notices) -> None:
    """Keep what the operator announced; the agent reads it before its next heartbeat."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{NOTICES_FILE}.new"
    draft.write_text(notices.model_dump_json())
    draft.replace(folder / NOTICES_FILE)


def compose(
    users: list[dict[str, Any]],
    settings: Settings,
    portal: PortalLink,
    notices: Notices,
    now: datetime,
    hub_version: str,
) -> Heartbeat:
    """Put a heartbeat together from the hub's models of the users with servers. Pure."""
    running: list[ServerRecord | None] = []
    servers: list[RunningServer] = []
    for user in users:
        person = Person.from_hub_user(user).person
        for name, server in (user.get("servers") or {}).items():
            record = ServerRecord.from_state(server.get("state"))
            running.append(record)
            if portal.share_servers and person:
                servers.append(
                    RunningServer(
                        person=person,
                        server=name,
                        profile=record.profile if record else "",
                        started=server.get("started"),
                        gpu=record.resources.gpu if record else 0,
                    )
                )
    spawner = settings.spawner or SpawnerSettings()
    free = free_places(settings.profiles, spawner.places, spawner.gpus_in_all(), running)
    offered = _offered(settings)
    return Heartbeat(
        site=settings.site.name,
        sent=now,
        running=len(running),
        profiles=tuple(profile.name for profile in offered),
        gpu_profiles=tuple(profile.name for profile in offered if profile.resources.gpu),
        titles={profile.name: profile.title for profile in offered},
        free=dict(free.profiles),
        gpus=dict(free.gpus),
        drain=notices.drain,
        maintenance=notices.maintenance,
        versions={"jupytercloud-hub": __version__, **({"jupyterhub": hub_version} if hub_version else {})},
        servers=tuple(servers[:2000]) if portal.share_servers else None,
        asks_limits=portal.ask_limits,
    )


def _offered(settings: Settings) -> tuple[Profile, ...]:
    """The profiles that can be started here: nobody is to be sent to a site for what it does not have."""
    name = settings.site.name
    has = settings.spawner.capabilities(name) if settings.spawner else None
    return tuple(
        profile
        for profile in settings.profiles
        if not profile.abstract and (has is None or has.shortage(profile.resources, profile.node_class) is None)
    )


class AgentService(Service):
    """Sends heartbeats to the portal."""

    name: ClassVar[str] = AGENT
    has_page: ClassVar[bool] = False

    def __init__(
        self,
        settings: Settings,
        context: ServiceContext,
        now: Now = utc_now,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(settings, context, now)
        if settings.federation is None or settings.federation.portal is None:
            raise SystemExit("the agent needs federation.portal in the settings: which portal does the site belong to?")
        self.portal: PortalLink = settings.federation.portal
        self._transport = transport
        self.last: str = "nothing sent yet"
        self.sent_at: datetime | None = None
        self._limits = "not told yet" if self.portal.ask_limits else "not asked for"
        self._task: asyncio.Task[None] | None = None
        self._reading: Reading | None = None

    async def start(self) -> None:
        log.info("agent: this site's key is %s", signing.public_text(site_key(self.settings)))
        if self.portal.ask_limits and self.settings.quotas is None:
            log.warning(
                "agent: federation.portal.ask_limits has no effect: this hub has no quotas, whose admission asks"
            )
        self.hub = HubApi(self.context.api_url, self.context.api_token, concurrency=2)
        self.client = httpx.AsyncClient(
            base_url=self.portal.url,
            timeout=None,  # noqa: S113 - a heartbeat as a whole has a deadline
            limits=httpx.Limits(max_connections=None),  # a pool may keep a cancelled one's place for ever
            transport=self._transport,
            trust_env=not is_loopback(self.portal.url),
        )
        self._task = asyncio.create_task(self._beat())

    async def stop(self) -> None:
        if self._task:
            await ended([self._task])
        await self.client.aclose()
        await self.hub.close()

    async def health(self) -> tuple[bool, dict[str, Any]]:
        sent = self.sent_at.isoformat() if self.sent_at else None
        key = signing.public_text(site_key(self.settings))
        return True, {"portal": self.last, "sent_at": sent, "key": key, "limits_over_all_sites": self._limits}

    async def _beat(self) -> None:
        while True:
            before = self.last
            try:
                async with asyncio.timeout(DEADLINE):
                    self.last = await self.send()
            except TimeoutError:
                self.last = "no answer in time"
            except (httpx.HTTPError, HubApiError) as error:
                self.last = f"not sent: {error or type(error).__name__}"
            except Exception:
                log.exception("agent: a heartbeat failed; the next one is tried")
                self.last = "failed"
            if self.last != before:
                log.info("agent: portal: %s", self.last)
            await asyncio.sleep(self.portal.interval.total_seconds())

    async def send(self) -> str:
        """Send one heartbeat and return what the portal said."""
        version = str((await self._hub_answers()).get("version", ""))
        users = await self._users()
        beat = compose(users, self.settings, self.portal, read_notices(self.settings.state_folder), self.now(), version)
        body = beat.model_dump_json().encode()
        token = signing.sign(
            site_key(self.settings), site=self.settings.site.name, audience=self.portal.url, body=body, now=self.now()
        )
        response = await self.client.post(
            "services/federation/api/v1/heartbeats",
            content=body,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        if response.status_code == 200:
            self.sent_at = self.now()
            self._keep(response.json().get("limits"))
            return f"the portal shows this site as {response.json().get('state')}"
        try:
            detail = str(response.json()["error"]["detail"])
        except (ValueError, KeyError, TypeError):
            detail = ""
        return f"refused with status {response.status_code}: {detail}"

    async def _hub_answers(self) -> dict[str, Any]:
        """Ask the hub something small: no heartbeat tells of a hub that is away. Raises `HubApiError`."""
        try:
            return dict(await self.hub.get(""))
        except HubApiError:
            self._reading = None
            raise

    async def _users(self) -> list[dict[str, Any]]:
        if self._reading is None or time.monotonic() >= self._reading.until:
            users = [user async for user in self.hub.users(state="active")]
            self._reading = Reading(users, time.monotonic() + good_for(len(users)))
        return self._reading.users

    def _keep(self, told: Any) -> None:
        """Keep what the portal tells of the limits over all sites, for this site's admission."""
        if not self.portal.ask_limits:
            return
        if told is None:
            self._limits = "the portal tells none (its federation.tell_limits)"
            forget_limits(self.settings.state_folder)
            return
        try:
            limits = LimitsTold.model_validate(told)
        except ValidationError as error:
            self._limits = f"not understood: {error.error_count()} mistakes"
            return
        self._limits = f"{len(limits.limits)} in force"
        write_limits(self.settings.state_folder, limits)
