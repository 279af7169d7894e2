"""Pages of people whom no rule lets in: an invitation's, and that of who left and may fetch her files."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from jupyterhub.spawner import SpawnException
from pydantic import TypeAdapter

from ..contracts.text import Localized, Text
from ..identity import Refused
from ..web.errors import PublicError
from ..web.hub_pages import request_language
from .handlers import LoginFlowHandler
from .pages import HubPage
from .problems import from_refusal
from .starts import refusal

TOKEN = "token"  # noqa: S105 - the parameter's name: JupyterHub's log never shows its value


class InvitationHandler(LoginFlowHandler):
    """``/hub/oidc/invitation?token=…``: says who invites until when, and leads to the login."""

    async def get(self) -> None:
        if not self.authenticator.guests:
            raise PublicError(
                404,
                "not-found",
                Text("There is no such page"),
                Text("The address may have been copied only in part."),
            )
        token = self.get_query_argument(TOKEN, "")
        try:
            found = await self.authenticator.admission.invited(token)
        except Refused as refused:
            raise self.end(from_refusal(refused)) from None
        # No page that is led to from here learns the secret, and a login of before is no answer to it.
        self.set_header("Referrer-Policy", "no-referrer")
        self.show(
            "auth/invitation.html",
            invitation=found,
            # Switching the language must keep the secret out of a form's address: it is repeated in the link only.
            path=self.request.uri,
            accept=f"{self.login_address()}?{urlencode({TOKEN: token, 'again': '1'})}",
        )


class LeavingHandler(HubPage):
    """``/hub/oidc/leaving``: what a person whose affiliation went may still do, and until when."""

    async def get(self) -> None:
        until = await leaves_at(self.current_user)
        if until is None:
            self.redirect(f"{self.hub.base_url}home")
            return
        authenticator = self.authenticator
        files = TypeAdapter(Localized).validate_python(authenticator.leavers_files or "")
        self.show("auth/leaving.html", until=until, files=files, contact=authenticator.site.contact)


async def leaves_at(user: Any) -> datetime | None:
    """Return until when a person who left may fetch her files; None for everybody else."""
    identity = ((await user.get_auth_state()) or {}).get("identity") if user is not None else None
    if not identity or identity.get("kind") != "leaver":
        return None
    return datetime.fromisoformat(identity["ends_at"])


def start_refused(user: Any, spawner: Any, page: str) -> SpawnException:
    """Return the refusal of a start by a person who left, in her language, with the page that says what is possible."""
    return refusal(
        request_language(getattr(spawner, "handler", None), user),
        Text("Your affiliation has ended: no server can be started any more."),
        (page, Text("What you can still do")),
        reason="leaver",
        log_message="a person who left cannot start a server",
    )
