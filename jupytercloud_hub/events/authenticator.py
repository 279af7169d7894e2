"""EventAuthenticator: visitors come in with a code and nothing else."""

from __future__ import annotations

import asyncio
import secrets
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyterhub.auth import Authenticator
from traitlets import Dict, Unicode, default

from ..auth.pages import PREFIX
from ..contracts.person import USER_INFO_KEY
from ..contracts.seats import ASSIGNED
from ..settings.event import EventSettings
from ..settings.site import PrivacySettings, SiteSettings
from ..storage import Database
from ..web.hub_pages import hub_handlers
from ..web.service import utc_now
from .codes import HELPER, ORGANIZER
from .connections import ConnectionLog
from .guard import Guard
from .store import PART, Known, Store

if TYPE_CHECKING:
    from ..auth import RenaterAuthenticator

ORGANIZERS, HELPERS = "event-organizers", "event-helpers"
"""Groups of those who run the event."""
SEAT_NAME = "seat-{:04d}"
STAFF = {ORGANIZER: ORGANIZERS, HELPER: HELPERS}


def seat_names(number: int) -> list[str]:
    """Return the accounts of that many seats."""
    return [SEAT_NAME.format(place) for place in range(1, number + 1)]


class EventAuthenticator(Authenticator):
    """Log in with a code from a ticket or a poster; each code opens one seat, on any device, as long as it runs."""

    event = Dict(
        help="""
        The section ``event:`` of ``jupytercloud.yaml``, which ``configure`` puts here.

        Example: ``{"opens": "2027-03-06T10:00+01:00", "closes": "2027-03-07T19:00+01:00", "seats": 200, …}``.
        """,
    ).tag(config=True)

    site_settings = Dict(
        help="""
        The section ``site:`` of ``jupytercloud.yaml``: name, title, zone.
        """,
    ).tag(config=True)

    privacy = Dict(
        help="""
        The section ``privacy:`` of ``jupytercloud.yaml``, for the page that people read.
        """,
    ).tag(config=True)

    database_url = Unicode(
        "sqlite:///state/jupytercloud.sqlite",
        help="""
        SQLAlchemy address of the database that holds codes and seats.
        """,
    ).tag(config=True)

    code_key = Unicode(
        help="""
        Key of the codes' hashes, in hexadecimal digits.

        Without it nobody can try codes against the database.
        """,
    ).tag(config=True)

    codes_file = Unicode(
        help="""
        File with a line ``kind hash`` for each code; taken over when the hub starts.
        """,
    ).tag(config=True)

    work_folder = Unicode(
        "work",
        help="""
        Folder with what visitors made, packed when the event is over; one file for each seat.
        """,
    ).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._store: Store | None = None
        self._opening = asyncio.Lock()
        self._background: asyncio.Future[None] | None = None
        self.login: RenaterAuthenticator | None = None
        if self.settings.login is not None:
            # Imported here: a hub with codes alone needs no OpenID Connect.
            from ..auth import RenaterAuthenticator

            self.login = RenaterAuthenticator(parent=self.parent)

    @default("allow_all")
    def _default_allow_all(self) -> bool:
        return True  # a code is what lets in

    @default("manage_groups")
    def _default_manage_groups(self) -> bool:
        return True

    @cached_property
    def settings(self) -> EventSettings:
        """The event."""
        return EventSettings.model_validate(self.event)

    @cached_property
    def site(self) -> SiteSettings:
        """The hub itself."""
        return SiteSettings.model_validate(self.site_settings)

    @cached_property
    def privacy_settings(self) -> PrivacySettings:
        """What the privacy page says."""
        return PrivacySettings.model_validate(self.privacy)

    @cached_property
    def guard(self) -> Guard:
        """How fast codes can be tried."""
        return Guard(self.settings.guesses)

    @cached_property
    def key(self) -> bytes:
        """Key of the codes' hashes."""
        return bytes.fromhex(self.code_key)

    def now(self) -> Any:
        """Return the time."""
        return utc_now()

    def get_handlers(self, app: Any) -> list[tuple[Any, ...]]:
        """Return the addresses under ``/hub/`` that visitors meet."""
        # Imported here: the handlers know the authenticator.
        from .doors import CodeHandler, EnterHandler, EventStatementHandler, WaitHandler, WorkHandler
        from .login import handlers as login_handlers

        if app is not None:  # the first visitor is not to wait for the tables
            self._background = asyncio.ensure_future(self._until_the_hub_ends())
        return [
            (r"/login", CodeHandler),
            (r"/event/wait", WaitHandler),
            (r"/event/enter", EnterHandler),
            (r"/event/work", WorkHandler),
            *(login_handlers(self.login) if self.login is not None else ()),
            *hub_handlers(),
            *getattr(getattr(app, "spawner_class", None), "hub_handlers", ()),
            (rf"/{PREFIX}/(accessibility|privacy|guide)", EventStatementHandler),
        ]

    async def store(self) -> Store:
        """Return the tables, brought to their newest version and filled when first needed."""
        if self._store is None:
            async with self._opening:
                if self._store is None:
                    database = Database(self.database_url, PART, pool_size=5)
                    await database.upgrade(apart=True)
                    store = Store(database)
                    await store.import_codes(await asyncio.to_thread(self._given_codes))
                    await store.import_seats(seat_names(self.settings.seats))
                    self._store = store
        return self._store

    async def _until_the_hub_ends(self) -> None:
        """Open the tables; the hub cancels this when it ends, and connections are closed."""
        try:
            await self.store()
            await asyncio.Event().wait()
        finally:
            store, self._store = self._store, None
            if store is not None:
                await store.database.close()

    def _given_codes(self) -> list[str]:
        path = Path(self.codes_file)
        return path.read_text().splitlines() if self.codes_file and path.exists() else []

    async def authenticate(self, handler: Any, data: Any = None) -> dict[str, Any] | None:
        """Return who holds the code that our own page has judged; whatever else is sent lets nobody in."""
        known = getattr(handler, "admitted", None)
        return self.model_of(known, handler.language) if isinstance(known, Known) else None

    def model_of(self, known: Known, language: str) -> dict[str, Any]:
        """Return JupyterHub's auth model: of a seat for a visitor, of an account of its own for who runs the event."""
        group = STAFF.get(known.kind)
        if group is not None:
            name = shown = f"{known.kind}-{known.digest[:6]}"
            marks: dict[str, Any] = {}
        else:
            name, shown = known.seat or "", known.pseudonym or ""
            marks = {"seat": ASSIGNED}
        info = {"event": self.site.name, "language": known.language or language, **marks}
        return {
            "name": name,
            "admin": None,
            "groups": [group] if group else [],
            "user_info": {"name": shown, "display_name": shown, USER_INFO_KEY: info},
        }

    async def note_connection(self, address: str, account: str, digest: str) -> None:
        """Write the connection log, where the settings want one."""
        if self.settings.connection_log is not None:
            log = ConnectionLog(Path(self.work_folder).parent, self.settings.connection_log.keep)
            await asyncio.to_thread(log.note, self.now(), address, account, digest)

    def ready_seats(self, users: Any) -> list[str]:
        """Return the accounts whose server answers, of those that the hub has in memory."""
        return [
            user.name
            for user in list(users.values())
            if (spawner := user.spawners.get("")) is not None and spawner.active and spawner.ready
        ]

    @staticmethod
    def draw(values: Any) -> Any:
        """Take one by chance."""
        return secrets.choice(values)
