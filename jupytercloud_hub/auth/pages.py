"""Pages of ours that the hub itself serves: those around login and logout, and what they refer to."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from jupyterhub.handlers.base import BaseHandler
from jupyterhub.utils import url_path_join

from ..contracts.text import Language
from ..web.errors import PublicError
from ..web.handlers import CONTENT_SECURITY_POLICY
from ..web.hub_pages import request_language
from ..web.templating import render_template

PREFIX = "jupytercloud"
"""Where static files and small pages are, below ``/hub/`` (see `web.hub_pages.hub_handlers`)."""


class HubPage(BaseHandler):
    """A page of the hub in our own templates, in the person's language; works before anybody is logged in."""

    _language: Language | None = None

    @property
    def content_security_policy(self) -> str:
        # A form here may lead to a login, and Chromium holds form-action against every redirect that follows:
        # to the provider, and from there to any organization's own login page.
        return CONTENT_SECURITY_POLICY.replace("form-action 'self'; ", "")

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Cache-Control", "no-store")

    @property
    def language(self) -> Language:
        """The language of the page: asked for, kept in a cookie, the browser's, French."""
        if self._language is None:
            self._language = request_language(self)
        return self._language

    @property
    def page_prefix(self) -> str:
        """Path under which static files and the small pages are."""
        return str(url_path_join(self.hub.base_url, PREFIX, "/"))

    def login_address(self, next_url: str = "") -> str:
        """Return where a new login begins."""
        address = self.authenticator.login_url(self.hub.base_url)
        return f"{address}?next={quote(next_url, safe='')}" if next_url else str(address)

    def show(self, template: str, **context: Any) -> None:
        """Write a page of ``web/templates/``."""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Language", self.language)
        known: dict[str, Any] = {
            "person": None,
            "site": self.authenticator.site,
            "zone": self.authenticator.site.timezone,
            "service_name": "hub",
            "prefix": self.page_prefix,
            "hub_prefix": self.hub.base_url,
            "neighbours": {},
            "event": None,
            "here": self.request.uri,
            "path": self.request.path,
            "xsrf_form": lambda: "",
        }
        self.write(render_template(template, self.language, **{**known, **context}))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None, None))[1]
        if not isinstance(error, PublicError):
            super().write_error(status_code, **kwargs)
            return
        if error.retry_after:
            self.set_header("Retry-After", str(round(error.retry_after.total_seconds())))
        self.show_problem(error)
        self.finish()

    def show_problem(self, error: PublicError) -> None:
        """Write the page of an error that may be told."""
        self.show("error.html", error=error, status=error.status)

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None, None))[1]
        super().send_error(error.status if isinstance(error, PublicError) else status_code, **kwargs)

    def log_exception(self, kind: Any, error: Any, trace: Any) -> None:
        if not isinstance(error, PublicError):  # ours were logged where they were raised, without the request's query
            super().log_exception(kind, error, trace)


class StatementHandler(HubPage):
    """The accessibility statement, the privacy page, or the guide for people."""

    def get(self, page: str) -> None:
        self.show(f"{page}.html", privacy=self.authenticator.privacy_settings, event=self.event())

    def event(self) -> Any:
        """Return the settings of the event that this hub is for, if it is for one: its visitors are asked for less."""
        return None
