"""The hub's addresses for logging in and out, in the order in which a browser meets them."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlencode

from jupyterhub.handlers.base import BaseHandler
from oauthenticator.oauth2 import OAuthCallbackHandler, OAuthLoginHandler, OAuthLogoutHandler

from ..contracts.text import LANGUAGES
from ..identity import Refused
from ..web.errors import PublicError
from . import metrics, stepup
from .oidc.discovery import ProviderMetadata
from .oidc.errors import OidcError
from .oidc.party import authorization_url
from .organizations import REMEMBERED, choices, discovery_address
from .pages import HubPage
from .problems import LoginProblem, bad_state, from_oidc, from_refusal, from_response_error, not_allowed
from .state import COOKIE, MAX_AGE_DAYS, MAX_STATE, STATE_NAME, LoginState, new_browser_secret
from .stepup import StepUpNeeded

HINTS = ("idphint", "aarc_idp_hint", "kc_idp_hint", "selected_idp", "entityID")
"""Parameters by which a link names the organization to log in with (AARC-G061, Keycloak, CILogon, SAML)."""


class LoginFlowHandler(HubPage):
    """What login and callback share: the browser's cookie, and ends of logins."""

    @property
    def browser_cookie(self) -> str:
        """Name of the cookie that binds logins to a browser; ``__Host-`` where the hub's own has that."""
        prefix = "__Host-" if self.hub.cookie_name.startswith("__Host-") else ""
        return f"{prefix}{COOKIE}"

    def browser_secret(self) -> str | None:
        """Return the secret of this browser, if it brought one that the hub signed."""
        value = self.get_secure_cookie(self.browser_cookie, max_age_days=1)
        return value.decode() if value else None

    def end(self, problem: LoginProblem) -> LoginProblem:
        """Log and count a login that did not succeed; returns the problem, to be raised."""
        outcome = "refused" if problem.status == 403 else "failed"
        metrics.LOGINS.labels(outcome, problem.reason).inc()
        details = (("organization", problem.organization), ("attribute", problem.attribute))
        more = "".join(f" {name}={value!r}" for name, value in details if value)
        self.log.warning("Login %s: %s%s", outcome, problem.reason, more)
        return problem

    def show_problem(self, error: PublicError) -> None:
        problem = (
            error
            if isinstance(error, LoginProblem)
            else LoginProblem(error.status, error.code, error.title, error.message, what_to_do=error.what_to_do)
        )
        self.show(
            "auth/problem.html",
            problem=problem,
            status=problem.status,
            contact=problem.contact or self.authenticator.site.contact,
            again=self.login_address(self.next_of_problem()),
            # Switching the language repeats the login: the answer in the address bar is good once.
            path=self.login_address(),
        )

    def next_of_problem(self) -> str:
        """Return where a new login is to lead."""
        return ""


