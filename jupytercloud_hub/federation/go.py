"""``/go/…``: the way of a link through the portal, and the pages for when it leads nowhere now."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from tornado import web

from ..contracts.links import GoLink, LinkRefused, parse_go, site_location
from ..contracts.text import Text
from ..web.errors import PublicError
from ..web.handlers import PageHandler
from .model import Decision, Outcome, SiteView
from .pages import mine
from .route_cookie import KEPT, NAME
from .service import FederationService
from .words import ADVICE, TITLES

RETRY = timedelta(seconds=20)
"""What an honest 503 asks to wait where nobody said until when."""


def away_now() -> PublicError:
    """The error for a first visit while the database or the portal's own hub is away."""
    return PublicError(
        503,
        "portal-away",
        Text("The portal can't look up your home site now"),
        Text("The sites themselves work: if you know yours, go there directly."),
        what_to_do=Text("Try again in a minute."),
        retry_after=RETRY,
    )


class GoHandler(PageHandler):
    """Redirects to the person's site, path and raw query untouched."""

    service: FederationService
    by_cookie = False
    on_its_way = True  # until it is clear that the answer is a page

    def set_default_headers(self) -> None:
        """A redirect shows nothing, so it needs none of a page's headers."""
        if not self.on_its_way:
            super().set_default_headers()

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        self.on_its_way = False
        super().send_error(status_code, **kwargs)

    def _log(self) -> None:
        """Links that the cookie alone routes are counted, not logged: who follows which link is nobody's affair."""
        if not self.by_cookie:
            super()._log()

    def prepare(self) -> Awaitable[None] | None:  # type: ignore[override]
        self._hub_auth_user_cache = None  # else the log of a refused link asks the hub who sent it
        header = self.request.headers.get("Cookie")
        uri = self.request.uri or ""
        prefix = self.settings["service"].go_prefix
        if header and uri[len(prefix) : len(prefix) + 1] != "~":
            routed = self.service.cookies.read(header)
            if routed and routed.within(self.service.federation.hot_path, self.service.now()):
                site = self.service.board.open.get(routed.site)
                if site is not None:
                    self._shortcut(uri, prefix, site, routed.site)
                    return None
        self.link = self._parse(uri, prefix)
        self.on_its_way = False
        self.set_default_headers()
        return self._prepare()

    def _parse(self, uri: str, prefix: str) -> GoLink:
        try:
            return parse_go(uri, prefix)
        except LinkRefused as refused:
            self.service.metrics.refused_links.inc()
            raise PublicError(
                400,
                "bad-link",
                Text("This link is not followed"),
                refused.reason,
                what_to_do=Text("Ask whoever gave it to you for the whole link, or begin at the portal."),
            ) from None

    def _shortcut(self, uri: str, prefix: str, url: str, site: str) -> None:
        link = self._parse(uri, prefix)
        self.service.metrics.shortcut(site).inc()
        self.by_cookie = True
        self._send(site_location(url, link))
        self.finish()

    async def _prepare(self) -> None:
        try:
            await super().prepare()
        except (PublicError, web.Finish):
            raise
        except Exception as error:
            if isinstance(error, web.HTTPError) and error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            if not self._from_last_snapshot():
                raise away_now() from error

    def _from_last_snapshot(self) -> bool:
        """Hub or database is away: whoever was routed home today by a good cookie goes on being routed there."""
        routed = self.service.cookies.read(self.request.headers.get("Cookie", ""))
        if not routed or not routed.within(KEPT, self.service.now()) or not self.link.plain:
            return False
        site = self.service.board.open.get(routed.site)
        if site is None:
            return False
        self.by_cookie = True
        self._send(site_location(site, self.link))
        self.finish()
        return True

    def _send(self, location: str) -> None:
        self.set_status(302)
        self.set_header("Location", location)

    @web.authenticated
    async def get(self) -> None:
        begun = time.perf_counter()
        try:
            decision = await self.service.decide(self.person, self.link)
        except PublicError:
            raise
        except Exception as error:
            if self._from_last_snapshot():
                return
            raise away_now() from error
        metrics = self.service.metrics
        metrics.decisions.labels(decision.outcome.value, decision.site or "").inc()
        self._answer(decision)
        metrics.decision_seconds.observe(time.perf_counter() - begun)

    head = get

    def _answer(self, decision: Decision) -> None:
        views = self.service.board.views
        site = views.get(decision.site) if decision.site else None
        if decision.outcome is Outcome.GO and site is not None:
            if self.link.plain and (decision.sets_home or decision.home == decision.site):
                self._remember(site.name)
            self._send(site_location(site.url, self.link))
            return
        self.set_status(decision.outcome.status)
        if decision.outcome.status == HTTPStatus.SERVICE_UNAVAILABLE:
            self.set_header("Retry-After", str(retry_after(self.service, site)))
        link = self.link
        go = self.service.go_prefix
        self.render_page(
            "federation/decision.html",
            decision=decision,
            outcome=decision.outcome.value,
            status=decision.outcome.status,
            heading=heading(decision, site),
            advice=ADVICE.get(decision.outcome),
            at=site,
            stay=go + link.without_profile().target(),
            choices=[(views[name], go + link.at(name).target()) for name in decision.choices if name in views],
            others=[(views[name], why) for name, why in decision.others.items() if name in views],
            held=mine(self.service, decision.held),
            location=lambda view: site_location(view.url, link),
        )

    def _remember(self, site: str) -> None:
        header = self.request.headers.get("Cookie", "")
        self.set_cookie(
            NAME,
            self.service.cookies.make(site, header, self.service.now()),
            path=self.service.go_prefix,
            max_age=int(KEPT.total_seconds()),
            httponly=True,
            samesite="Lax",
            secure=self.request.protocol == "https",
        )

    def page_context(self) -> dict[str, Any]:
        return {**super().page_context(), "path": self.service.context.prefix}


def heading(decision: Decision, site: SiteView | None) -> Text:
    """Return the title of a decision's page."""
    return Text(TITLES[decision.outcome].msgid, site=site.title if site else "")


def retry_after(service: FederationService, site: SiteView | None) -> int:
    """Return the seconds to wait: until an announced end, at most an hour, else a little while."""
    if site is not None and site.until is not None:
        left = (site.until - service.now()).total_seconds()
        return max(1, min(int(left), 3600))
    return int(RETRY.total_seconds())
