"""The federation service's API: states, explanations, home sites, heartbeats."""

from __future__ import annotations

import math
import time
from datetime import timedelta
from http import HTTPStatus
from typing import Any, ClassVar

from pydantic import ValidationError
from tornado import web

from ..contracts.heartbeat import MAX_BODY, Heartbeat
from ..contracts.links import NAME, GoLink
from ..contracts.person import Person
from ..contracts.text import Text
from ..hubapi import HubApiError
from ..settings.configure.federation import EXPLAIN_SCOPE, HOME_SITES_SCOPE
from ..web.errors import PublicError, not_found
from ..web.handlers import ApiHandler
from . import homes, registry, signing
from .api_models import (
    Explanation,
    HeartbeatAnswer,
    HomeSiteBody,
    HomeSiteItem,
    HomeSitePage,
    SiteStatus,
    Status,
    TransitionItem,
)
from .openapi import document
from .service import FederationService

PAGE = 200
LONGEST_ARGUMENT = 300


class FederationApi(ApiHandler):
    """What the API's handlers share."""

    service: FederationService
    limited: ClassVar[bool] = True
    """False where only a signature lets in, and many sites may share one address."""

    async def prepare(self) -> None:
        if "%00" in (self.request.uri or ""):  # PostgreSQL keeps no such text
            raise PublicError(400, "bad-address", Text("This can't be read"), Text("The address contains a null."))
        if self.limited:
            self._limit(self.request.remote_ip or "")
        await super().prepare()

    def _limit(self, caller: str) -> None:
        seconds = self.service.limit.wait(caller, time.monotonic())
        if seconds:
            raise PublicError(
                429,
                "too-many",
                Text("Too many requests"),
                Text("This address was asked too often from where you are."),
                retry_after=timedelta(seconds=math.ceil(seconds)),
            )

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", ", ".join(self.allowed_methods()))  # RFC 9110 §15.5.6
        super().write_error(status_code, **kwargs)

    @classmethod
    def allowed_methods(cls) -> list[str]:
        """Return the HTTP methods that the address takes."""
        return [
            name
            for name in cls.SUPPORTED_METHODS
            if getattr(cls, name.lower()) is not getattr(ApiHandler, name.lower())
        ]

    def argument(self, name: str) -> str:
        """Return a parameter of the query, empty where it is not given. Raises `PublicError` 400 for a long one."""
        value = self.get_query_argument(name, "")
        if len(value) > LONGEST_ARGUMENT:
            raise PublicError(
                400, "too-long", Text("This can't be read"), Text("The parameter {name} is too long.", name=name)
            )
        return value

    def demand(self, *scopes: str) -> None:
        """Let in whoever holds one of the scopes, and the portal's administrators. Raises `PublicError` 403."""
        if not self.has_scope(*scopes) and not (self.user or {}).get("admin"):
            raise PublicError(
                403,
                "missing-scope",
                Text("A scope is missing"),
                Text("The token needs the scope {scopes}.", scopes=" or ".join(scopes)),
            )

    @property
    def who(self) -> str:
        """Whoever asks, for the audit trail."""
        return str((self.user or {}).get("name", ""))

    async def _person(self, user: str) -> Person:
        try:
            model = await self.service.hub.user(user)
        except HubApiError as error:
            raise PublicError(
                503, "hub-away", Text("The portal's hub does not answer"), Text("Try again in a minute.")
            ) from error
        if model is None:
            raise PublicError(
                404, "no-such-user", Text("There is no such user"), Text("Nobody is called {user} here.", user=user)
            )
        return Person.from_hub_user(model)


class StatusApi(FederationApi):
    """``GET api/v1/status``: every site's state with its last transitions; for everybody."""

    anonymous = True

    async def get(self) -> None:
        names = self.service.board.views
        past = await self.service.past.read()
        status = Status(
            time=self.service.now(),
            sites=tuple(status_of(self, name) for name in names),
            transitions=None
            if past is None
            else {
                name: tuple(TransitionItem(at=s.at, state=s.state.value, reason=s.reason) for s in steps[-50:])
                for name, steps in past.items()
            },
        )
        self.write_model(status)


