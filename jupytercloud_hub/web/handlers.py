"""The one base of all pages and all APIs of the services."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from jupyterhub.services.auth import HubOAuthenticated, UserNotAllowed
from pydantic import BaseModel, ValidationError
from tornado import web
from tornado.log import app_log

from ..contracts.person import Person
from ..contracts.text import Language, Text
from .errors import PublicError, forbidden, hub_away, no_token, not_found
from .i18n import LANGUAGE_COOKIE, negotiate, render, translations
from .templating import render_template

if TYPE_CHECKING:
    from .service import Service

M = TypeVar("M", bound=BaseModel)
_BEYOND_SCHEMA = ("value_error", "datetime_", "date_", "timezone_")
"""Pydantic's names of mistakes in values of the right shape."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


class BaseHandler(HubOAuthenticated, web.RequestHandler):
    """Language, identity without blocking, headers and errors; `PageHandler` and `ApiHandler` build on it."""

    anonymous: ClassVar[bool] = False
    """True for pages that need nobody to be logged in: the hub is then not asked."""

    user: dict[str, Any] | None = None
    """JupyterHub's model of the user or service that asks; None where nobody is logged in."""

    @property
    def service(self) -> Service:
        """The service that this handler belongs to."""
        return self.settings["service"]  # type: ignore[no-any-return]

    @property
    def hub_auth(self) -> Any:
        return self.settings["hub_auth"]

    def set_default_headers(self) -> None:
        self.set_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Cache-Control", "no-store")

    async def prepare(self) -> None:
        self._hub_auth_user_cache = None
        if not self.anonymous:
            await self.identify()

    async def identify(self) -> None:
        """Ask the hub who this is (answers are kept for 30 s); `user` stays None for nobody."""
        try:
            model = await self.hub_auth.get_user(self, sync=False)
        except web.HTTPError as error:
            if error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            raise hub_away() from error
        if model:
            try:
                self._hub_auth_user_cache = self.check_hub_user(model)
            except UserNotAllowed:
                raise forbidden() from None
        self.user = self._hub_auth_user_cache

    @property
    def person(self) -> Person:
        """The person who is logged in. Raises `PublicError` for a program's token that is nobody's."""
        if self.user is None or self.user.get("kind", "user") != "user":
            raise forbidden()
        return Person.from_hub_user(self.user)

    @property
    def scopes(self) -> frozenset[str]:
        """JupyterHub scopes of whoever asks."""
        return frozenset((self.user or {}).get("scopes") or ())

    def has_scope(self, *wanted: str) -> bool:
        """Say whether whoever asks holds one of the scopes, unfiltered."""
        return bool(self.scopes & set(wanted))

    @property
    def language(self) -> Language:
        """The language of the page: asked for, kept in a cookie, the person's own, the browser's, French."""
        own = ((self.user or {}).get("user_info") or {}).get("jupytercloud") or {}
        return negotiate(
            self.request.query_arguments.get("lang", [b""])[-1].decode(errors="replace"),
            self.get_cookie(LANGUAGE_COOKIE),
            accept_language=self.request.headers.get("Accept-Language") or own.get("language"),
        )

    @property
    def _(self) -> Callable[[str], str]:
        """Translate a fixed sentence into the page's language."""
        return translations(self.language).gettext

    def say(self, text: Text) -> str:
        """Return a pure room's sentence in the page's language."""
        return render(text, self.language)

    def log_exception(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, PublicError):
            app_log.info("%s %s: %s", error.status, self.request.path, error.code)
            return
        super().log_exception(kind, error, trace)

    def public_error(self, status: int, error: BaseException | None) -> PublicError:
        """Return what may be told of an error: its own words, or that something broke."""
        if isinstance(error, PublicError):
            return error
        if status == HTTPStatus.NOT_FOUND:
            return not_found()
        if status == HTTPStatus.FORBIDDEN:
            return forbidden(
                Text("The page was open for too long, or was sent from another site. Open it anew and try again.")
                if isinstance(error, web.HTTPError) and "xsrf" in str(error.log_message).lower()
                else None
            )
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            return PublicError(405, "method-not-allowed", Text("Not here"), Text("This address does not take that."))
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return PublicError(status, "bad-request", Text("This can't be read"), Text("The request is not complete."))
        return PublicError(
            status,
            "broken",
            Text("Something broke on our side"),
            Text("Your files are not touched. The people who run this hub find the details in its log."),
            what_to_do=Text("Try again in a minute; if it stays, write to the contact below."),
        )

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None, None))[1]
        super().send_error(error.status if isinstance(error, PublicError) else status_code, **kwargs)


