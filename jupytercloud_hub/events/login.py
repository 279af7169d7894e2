"""A federated login beside the code: it takes a code's place, and of the person nothing stays but a keyed hash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..auth.handlers import RenaterCallbackHandler, RenaterLoginHandler
from ..auth.organizations import OrganizationsHandler
from ..auth.problems import LoginProblem
from ..contracts.text import Text
from ..identity import Identity
from ..settings.event import EventLogin
from . import codes
from .codes import HELPER, ORGANIZER, VISITOR
from .doors import DoorPage

if TYPE_CHECKING:
    from ..auth import RenaterAuthenticator

LOGGED_IN = f"{VISITOR}-login"
"""Kind of a visitor who has no code."""
STAFF_AT_MOST = 500


def kind_of(identity: Identity, username: str, login: EventLogin, *, anybody: bool) -> str | None:
    """Return as what somebody comes in; None for nobody. ``anybody``: whether rules chose who got as far as this."""
    for kind, staff in ((ORGANIZER, login.organizers), (HELPER, login.helpers)):
        if username in staff.usernames or set(staff.groups) & set(identity.groups):
            return kind
    return LOGGED_IN if login.visitors and anybody else None


def handlers(login: RenaterAuthenticator) -> list[tuple[Any, ...]]:
    """Return the addresses of the login; codes have the hub's own."""
    given = {"login": login}
    return [
        (r"/oauth_login", EventLoginHandler, given),
        (r"/oauth_callback", EventCallbackHandler, given),
        (r"/oidc/organizations", EventOrganizationsHandler, given),
    ]


class _OfTheLogin(DoorPage):
    """A page of RenaterAuthenticator on a hub whose authenticator is the event's."""

    def initialize(self, login: RenaterAuthenticator) -> None:
        self._login = login

    @property
    def authenticator(self) -> Any:
        return self._login

    @property
    def event(self) -> Any:
        """The hub's authenticator, whose seats and accounts these are."""
        return self.settings["authenticator"]

    async def refresh_auth(self, user: Any, force: bool = False) -> Any:
        """Leave an account as it is: it is the event's, and the login knows nothing of it."""
        return user


class EventLoginHandler(_OfTheLogin, RenaterLoginHandler):
    """``/hub/oauth_login``: sends the browser to the provider."""


class EventOrganizationsHandler(_OfTheLogin, OrganizationsHandler):
    """``/hub/oidc/organizations``: where people choose their organization, if the hub asks them."""


class EventCallbackHandler(_OfTheLogin, RenaterCallbackHandler):
    """``/hub/oauth_callback``: what is known of the person becomes a ticket, with which she goes where codes lead."""

    async def login_user(self, data: Any = None) -> Any:
        """Return the hash that stands for the person; None for somebody who may not come in."""
        event = self.event
        with self._login.problems_told(self):
            verified, identity = await self._login.identify(self)
        login, chosen = event.settings.login, bool(self._login.policy.institutions) or self._login.allow_all
        username = self._login.normalize_username(identity.username)
        kind = kind_of(identity, username, login, anybody=chosen)
        if kind is None:
            return None
        digest = codes.digest_of_login(self._login.issuer, verified.sub, event.key)
        store = await event.store()
        most = login.visitors if kind == LOGGED_IN else STAFF_AT_MOST
        if not await store.know_login(digest, kind, most):
            await store.happened(event.now(), "turned-away")
            raise self.end(_full())
        self.set_ticket({"digest": digest, "found": True})
        return digest

    def get_next_url(self, user: Any = None) -> str:
        return f"{self.hub.base_url}event/wait"


def _full() -> LoginProblem:
    return LoginProblem(
        403,
        "event-full",
        Text("No more visitors fit in"),
        Text("As many people came in by this login as may, or the event is over."),
        what_to_do=Text("Ask at the stand for a code."),
    )