class RenaterLoginHandler(LoginFlowHandler, OAuthLoginHandler):
    """``/hub/oauth_login``: sends the browser to the provider."""

    def _next_url(self) -> str:
        """Return the address to go to afterwards, byte for byte, or nothing where it is not one of this hub's."""
        wanted = self.get_query_argument("next", "", strip=False)
        checked = self._validate_next_url(wanted) if wanted else ""
        unsafe = not checked.startswith("/") or checked.startswith("//") or any(ord(one) < 33 for one in checked)
        return "" if unsafe else str(checked)

    def next_of_problem(self) -> str:
        return self._next_url()

    async def get(self) -> None:
        try:
            metadata = await self.authenticator.party.metadata()
        except OidcError as error:
            self.log.warning("No login is possible: %s", error)
            raise self.end(from_oidc(error)) from None
        hint = self._hint()
        stronger = bool(self.get_query_argument("stepup", ""))
        invitation = await self._invitation()
        elsewhere = None if hint or stronger or invitation else self._choice_address()
        if elsewhere is not None:
            self.redirect(elsewhere)
            return
        browser = self.browser_secret()
        if browser is None:
            browser = new_browser_secret()
        self._set_cookie(
            self.browser_cookie,
            browser,
            path=self.hub.base_url,
            expires_days=1,
            httponly=True,
            samesite="Lax",
        )
        acr, max_age = tuple(self.authenticator.mfa_acr), int(self.authenticator.mfa_max_age)
        demanded = (acr, max_age) if stronger else ((), None)
        state = LoginState.new(self._next_url(), self.language, *demanded, invitation=invitation)
        more = stepup.params(metadata, acr, max_age) if stronger else {}
        params = {**self._params(metadata, state, browser), **hint, **more}
        self.redirect(authorization_url(metadata.authorization_endpoint, params))

    async def _invitation(self) -> str:
        """Return the id of the invitation whose link led here; empty for everybody else. Raises `LoginProblem`."""
        token = self.get_query_argument("token", "")
        if not token or not self.authenticator.guests:
            return ""
        try:
            return str((await self.authenticator.admission.invited(token)).id)
        except Refused as refused:
            raise self.end(from_refusal(refused)) from None

    def _choice_address(self) -> str | None:
        """Return where the person chooses her organization first; None where the provider asks her."""
        authenticator = self.authenticator
        next_url = self._next_url()
        if authenticator.organization_choice == "page":
            return f"{self.hub.base_url}oidc/organizations?{urlencode({'next': next_url})}"
        if authenticator.organization_choice == "discovery-service" and not self.get_query_argument("entityID", ""):
            here = authenticator.get_callback_url(self).removesuffix("oauth_callback") + "oauth_login"
            back = f"{here}?{urlencode({'next': next_url})}"
            return discovery_address(authenticator.discovery_service, authenticator.discovery_entity_id, back)
        return None

    def _params(self, metadata: ProviderMetadata, state: LoginState, browser: str) -> dict[str, str]:
        authenticator = self.authenticator
        prompts = []
        if self.get_query_argument("again", ""):
            prompts.append("login")
        if authenticator.asks_offline_access:
            prompts.append("consent")  # Core 11: offline_access counts only with it
        return {
            **authenticator.extra_authorize_params,
            **({"prompt": " ".join(prompts)} if prompts else {}),
            "response_type": "code",
            "client_id": authenticator.client_id,
            "redirect_uri": authenticator.get_callback_url(self),
            "scope": " ".join(authenticator.scopes_for(metadata)),
            "state": self.create_signed_value(STATE_NAME, state.pack()).decode(),
            "nonce": state.nonce(browser),
            "code_challenge": state.challenge(browser),
            "code_challenge_method": "S256",
            "ui_locales": " ".join([self.language, *(one for one in LANGUAGES if one != self.language)]),
        }

    def _hint(self) -> dict[str, str]:
        """Return the organization to log in with, under the provider's parameter: a link's, if allowed, or the last.

        Who wants another account is asked anew.
        """
        for name in HINTS:
            value = self.get_query_argument(name, "")
            if value and self.authenticator.hint_allowed(value):
                return {self.authenticator.idp_hint_parameter: value}
        last = self.get_cookie(REMEMBERED)
        if last and self.authenticator.organization_choice == "page" and not self.get_query_argument("again", ""):
            known = choices(self.authenticator.policy.institutions)
            hint = next((one.hint for one in known if one.name == last), None)
            return {self.authenticator.idp_hint_parameter: hint} if hint else {}
        return {}


