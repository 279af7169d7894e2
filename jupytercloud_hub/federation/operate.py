"""The operator's page: drain, maintenance and what happened, for the sites that somebody looks after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from tornado import web

from ..contracts.heartbeat import Notice
from ..contracts.text import Localized, Text
from ..contracts.units import parse_duration
from ..web.errors import PublicError, forbidden
from . import registry, signing
from .api_models import LONGEST
from .board import Known
from .health import Order, fresh
from .model import SiteState
from .pages import FederationPage, Shown

KINDS = {"drain": SiteState.DRAINING, "maintenance": SiteState.MAINTENANCE}
LASTS = ("30 min", "1 h", "2 h", "4 h", "1 d", "")
"""Ends that the form offers; empty: until it is taken back."""
MESSAGE = 500


@dataclass(frozen=True)
class Operated:
    """A site as its operator sees it."""

    shown: Shown
    known: Known
    keys: tuple[str, ...]
    orders: tuple[str, ...]
    """Which of ``drain`` and ``maintenance`` were ordered here and are in force."""
    silent: bool
    """Its last heartbeat is too old to be believed."""


class OperatePage(FederationPage):
    """``/operate``: the sites of whoever looks, with a form for each."""

    @web.authenticated
    async def get(self) -> None:
        names = self.operated()
        if not names:
            raise forbidden(Text("This page is for the operators of sites; you are listed with none."))
        board, now = self.service.board, self.service.now()
        sites = []
        for name in names:
            known = board.known[name]
            held = {order.kind for order in known.orders if order.holds(now)}
            sites.append(
                Operated(
                    Shown.of(board.views[name], known),
                    known,
                    tuple(signing.key_id(key) for key in self.service.keys.get(name, ())),
                    tuple(what for what, kind in KINDS.items() if kind in held),
                    known.heartbeat is not None and not fresh(known.heartbeat, now, self.service.federation.health),
                )
            )
        async with self.service.database.session() as session:
            trail = [entry for entry in await registry.audit(session) if entry.target in names][:50]
        self.render_page("federation/operate.html", operated=sites, trail=trail, lasts=LASTS)


class OperateAction(OperatePage):
    """``POST /operate/<site>/<drain|maintenance|resume>``."""

    @web.authenticated
    async def post(self, name: str, what: str) -> None:
        if name not in self.operated():
            raise forbidden(Text("This page is for the operators of sites; you are listed with none."))
        now, why = self.service.now(), self.get_body_argument("reason", "")[:MESSAGE]
        async with self.service.database.session() as session:
            if what == "resume":
                for kind in KINDS.values():
                    await registry.remove_order(session, name, kind)
            else:
                await registry.put_order(session, name, Order(KINDS[what], self._notice()), now, self.person.username)
            entry = registry.Audited(
                now, self.person.username, f"{what} begin" if what != "resume" else what, name, why
            )
            await registry.note(session, entry)
        await self.service.changed()
        self.redirect(f"{self.service.context.prefix}operate")

    def _notice(self) -> Notice:
        lasts = self.get_body_argument("lasts", "")
        french, english = (self.get_body_argument(f"message_{code}", "")[:MESSAGE] for code in ("fr", "en"))
        texts = {code: text for code, text in (("fr", french), ("en", english)) if text}
        try:
            until = self.service.now() + min(parse_duration(lasts), LONGEST) if lasts else None
            return Notice(message=Localized(texts) if texts else None, until=until)
        except (ValueError, OverflowError, ValidationError):
            raise PublicError(
                400,
                "bad-form",
                Text("This can't be read"),
                Text('a duration with its unit, such as "90 s", "30 min", "2 h" or "1 d"'),
            ) from None


HANDLERS: list[tuple[Any, ...]] = [
    (r"operate", OperatePage),
    (r"operate/([a-z0-9-]{1,64})/(drain|maintenance|resume)", OperateAction),
]
