"""``/hub/oidc/backchannel-logout``: the provider says that a person logged out (Back-Channel Logout 1.0)."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from jupyterhub.handlers.base import BaseHandler

from . import metrics
from .oidc.errors import OidcError, ProviderMisconfigured, ProviderUnavailable, TokenRefused
from .sessions import end_sessions, stop_servers


class BackchannelLogoutHandler(BaseHandler):
    """Takes logout tokens from the provider; 200 when the sessions are ended, 400 when the token is refused."""

    _accept_cookie_auth = False

    def check_xsrf_cookie(self) -> None:
        """The provider has no cookie of ours; its signature is what counts."""

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Type", "application/json")

    async def post(self) -> None:
        try:
            await self._end(self.get_body_arguments("logout_token", strip=False))
        except (ProviderUnavailable, ProviderMisconfigured) as error:
            self._answer(503, error)
        except OidcError as error:
            self._answer(400, error)
        else:
            metrics.LOGOUTS.labels("back", "ok").inc()
            self.finish()

    def _answer(self, status: int, error: OidcError) -> None:
        metrics.LOGOUTS.labels("back", "refused" if status == 400 else "failed").inc()
        self.log.warning("Back-channel logout refused: %s", error)
        self.set_status(status)
        self.finish(json.dumps({"error": "invalid_request", "error_description": error.reason}))

    async def _end(self, tokens: list[str]) -> None:
        if len(tokens) != 1:
            raise TokenRefused("token-missing", "one logout_token is needed")
        authenticator = self.authenticator
        claims = await authenticator.party.logout_claims(tokens[0])
        store = await authenticator.bindings()
        try:
            named = await store.end_session(
                claims["iss"],
                claims.get("sub"),
                claims.get("sid"),
                claims["jti"],
                datetime.fromtimestamp(claims["exp"], UTC),
            )
        except KeyError:
            raise TokenRefused("jti", "this logout token was taken before") from None
        for username in named:
            user = self.find_user(username)
            if user is None:
                continue
            end_sessions(self.db, user, keep_servers=True)
            if self.settings.get("shutdown_on_logout"):
                await stop_servers(self.app, user)
        self.log.info("Back-channel logout: sessions of %s accounts ended", len(named))
