"""JupyterHub's own pages (home, spawn, waiting, errors) in both languages, in our frame."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import pass_context
from jinja2.runtime import Context
from jupyterhub.handlers.base import BaseHandler
from tornado.web import RequestHandler, StaticFileHandler

from ..contracts.text import LANGUAGES, Language
from .common import YEAR_DAYS, local_target
from .i18n import LANGUAGE_COOKIE, NATIVE_NAMES, negotiate, translations

if TYPE_CHECKING:
    from ..settings import Settings


def template_folder() -> Path:
    """Return the folder of the templates that replace JupyterHub's."""
    return Path(str(resources.files("jupytercloud_hub.web") / "templates" / "hub"))


def template_vars(settings: Settings) -> dict[str, Any]:
    """Return what the templates need: ``_`` translates, ``page_language`` names the language of the page."""
    from ..settings.configure.names import page_services

    base = settings.site.base_path
    return {
        # JupyterHub calls a callable with the user: what it returns is the variable
        "_": lambda user: _translate,
        "page_language": lambda user: _page_language,
        "native_names": NATIVE_NAMES,
        "site": settings.site,
        "site_pages": {name: f"{base}services/{name}/" for name in page_services(settings)},
        "site_role": settings.site.role,
        "portal_url": settings.portal_url,
    }


def request_language(handler: RequestHandler | None, user: Any = None) -> Language:
    """Return the language of a page of the hub: asked for, kept in a cookie, the browser's, the person's own."""
    info = getattr(user, "user_info", None) or {}
    own = (info.get("jupytercloud") or {}).get("language")
    if handler is None:
        return negotiate(own)
    return negotiate(
        handler.request.query_arguments.get("lang", [b""])[-1].decode(errors="replace"),
        handler.get_cookie(LANGUAGE_COOKIE),
        accept_language=handler.request.headers.get("Accept-Language") or own,
    )


def _language(context: Context) -> Language:
    # The hub gives its templates no request; `static_url` is a method of the handler that renders.
    handler = getattr(context.get("static_url"), "__self__", None)
    return request_language(handler if isinstance(handler, RequestHandler) else None, context.get("user"))


@pass_context
def _translate(context: Context, msgid: str, **params: Any) -> str:
    sentence = translations(_language(context)).gettext(msgid)
    return sentence % params if params else sentence


@pass_context
def _page_language(context: Context) -> Language:
    return _language(context)


class HubLanguageHandler(BaseHandler):
    """``/hub/jupytercloud/language``: keeps the language that a person chose on one of the hub's pages.

    Another site can make a browser post here, since the XSRF check is off. All that it gets by it: the pages change to
    the other of two languages, and the browser lands on a page below ``/hub/``, as by any link. Nobody needs to be
    logged in, nothing of the session decides anything here, and one cookie with one of two values is all it writes.
    """

    def check_xsrf_cookie(self) -> None:
        """A language is nothing to forge, and the switch must work before JupyterHub has given an XSRF cookie."""

    def post(self) -> None:
        """Set the cookie and go back."""
        language = self.get_body_argument("language", "")
        base = self.base_url
        if language in LANGUAGES:
            secure = self.request.protocol == "https"
            options = {"path": base, "httponly": True, "samesite": "Lax", "secure": secure}
            self.set_cookie(LANGUAGE_COOKIE, language, expires_days=YEAR_DAYS, **options)
        self.redirect(local_target(self.get_body_argument("next", ""), f"{base}hub/"))


def hub_handlers() -> list[tuple[Any, ...]]:
    """Return the handlers that an authenticator of ours adds under ``/hub/``."""
    static = str(resources.files("jupytercloud_hub.web") / "static")
    return [
        (r"/jupytercloud/language", HubLanguageHandler),
        (r"/jupytercloud/static/(.*)", StaticFileHandler, {"path": static}),
    ]