class RenaterCallbackHandler(LoginFlowHandler, OAuthCallbackHandler):
    """``/hub/oauth_callback``: the browser comes back with a code, or with an error."""

    state: LoginState | None = None
    browser: str = ""
    kind: str = "member"
    _found: tuple[str, Any] | None = None

    async def auth_to_user(self, authenticated: Any, user: Any = None) -> Any:
        """Store a login as JupyterHub does, but not what is stored already: each write costs the hub's one thread."""
        self._found = None
        known = self.find_user(authenticated["name"])
        self._found = authenticated["name"], known
        if known is not None and known.user_info == authenticated["user_info"]:
            authenticated = {name: value for name, value in authenticated.items() if name != "user_info"}
        return await super().auth_to_user(authenticated, user)

    def find_user(self, user_or_name: Any) -> Any:
        """Return a user; the one who logs in is looked up once."""
        if self._found is not None and self._found[0] == user_or_name:
            return self._found[1]
        return super().find_user(user_or_name)

    async def get(self) -> None:
        self.state = self._read_state()
        self._language = self.state.language if self.state.language in LANGUAGES else None
        try:
            self._check_response()
            metadata = await self.authenticator.party.metadata()
            self.authenticator.party.check_response_issuer(metadata, self._argument("iss"))
        except OidcError as error:
            raise self.end(from_oidc(error)) from None
        reported = self._argument("error")
        if reported is not None:
            raise self.end(from_response_error(reported))
        if not self._argument("code"):
            raise self.end(from_response_error("invalid_request"))
        if not self.authenticator.used_states.use(self.state.id):
            if self.current_user is not None:  # the page was loaded again, or "back" was pressed
                self.redirect(self.get_next_url(self.current_user))
                return
            raise self.end(bad_state("state-used"))
        try:
            user = await self.login_user()
        except StepUpNeeded:
            self.log.info("A login goes on with two factors")
            query = urlencode({"stepup": "1", "next": self.state.next_url})
            self.redirect(f"{self.login_address()}?{query}")
            return
        if user is None:
            raise self.end(not_allowed())
        metrics.LOGINS.labels("accepted", "ok").inc()
        leaving = self.kind == "leaver"
        self.redirect(f"{self.hub.base_url}oidc/leaving" if leaving else self.get_next_url(user))

    def get_next_url(self, user: Any = None) -> str:
        if self.state is not None and self.state.next_url:
            return self.state.next_url
        return str(BaseHandler.get_next_url(self, user))

    def next_of_problem(self) -> str:
        return self.state.next_url if self.state else ""

    def _argument(self, name: str) -> str | None:
        values = self.request.query_arguments.get(name)
        return values[0].decode("utf-8", "replace") if values else None

    def _check_response(self) -> None:
        if any(len(values) > 1 for values in self.request.query_arguments.values()):
            raise self.end(bad_state("response-repeated"))  # RFC 6749 3.1: no parameter comes twice

    def _read_state(self) -> LoginState:
        """Return the login that this answer belongs to; nothing else of the request is looked at before."""
        packed = self._argument("state")
        if not packed or len(packed) > MAX_STATE:
            raise self.end(bad_state("state-missing"))
        signed = self.get_secure_cookie(STATE_NAME, value=packed, max_age_days=MAX_AGE_DAYS)
        if signed is None:
            raise self.end(bad_state("state-invalid"))
        browser = self.browser_secret()
        if browser is None:
            raise self.end(bad_state("browser-unknown"))
        self.browser = browser
        return LoginState.unpack(signed)


class RenaterLogoutHandler(HubPage, OAuthLogoutHandler):
    """``/hub/logout``: ends the session here, then at the provider (RP-Initiated Logout 1.0)."""

    _id_token: str | None = None
    _was_known = False

    async def get(self) -> None:
        user = self.current_user
        if user is not None:
            self._was_known = True
            self._id_token = ((await user.get_auth_state()) or {}).get("id_token")
        await super().get()

    async def handle_logout(self) -> None:
        metrics.LOGOUTS.labels("front", "ok").inc()

    async def render_logout_page(self) -> None:
        authenticator = self.authenticator
        if authenticator.logout_redirect_url:
            self.redirect(authenticator.logout_redirect_url)
            return
        endpoint = None
        if self._was_known and authenticator.logout_at_provider:
            try:
                endpoint = (await authenticator.party.metadata()).end_session_endpoint
            except OidcError as error:
                self.log.warning("Logged out here only: %s", error)
        if endpoint is None:
            self.show("auth/logged-out.html", everywhere=False, again=self.login_address())
            return
        params = {
            "client_id": authenticator.client_id,
            "post_logout_redirect_uri": authenticator.logged_out_url(self),
            "state": secrets.token_urlsafe(12),
            "ui_locales": self.language,
            **({"id_token_hint": self._id_token} if self._id_token else {}),
        }
        self.redirect(authorization_url(endpoint, params))


class LoggedOutHandler(HubPage):
    """``/hub/oidc/logged-out``: where the provider sends the browser after a logout."""

    def get(self) -> None:
        self.show("auth/logged-out.html", everywhere=True, again=self.login_address())