class PageHandler(BaseHandler):
    """A page for people: who is not logged in is sent to the hub and comes back."""

    def render_page(self, name: str, **context: Any) -> None:
        """Write a template; it gets what every page needs (language, person, links, XSRF field)."""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Language", self.language)
        self.write(render_template(name, self.language, **self.page_context(), **context))

    def page_context(self) -> dict[str, Any]:
        """Return what every page needs."""
        settings = self.service.settings
        known = self.user is not None and self.user.get("kind", "user") == "user"
        return {
            "person": Person.from_hub_user(self.user) if known and self.user else None,
            "site": settings.site,
            "zone": settings.site.timezone,
            "service_name": self.service.name,
            "prefix": self.service.context.prefix,
            "hub_prefix": f"{self.service.context.base_url}hub/",
            "neighbours": self.service.neighbours(),
            "portal_url": settings.portal_url,
            "event": settings.event,
            "here": self.request.uri,
            "path": self.request.path,
            "xsrf_form": self.xsrf_form_html,
        }

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = self.public_error(status_code, kwargs.get("exc_info", (None, None, None))[1])
        if error.retry_after:
            self.set_header("Retry-After", str(round(error.retry_after.total_seconds())))
        self.render_page("error.html", error=error, status=error.status)
        self.finish()


class ApiHandler(BaseHandler):
    """JSON for programs. A token, or a person's cookie with XSRF check; never a redirect to a login page."""

    senseless: ClassVar[int | None] = None
    """422 (RFC 9110 §15.5.21) where the API's description says so; 400 otherwise. See `json_body`."""
    required_scopes: ClassVar[tuple[str, ...]] = ()
    """One of these is needed, held without a filter; empty: anybody who is logged in."""

    def check_xsrf_cookie(self) -> None:
        """A request with a token in its header can't be forged by another site; any other is checked.

        Tornado asks before `prepare`, so JupyterHub's own exception for tokens comes too late here.
        """
        if not self.hub_auth.auth_header_pat.match(self.request.headers.get("Authorization", "")):
            super().check_xsrf_cookie()

    async def prepare(self) -> None:
        await super().prepare()
        if self.anonymous:
            return
        if self.user is None:
            raise no_token()
        if self.required_scopes and not self.has_scope(*self.required_scopes):
            raise PublicError(
                403,
                "missing-scope",
                Text("A scope is missing"),
                Text("The token needs the scope {scopes}.", scopes=" or ".join(self.required_scopes)),
            )

    @classmethod
    def allowed_methods(cls) -> list[str]:
        """Return the HTTP methods that the address takes."""
        return [
            name
            for name in cls.SUPPORTED_METHODS
            if getattr(cls, name.lower(), None) is not getattr(web.RequestHandler, name.lower(), None)
        ]

    def public_error(self, status: int, error: BaseException | None) -> PublicError:
        """Return what may be told; who shows neither token nor cookie is told so, whatever else is missing."""
        found = super().public_error(status, error)
        known = self.request.headers.get("Authorization") or self.request.headers.get("Cookie")
        if found.status == HTTPStatus.FORBIDDEN and not isinstance(error, PublicError) and not known:
            return no_token()
        return found

    def json_body(self, model: type[M]) -> M:
        """Return the body read as ``model``. Raises `PublicError` 400 that names each wrong member.

        Where `senseless` is set, it is the status of what has the right shape and makes no sense all the same: what
        a JSON Schema can't say (an end before its beginning, a day that no calendar has).
        """
        try:
            return model.model_validate_json(self.request.body)
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(str(part) for part in item['loc']) or 'body'}: {item['msg']}"
                for item in error.errors(include_url=False, include_input=False)[:10]
            )
            shaped = all(item["type"].startswith(_BEYOND_SCHEMA) for item in error.errors(include_url=False))
            status = self.senseless if self.senseless and shaped else 400
            raise PublicError(
                status, "bad-body", Text("The body can't be read"), Text("{wrong}", wrong=wrong)
            ) from None

    def write_model(self, model: BaseModel, status: int = 200) -> None:
        """Answer with a model as JSON."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.write(model.model_dump_json())

    def write_json(self, value: Any, status: int = 200) -> None:
        """Answer with any JSON value."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.write(json.dumps(value, ensure_ascii=False, default=str))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = self.public_error(status_code, kwargs.get("exc_info", (None, None, None))[1])
        if error.retry_after:
            self.set_header("Retry-After", str(round(error.retry_after.total_seconds())))
        if error.status == HTTPStatus.UNAUTHORIZED:
            self.set_header("WWW-Authenticate", "Bearer")  # RFC 9110 §11.6.1
        if error.status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", ", ".join(self.allowed_methods()))  # RFC 9110 §15.5.6
        body = {"code": error.code, "message": self.say(error.title), "detail": self.say(error.message)}
        self.write_json({"error": body}, error.status)
        self.finish()
