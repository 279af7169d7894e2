"""Pages and addresses that every service has: health, metrics, login, language, accessibility, privacy, guide."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from jupyterhub.services.auth import HubOAuthCallbackHandler
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ..contracts.text import LANGUAGES
from .errors import not_found
from .handlers import ApiHandler, BaseHandler, PageHandler
from .i18n import LANGUAGE_COOKIE

YEAR_DAYS = 365


class HealthHandler(ApiHandler):
    """Says that the service runs and reaches what it needs, without a login."""

    anonymous = True

    async def get(self) -> None:
        healthy, detail = await self.service.health()
        self.write_json({"status": "ok" if healthy else "unhealthy", **detail}, 200 if healthy else 503)

    head = get


class MetricsHandler(ApiHandler):
    """Prometheus metrics, for tokens with the hub's own scope for them."""

    required_scopes = ("read:metrics",)

    def get(self) -> None:
        self.set_header("Content-Type", CONTENT_TYPE_LATEST)
        self.write(generate_latest(self.service.registry))


class ScopesHandler(ApiHandler):
    """``GET api/v1/scopes``: what the hub lets this service do, beside what it needs; for ``jupytercloud check``."""

    required_scopes = ("read:services", "admin:services")

    async def get(self) -> None:
        # Imported here: its import of the hub's database models is for this one question.
        from jupyterhub.scopes import expand_scopes

        held, least = await self.service.scopes()
        usual = expand_scopes([scope for scope in sorted(least) if not scope.startswith("custom:")])
        self.write_json({"missing": sorted(least - held), "beyond": sorted(held - usual - least)})


class CallbackHandler(BaseHandler, HubOAuthCallbackHandler):
    """The end of a login through the hub."""

    anonymous = True

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        PageHandler.write_error(self, status_code, **kwargs)

    page_context = PageHandler.page_context
    render_page = PageHandler.render_page


class LanguageHandler(PageHandler):
    """Keeps the language that a person chose, and goes back to the page she came from."""

    anonymous = True

    def post(self) -> None:
        language = self.get_body_argument("language", "")
        if language in LANGUAGES:
            path = self.service.context.base_url
            self.set_cookie(
                LANGUAGE_COOKIE,
                language,
                path=path,
                expires_days=YEAR_DAYS,
                httponly=True,
                samesite="Lax",
                secure=self.request.protocol == "https",
            )
        self.redirect(local_target(self.get_body_argument("next", ""), self.service.context.prefix))

    def check_xsrf_cookie(self) -> None:
        """A language is nothing to forge, and the switch must work before anybody is logged in."""


class StatementHandler(PageHandler):
    """The accessibility statement, the privacy page, or the guide for people."""

    anonymous = True

    def get(self, page: str) -> None:
        self.render_page(f"{page}.html", privacy=self.service.settings.privacy)


class NotFoundHandler(PageHandler):
    """Any other address."""

    anonymous = True

    def prepare(self) -> None:  # type: ignore[override]
        raise not_found()


def local_target(target: str, fallback: str) -> str:
    """Return a path on this service, never another host's address."""
    parts = urlsplit(target)
    plain = target.startswith(fallback) and "\\" not in target and not any(ord(char) < 33 for char in target)
    return target if plain and not parts.scheme and not parts.netloc else fallback
