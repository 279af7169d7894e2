"""The portal's pages: my site and all others, and the public status page."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from tornado import web

from ..contracts.heartbeat import RunningServer
from ..contracts.limits import SharedLimit
from ..contracts.links import GoLink
from ..contracts.text import Localized, Text
from ..identity import PRESETS
from ..settings.auth import AuthSettings
from ..web.errors import PublicError
from ..web.handlers import PageHandler
from . import homes
from .board import Known
from .history import Day, days, share
from .link_builder import LinkWish, build
from .model import Decision, Held, Outcome, SiteView
from .service import FederationService
from .words import LOOKS, STATES


@dataclass(frozen=True)
class Shown:
    """A site as pages list it."""

    view: SiteView
    words: Text
    look: str
    reason: Text
    since: datetime | None
    why_not: Text | None = None
    days: tuple[Day, ...] = ()

    @property
    def share(self) -> float | None:
        """Part of the past days in which the site could be used."""
        return share(self.days)

    @classmethod
    def of(cls, view: SiteView, known: Known, why_not: Text | None = None) -> Shown:
        """Put together what is known of a site."""
        return cls(view, STATES[view.state], LOOKS[view.state], known.shown.reason, known.since, why_not)


@dataclass(frozen=True)
class Mine:
    """A server of the person who looks, as its site told it (only where the site shares this)."""

    view: SiteView
    held: Held
    age: timedelta
    """How old this knowledge is."""

    @property
    def server(self) -> RunningServer:
        """The server."""
        return self.held.server

    @property
    def profile(self) -> Localized | None:
        """What people read for its profile; None where it has none."""
        return self.view.profile_title(self.server.profile) if self.server.profile else None


@dataclass(frozen=True)
class LimitShown:
    """A limit over all sites as the portal's page tells it: how many of her servers it counts now."""

    limit: SharedLimit
    count: int
    stale: int
    """Servers that it would count, at sites that are silent now: they are not counted."""


class FederationPage(PageHandler):
    """What the pages of the portal share."""

    service: FederationService

    def shown(self, decision: Decision | None = None) -> list[Shown]:
        """Return all sites, in the order of the settings file."""
        board = self.service.board
        why = decision.others if decision else {}
        return [Shown.of(view, board.known[name], why.get(name)) for name, view in board.views.items()]

    def operated(self) -> list[str]:
        """Return the sites that this person may operate: an administrator all, others where they are listed."""
        names = {self.person.username, *(f"group:{group}" for group in self.person.groups)}
        known = self.service.board.known
        return [name for name, one in known.items() if self.person.admin or names & set(one.site.operators)]


def mine(service: FederationService, held: Iterable[Held]) -> list[Mine]:
    """Return servers as pages show them."""
    views, now = service.board.views, service.now()
    return [Mine(views[one.site], one, max(now - one.known, timedelta(0))) for one in held if one.site in views]


def known_by_subject(auth: AuthSettings | None) -> bool:
    """Whether people are known by issuer and ``sub``, which other providers, and often other hubs, do not share."""
    return auth is not None and (auth.person or PRESETS[auth.preset].person) == "subject"


class PortalPage(FederationPage):
    """``/``: where my files are, which of my servers run, and how every site is."""

    def limits(self, mine: list[Mine]) -> list[LimitShown]:
        """Return the limits over all sites, with what they count of her servers."""
        return [
            LimitShown(
                limit, len([one for one in counted if not one.stale]), len([one for one in counted if one.stale])
            )
            for limit in self.service.federation.limits
            for counted in [[one.held for one in mine if limit.counts(one.server.profile, one.server.gpu > 0)]]
        ]

    @web.authenticated
    async def get(self) -> None:
        try:
            async with self.service.database.session() as session:
                home = await homes.get(session, person=self.person.person, username=self.person.username)
            decision = await self.service.explain(self.person, GoLink())
        except Exception as error:
            raise PublicError(
                503,
                "database-away",
                Text("The portal can't look up your home site now"),
                Text("The sites themselves work: if you know yours, go there directly."),
            ) from error
        views = self.service.board.views
        own = mine(self.service, self.service.board.held(self.person.person))
        target = decision.site if decision.site in views else None
        self.render_page(
            "federation/portal.html",
            home=home,
            decision=decision,
            going=decision.outcome is Outcome.GO,
            target=Shown.of(views[target], self.service.board.known[target]) if target else None,
            sites=self.shown(decision),
            mine=own,
            limits=self.limits(own),
            by_subject=known_by_subject(self.service.settings.auth),
            operates=bool(self.operated()),
            go=self.service.go_prefix,
        )


class StatusPage(FederationPage):
    """``/status``: how every site is, for everybody."""

    anonymous = True

    async def get(self) -> None:
        past = await self.service.past.read()
        zone, now = self.service.settings.site.zone, self.service.now()
        shown = [
            replace(one, days=tuple(days(past.get(one.view.name, []), now, zone)) if past is not None else ())
            for one in self.shown()
        ]
        self.render_page("federation/status.html", sites=shown, at=now, stale=past is None)


class LinksPage(FederationPage):
    """``/links``: makes links for teachers."""

    @web.authenticated
    def get(self) -> None:
        wish = LinkWish(
            **{
                field.name: self.get_query_argument(field.name, str(field.default))[:1000]
                for field in dataclasses.fields(LinkWish)
            }
        )
        views = self.service.board.views
        base = self.service.settings.site.origin + self.service.go_prefix
        built = build(wish, base, views) if self.get_query_argument("make", "") else None
        self.render_page(
            "federation/links.html",
            wish=wish,
            built=built,
            unable=[(views[name], why) for name, why in built.unable.items()] if built else [],
            views=views,
            profiles=sorted({name for view in views.values() for name in view.profiles or ()}),
        )


class GoWithoutSlash(FederationPage):
    """``/go`` is ``/go/``."""

    anonymous = True

    def get(self) -> None:
        query = self.request.query
        self.redirect(self.service.go_prefix + (f"?{query}" if query else ""))

    head = get


HANDLERS: list[tuple[Any, ...]] = [
    (r"", PortalPage),
    (r"go", GoWithoutSlash),
    (r"status", StatusPage),
    (r"links", LinksPage),
]