class ExplainApi(FederationApi):
    """``GET api/v1/explain?user=&profile=&site=``: where somebody would be sent, and why not elsewhere."""

    async def get(self) -> None:
        user = self.argument("user")
        link = GoLink("", self._name("site"), self._name("profile"))
        if user and user != self.who:
            self.demand(EXPLAIN_SCOPE)
            person = await self._person(user)
        else:
            person = self.person
        decision = await self.service.explain(person, link)
        self.write_model(
            Explanation(
                user=person.username,
                outcome=decision.outcome.value,
                site=decision.site,
                home=decision.home,
                reason=self.say(decision.reason),
                others={name: self.say(reason) for name, reason in decision.others.items()},
                choices=decision.choices,
                sets_home=decision.sets_home,
            )
        )

    def _name(self, argument: str) -> str | None:
        value = self.argument(argument)
        if value and not NAME.fullmatch(value):
            raise PublicError(
                400,
                "bad-name",
                Text("This can't be read"),
                Text("“{name}” is not a name of a site or profile.", name=value),
            )
        return value or None


class HomeSitesApi(FederationApi):
    """``GET api/v1/home-sites?site=&after=``: home sites, a page at a time."""

    async def get(self) -> None:
        self.demand(HOME_SITES_SCOPE)
        async with self.service.database.session() as session:
            rows, more = await homes.listed(
                session,
                site=self.argument("site") or None,
                after=self.argument("after"),
                limit=PAGE,
            )
        self.write_model(HomeSitePage(items=tuple(home_item(row) for row in rows), next=more))


class HomeSiteApi(FederationApi):
    """``GET|PUT|DELETE api/v1/home-sites/<user>``: one person's; to see one's own needs no scope."""

    async def get(self, user: str) -> None:
        if user != self.who:
            self.demand(HOME_SITES_SCOPE)
        async with self.service.database.session() as session:
            found = await homes.get(session, username=user)
        if found is None:
            raise _no_home(user)
        self.write_model(home_item(found))

    async def put(self, user: str) -> None:
        self.demand(HOME_SITES_SCOPE)
        body = self.json_body(HomeSiteBody)
        if body.site not in self.service.board.known:
            raise PublicError(
                404, "no-such-site", Text("There is no such site"), Text("No site is called {site}.", site=body.site)
            )
        now = self.service.now()
        async with self.service.database.session() as session:
            present = await homes.get(session, username=user)
        person = present.person if present else (await self._person(user)).person
        home = homes.HomeSite(person, user, body.site, now, self.who, body.reason)
        async with self.service.database.session() as session:
            await homes.move(session, home, now)
            await registry.note(
                session, registry.Audited(now, self.who, "home-site move", homes.key_of(person, user), body.reason)
            )
        self.write_model(home_item(home))

    async def delete(self, user: str) -> None:
        self.demand(HOME_SITES_SCOPE)
        async with self.service.database.session() as session:
            found = await homes.get(session, username=user)
            if found is None:
                raise _no_home(user)
            await homes.forget(session, username=user)
            why = self.argument("reason")
            entry = registry.Audited(
                self.service.now(), self.who, "home-site remove", homes.key_of(found.person, user), why
            )
            await registry.note(session, entry)
        self.set_status(204)


def _no_home(user: str) -> PublicError:
    return PublicError(
        404, "no-home-site", Text("No home site is known"), Text("{user} has no home site yet.", user=user)
    )


def home_item(home: homes.HomeSite) -> HomeSiteItem:
    """Return a home site as the API gives it."""
    return HomeSiteItem(
        user=home.username,
        person=home.person,
        site=home.site,
        set_at=home.set_at,
        set_by=home.set_by,
        reason=home.reason,
    )


