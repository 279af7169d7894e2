"""JupyterHub's start page, for people whose rights are asked for anew before each start.

JupyterHub answers a second after a start was asked for, and asks the provider within that second. With a provider that
takes longer, people were told that no server of theirs runs, pressed once more and met an error.
"""

from __future__ import annotations

from html import escape
from typing import Any
from weakref import WeakSet

from jupyterhub.handlers.pages import SpawnHandler
from jupyterhub.scopes import needs_scope
from jupyterhub.spawner import SpawnException
from tornado.httputil import url_concat
from tornado.web import HTTPError

from ..contracts.text import Language, Text
from ..web.hub_pages import request_language
from ..web.i18n import render

_begun: WeakSet[Any] = WeakSet()
"""Spawners whose start JupyterHub was told of, for the moment until it says so itself (``spawner.pending``)."""


class StartHandler(SpawnHandler):
    """Asks the provider before JupyterHub begins, and takes a second press for the first one."""

    @needs_scope("servers")  # type: ignore[untyped-decorator]
    async def _post(self, user_name: str, server_name: str, display_name: str) -> None:
        owner = self.find_user(user_name)
        spawner = owner.spawners[server_name] if owner and server_name in owner.spawners else None
        if spawner is not None and (spawner.ready or spawner.pending == "spawn"):
            self.redirect(self._get_pending_url(owner, server_name))
            return
        await super()._post(user_name, server_name, display_name)

    async def _wrap_spawn_single_user(
        self, user: Any, server_name: str, display_name: str, spawner: Any, pending_url: str, options: Any = None
    ) -> None:
        if self.authenticator.refresh_pre_spawn:
            await self._ask_for_rights(user)
        if spawner in _begun or spawner.ready or spawner.pending:
            self.redirect(pending_url)
            return
        _begun.add(spawner)
        try:
            await super()._wrap_spawn_single_user(user, server_name, display_name, spawner, pending_url, options)
        finally:
            _begun.discard(spawner)

    async def _ask_for_rights(self, user: Any) -> None:
        """Ask the provider anew; JupyterHub asks once for each request, and finds it done. Raises `SpawnException`."""
        language = request_language(self, user)
        try:
            refreshed = await self.refresh_auth(user, force=True)
        except (HTTPError, SpawnException):
            raise
        except Exception as error:  # the hub's database is away: what it says is not for people
            self.log.exception("Rights can't be asked for before a start")
            raise refusal(
                language,
                Text("What you may do could not be looked up. Nothing was started; try again in a minute."),
                (self.request.path, Text("Try again")),
                reason="rights-unknown",
                log_message="rights could not be asked for before a start",
                status_code=503,
            ) from error
        if refreshed is None:
            raise refusal(
                language,
                Text("Your login has ended. Nothing was started."),
                (url_concat(self.settings["login_url"], {"next": self.request.path}), Text("Log in again")),
                reason="login-ended",
                log_message="a login has ended before a start",
            )


def refusal(
    language: Language,
    message: Text,
    link: tuple[str, Text],
    *,
    reason: str,
    log_message: str,
    status_code: int = 403,
) -> SpawnException:
    """Return the refusal of a start in a person's language, with an address where it can be helped."""
    said = render(message, language)
    html = f'{escape(said)} <a href="{escape(link[0])}">{escape(render(link[1], language))}</a>'
    refused = SpawnException(said, reason=reason, message_html=html, status_code=status_code)
    refused.log_message = log_message
    refused.jupyterhub_message, refused.jupyterhub_html_message = said, html
    return refused


HANDLERS = [(rf"/spawn{place}", StartHandler) for place in ("", "/([^/]+)", "/([^/]+)/([^/]+)")]
"""In JupyterHub's own handlers' places."""
