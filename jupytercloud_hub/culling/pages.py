"""The culler's page for people and its API for programs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tornado.web import authenticated

from ..contracts.text import Text
from ..hubapi.client import HubApiError
from ..web.errors import PublicError
from ..web.handlers import ApiHandler, BaseHandler, PageHandler
from .api import DEFAULT_SERVER, ActivityReport, MaintenanceView, PlanView, ServerView, view
from .facts import Report
from .openapi import document
from .passes import Standing
from .rules import KeepRefused, Maintenance, Server

if TYPE_CHECKING:
    from .service import CullerService

RECENT = timedelta(days=14)


class _Culling(BaseHandler):
    """What the page and the API share."""

    @property
    def service(self) -> CullerService:
        return self.settings["service"]  # type: ignore[no-any-return]

    async def servers(self, user: str) -> list[ServerView]:
        """Return a person's servers as the hub shows them now. Raises `PublicError` if it can't be asked."""
        return [self.seen(standing) for standing in await self.standings(user)]

    async def standings(self, user: str) -> list[Standing]:
        """Return a person's servers with what will be done with each."""
        with hub_away():
            return await self.service.culler.view(user)

    def seen(self, standing: Standing) -> ServerView:
        """Return how things stand, in the language of the page."""
        return view(standing, self.service.culling, self.service.settings.site.zone, self.language)

    async def find(self, user: str, name: str) -> Standing:
        """Return one server. Raises `PublicError` 404 where it does not run."""
        for standing in await self.standings(user):
            if standing.verdict.server.name == name:
                return standing
        raise not_running()

    async def put_off(self, server: Server) -> None:
        """Say "keep it". Raises `PublicError` 409 with the reason where it is refused."""
        metrics = self.service.metrics
        try:
            await self.service.culler.keep(server)
        except KeepRefused as refused:
            metrics.keeps.labels(refused.code).inc()
            raise PublicError(409, refused.code, Text("It can't be put off"), refused.reason) from None
        metrics.keeps.labels("kept").inc()


class StopPage(_Culling, PageHandler):
    """When will my server stop, and why; keep it."""

    @authenticated
    async def get(self) -> None:
        """Answer as the class says."""
        await self.show()

    async def show(self, refused: Text | None = None, *, kept: bool = False) -> None:
        """Write the page, with the answer to a "keep it" at its head."""
        person = self.person
        service = self.service
        servers = await self.servers(person.username)
        stops = await service.store.recent_stops(person.username, service.now() - RECENT)
        self.render_page(
            "culling/page.html",
            servers=servers,
            stops=stops,
            now=service.now(),
            refused=refused,
            kept=kept or self.get_query_argument("kept", "") == "1",
            named=self.named,
            titles={profile.name: profile.title for profile in service.settings.profiles},
        )

    def named(self, server: str) -> str:
        """Return how a server is called on the page."""
        return server or self._("Your server")


class KeepPage(StopPage):
    """The button "keep it": a form, so that it works without JavaScript."""

    @authenticated
    async def get(self) -> None:
        """Answer as the class says."""
        self.redirect(self.service.context.prefix)

    @authenticated
    async def post(self) -> None:
        """Do as the class says."""
        standing = await self.find(self.person.username, self.get_body_argument("server", ""))
        try:
            await self.put_off(standing.verdict.server)
        except PublicError as error:
            self.set_status(error.status)
            await self.show(refused=error.message)
            return
        self.redirect(f"{self.service.context.prefix}?kept=1", status=303)


class _OneServer(_Culling, ApiHandler):
    """A server's own token, its owner's, or an administrator's."""

    async def of(self, user: str, name: str) -> Standing:
        """Return the server in the path. Raises 403 for who may not know of it."""
        self.allow(user)
        return await self.find(user, plain(name))

    def allow(self, user: str) -> None:
        """Raise 403 unless the token is the person's (or one of her servers'), or an administrator's."""
        mine = self.user is not None and self.user.get("kind", "user") == "user" and self.user["name"] == user
        if not mine and not self.has_scope("admin:servers"):
            words = Text("Its owner and administrators may ask for it.")
            raise PublicError(403, "not-yours", Text("Not your server"), words)


