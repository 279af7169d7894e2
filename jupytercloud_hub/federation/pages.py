"""The portal's pages: my site and all others, and the public status page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tornado import web

from ..contracts.links import GoLink
from ..contracts.text import Text
from ..web.errors import PublicError
from ..web.handlers import PageHandler
from . import homes
from .board import Known
from .model import Decision, Outcome, SiteView
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

    @classmethod
    def of(cls, view: SiteView, known: Known, why_not: Text | None = None) -> Shown:
        """Put together what is known of a site."""
        return cls(view, STATES[view.state], LOOKS[view.state], known.shown.reason, known.since, why_not)


class FederationPage(PageHandler):
    """What the pages of the portal share."""

    service: FederationService

    def shown(self, decision: Decision | None = None) -> list[Shown]:
        """Return all sites, in the order of the settings file."""
        board = self.service.board
        why = decision.others if decision else {}
        return [Shown.of(view, board.known[name], why.get(name)) for name, view in board.views.items()]


class PortalPage(FederationPage):
    """``/``: where my files are, and how every site is."""

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
        target = decision.site if decision.site in views else None
        self.render_page(
            "federation/portal.html",
            home=home,
            decision=decision,
            going=decision.outcome is Outcome.GO,
            target=Shown.of(views[target], self.service.board.known[target]) if target else None,
            sites=self.shown(decision),
            go=self.service.go_prefix,
        )


class StatusPage(FederationPage):
    """``/status``: how every site is, for everybody."""

    anonymous = True

    async def get(self) -> None:
        self.render_page("federation/status.html", sites=self.shown(), at=self.service.now())


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
]