def status_of(handler: FederationApi, name: str) -> SiteStatus:
    """Return a site as everybody may see it, in the language of the request."""
    view, known = handler.service.board.views[name], handler.service.board.known[name]
    return SiteStatus(
        name=name,
        title=view.title,
        url=view.url,
        state=view.state.value,
        reason=handler.say(known.shown.reason),
        since=known.since,
        message=view.message,
        until=view.until,
        profiles=tuple(sorted(view.profiles)) if view.profiles is not None else None,
        version=known.health.version,
        heartbeat=known.heartbeat.sent if known.heartbeat else None,
    )


@web.stream_request_body
class HeartbeatsApi(FederationApi):
    """``POST api/v1/heartbeats``: a site's heartbeat. Its signature is the login, so there is no XSRF check.

    The body is read as it comes and refused as soon as it is too long; the signature is proved before the body
    is parsed, and the database is asked only about a token that is good.
    """

    anonymous = True
    limited = False

    async def prepare(self) -> None:
        self.body, self.too_long = b"", False
        self.request.connection.set_max_body_size(4 * MAX_BODY)  # type: ignore[union-attr]
        await super().prepare()

    def data_received(self, chunk: bytes) -> None:
        self.too_long = self.too_long or len(self.body) + len(chunk) > MAX_BODY
        self.body = b"" if self.too_long else self.body + chunk

    def check_xsrf_cookie(self) -> None:
        """No cookie counts here."""

    async def post(self) -> None:
        if self.too_long:
            raise PublicError(413, "too-long", Text("This is too long"), Text("A heartbeat has at most 256 KiB."))
        try:
            heartbeat = await self._proved()
        except signing.SignatureRefused as refused:
            self.service.metrics.heartbeats.labels(refused.code).inc()
            raise PublicError(
                401,
                refused.code,
                Text("The heartbeat is not believed"),
                Text("Its signature was refused: {code}.", code=refused.code),
            ) from None
        self.service.metrics.heartbeats.labels("accepted").inc()
        known = self.service.board.known[heartbeat.site]
        tells = heartbeat.asks_limits and heartbeat.servers is not None and self.service.federation.tell_limits
        limits = self.service.board.limits_for(heartbeat.site) if tells else None
        reason = self.say(known.shown.reason)
        self.write_model(HeartbeatAnswer(state=known.shown.state.value, reason=reason, limits=limits))

    async def _proved(self) -> Heartbeat:
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise signing.SignatureRefused("no-token")
        service = self.service
        site = signing.claimed_site(token)
        if site not in service.board.known:
            raise signing.SignatureRefused("unknown-site")
        signed = signing.verify(
            token,
            site=site,
            keys=service.keys.get(site, ()),
            audience=service.audience,
            body=self.body,
            now=service.now(),
        )
        try:
            heartbeat = Heartbeat.model_validate_json(self.body)
        except ValidationError as error:
            raise PublicError(
                400,
                "bad-body",
                Text("The body can't be read"),
                Text("{wrong}", wrong="; ".join(str(item["msg"]) for item in error.errors(include_url=False)[:5])),
            ) from None
        if heartbeat.site != site:
            raise signing.SignatureRefused("another-site")
        if not await service.accept(heartbeat, signed):
            raise signing.SignatureRefused("replayed")
        return heartbeat


class OpenApi(FederationApi):
    """``GET api/v1/openapi.json``: this API, described."""

    anonymous = True

    def get(self) -> None:
        self.write_json(document(self.service.context.prefix))


class NoSuchApi(FederationApi):
    """Any other address of the API."""

    anonymous = True

    async def prepare(self) -> None:
        raise not_found()

    def check_xsrf_cookie(self) -> None:
        """There is nothing here to forge."""


LAST: tuple[Any, ...] = (r"api/.*", NoSuchApi)
HANDLERS: list[tuple[Any, ...]] = [
    (r"api/v1/openapi\.json", OpenApi),
    (r"api/v1/status", StatusApi),
    (r"api/v1/explain", ExplainApi),
    (r"api/v1/home-sites", HomeSitesApi),
    (r"api/v1/home-sites/([^/]+)", HomeSiteApi),
    (r"api/v1/heartbeats", HeartbeatsApi),
]