class ServerApi(_OneServer):
    """``GET api/v1/servers/<user>/<name>``: when it stops, and why."""

    async def get(self, user: str, name: str) -> None:
        """Answer as the class says."""
        self.write_model(self.seen(await self.of(user, name)))


class KeepApi(_OneServer):
    """``POST api/v1/servers/<user>/<name>/keep``: put the stop off."""

    async def post(self, user: str, name: str) -> None:
        """Do as the class says."""
        standing = await self.of(user, name)
        await self.put_off(standing.verdict.server)
        self.write_model(self.seen(await self.of(user, name)))


class ActivityApi(_OneServer):
    """``POST api/v1/servers/<user>/<name>/activity``: what our extension in the server saw."""

    senseless = 422

    async def post(self, user: str, name: str) -> None:
        """Do as the class says."""
        self.allow(user)
        body, now = self.json_body(ActivityReport), self.service.now()
        report = Report(now, min(body.last_activity, now), body.busy)
        with hub_away():
            standing = await self.service.culler.report(user, plain(name), report)
        if standing is None:
            raise not_running()
        self.write_model(self.seen(standing))


class PlanApi(_Culling, ApiHandler):
    """``GET api/v1/plan``: what a pass would do now, with the reason for each server."""

    required_scopes = ("admin:servers", "read:servers")

    async def get(self) -> None:
        """Answer as the class says."""
        with hub_away():
            at, standings = await self.service.culler.plan()
        self.write_model(PlanView(at=at, servers=tuple(self.seen(standing) for standing in standings)))


class OpenApi(_Culling, ApiHandler):
    """``GET api/v1/openapi.json``: this API, described."""

    anonymous = True

    async def get(self) -> None:
        """Answer as the class says."""
        self.write_json(document(self.service.context.prefix))


class MaintenanceApi(_Culling, ApiHandler):
    """``GET|PUT|DELETE api/v1/maintenance``: stop everything by an hour; people are told from then on."""

    required_scopes = ("admin:servers",)
    senseless = 422

    async def get(self) -> None:
        """Answer as the class says."""
        maintenance = await self.service.store.maintenance()
        if maintenance is None:
            raise PublicError(404, "no-maintenance", Text("No maintenance"), Text("None is announced."))
        self.write_model(MaintenanceView(at=maintenance.at, message=maintenance.message))

    async def put(self) -> None:
        """Announce it."""
        body = self.json_body(MaintenanceView)
        await self.service.store.set_maintenance(Maintenance(body.at, body.message))
        self.write_model(body)

    async def delete(self) -> None:
        """Take it back."""
        await self.service.store.set_maintenance(None)
        self.set_status(204)


def plain(name: str) -> str:
    """Return JupyterHub's server name for the name in a path of the API."""
    return "" if name == DEFAULT_SERVER else name


def not_running() -> PublicError:
    """Return the error for a server that is not there."""
    return PublicError(
        404, "no-server", Text("This server does not run"), Text("It was stopped, or it was never started.")
    )


@contextmanager
def hub_away() -> Iterator[None]:
    """Say in people's words that the hub can't be asked."""
    try:
        yield
    except HubApiError as error:
        raise PublicError(
            503,
            "hub-away",
            Text("The hub does not answer"),
            Text("When your server stops can't be said at this moment. Nothing is stopped meanwhile."),
            what_to_do=Text("Try again in a minute."),
            retry_after=timedelta(minutes=1),
        ) from error


_SERVER = r"api/v1/servers/([^/]+)/([^/]*)"
HANDLERS: list[tuple[Any, ...]] = [
    (r"", StopPage),
    (r"keep", KeepPage),
    (rf"{_SERVER}/keep", KeepApi),
    (rf"{_SERVER}/activity", ActivityApi),
    (_SERVER, ServerApi),
    (r"api/v1/plan", PlanApi),
    (r"api/v1/openapi\.json", OpenApi),
    (r"api/v1/maintenance", MaintenanceApi),
]
