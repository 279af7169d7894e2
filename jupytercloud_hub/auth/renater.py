"""RenaterAuthenticator: login by OpenID Connect in which nothing is believed that was not verified."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from jupyterhub.utils import url_path_join

from ..contracts.person import USER_INFO_KEY
from ..contracts.text import LANGUAGES
from ..identity import PRESETS, Identity, Refused, decide
from ..identity.institutions import any_matches
from ..web.hub_pages import hub_handlers
from . import metrics
from .handlers import LoggedOutHandler, RenaterCallbackHandler, RenaterLoginHandler, RenaterLogoutHandler
from .oidc.discovery import ProviderMetadata
from .oidc.errors import GrantRefused, OidcError, ProviderMisconfigured, ProviderUnavailable, TokenRefused
from .oidc.party import Tokens, Verified
from .pages import PREFIX, StatementHandler
from .problems import from_oidc, from_refusal
from .traits import RenaterTraits

REFRESH_LEEWAY = 60.0  # seconds before its end at which an access token is renewed


class RenaterAuthenticator(RenaterTraits):
    """Log in through an OpenID provider of a federation such as RENATER's.

    Set ``issuer``, ``client_id``, ``client_secret`` and ``oauth_callback_url``; everything else about the
    provider comes from its discovery document, when the first person logs in. Who may come in is said by
    ``institutions``, or by oauthenticator's own ``allow_all``, ``allowed_users`` and ``allowed_groups``.
    """

    login_handler = RenaterLoginHandler
    callback_handler = RenaterCallbackHandler
    logout_handler = RenaterLogoutHandler
    user_auth_state_key = "oauth_user"

    def __init__(self, **kwargs: Any) -> None:
        self._refreshing: dict[str, asyncio.Lock] = {}
        super().__init__(**kwargs)

    @property
    def asks_offline_access(self) -> bool:
        """Whether a refresh token for offline access is asked for."""
        return self.offline_access or "offline_access" in self.scope

    def scopes_for(self, metadata: ProviderMetadata) -> list[str]:
        """Return the scopes to ask for: those of the ``scope`` trait, else the preset's that the provider has."""
        scopes = list(self.scope) or [
            one for one in PRESETS[self.preset].scopes if metadata.scopes is None or one in metadata.scopes
        ]
        wanted = ["openid", *scopes, *(["offline_access"] if self.asks_offline_access else [])]
        return list(dict.fromkeys(wanted))

    @property
    def idp_hint_parameter(self) -> str:
        """The parameter in which this provider takes the name of an organization."""
        return PRESETS[self.preset].idp_hint

    def hint_allowed(self, value: str) -> bool:
        """Say whether a link may send people to this organization's login."""
        if len(value) > 500 or any(ord(one) < 33 for one in value):
            return False
        known = tuple(self.allowed_hints) or tuple(
            pattern
            for rule in self.policy.institutions
            if not rule.deny
            for pattern in (*rule.idps, *rule.home_organizations)
        )
        return any_matches(known, value)

    def get_callback_url(self, handler: Any = None) -> str:
        """Return the redirect URI: configured, else below the hub's public URL, else guessed from the request."""
        public = handler.settings.get("public_url") if handler and not self.oauth_callback_url else None
        if public:
            return str(url_path_join(f"{public.scheme}://{public.netloc}", handler.hub.base_url, "oauth_callback"))
        return str(super().get_callback_url(handler))

    def logged_out_url(self, handler: Any) -> str:
        """Return the address to come back to from a logout at the provider; it has to be registered there."""
        return self.get_callback_url(handler).removesuffix("oauth_callback") + "oidc/logged-out"

    def get_handlers(self, app: Any) -> list[tuple[Any, ...]]:
        """Return the addresses under ``/hub/`` that login, logout and our pages need."""
        return [
            *super().get_handlers(app),
            (r"/oidc/logged-out", LoggedOutHandler),
            *hub_handlers(),
            (rf"/{PREFIX}/(accessibility|privacy)", StatementHandler),
        ]

    async def authenticate(self, handler: Any, data: Any = None, **kwargs: Any) -> dict[str, Any]:
        """Turn the code of a callback into an auth model; a login that must not succeed raises its page."""
        state = handler.state
        try:
            verified = await self.party.redeem(
                handler.get_query_argument("code"),
                verifier=state.verifier(handler.browser),
                redirect_uri=self.get_callback_url(handler),
                nonce=state.nonce(handler.browser),
                acr=state.acr,
                max_age=state.max_age,
            )
            return await self._auth_model(verified, self._identity(verified, state.language))
        except Refused as refused:
            raise handler.end(from_refusal(refused)) from None
        except OidcError as error:
            self.log.warning("The provider's answer was not accepted: %s", error)
            raise handler.end(from_oidc(error)) from None

    def _identity(self, verified: Verified, language: str | None) -> Identity:
        """Return who the claims are about. Raises `Refused`."""
        acr = verified.id_claims.get("acr")
        return decide(
            verified.claims,
            self.issuer,
            self.policy,
            acr=acr if isinstance(acr, str) else None,
            language=language if language in LANGUAGES else None,
        ).unwrap()

    async def _auth_model(self, verified: Verified, identity: Identity) -> dict[str, Any]:
        username = self.normalize_username(identity.username)
        auth_state = self._auth_state(verified, identity)
        if self.modify_auth_state_hook is not None:
            auth_state = await self._call_modify_auth_state_hook(auth_state)
        auth_model: dict[str, Any] = {
            "name": username,
            "admin": True if username in self.admin_users else None,
            "auth_state": auth_state,
            "user_info": self._user_info(identity),
        }
        auth_model = await self.update_auth_model(auth_model)
        if self.manage_groups:
            auth_model = await self._apply_managed_groups(auth_model)
        return auth_model

    def _auth_state(self, verified: Verified, identity: Identity) -> dict[str, Any]:
        """Return what is kept, encrypted: tokens, claims, and the identity that was made of them."""
        tokens = verified.tokens
        return {
            "access_token": tokens.access_token,
            "refresh_token": tokens.refresh_token,
            "id_token": tokens.id_token,
            "scope": list(tokens.scope),
            "expires_at": tokens.expires_at,
            "verified_at": time.time(),
            "id_claims": dict(verified.id_claims),
            self.user_auth_state_key: dict(verified.claims),
            "identity": identity.model_dump(mode="json"),
        }

    @staticmethod
    def _user_info(identity: Identity) -> dict[str, Any]:
        """Return what JupyterHub shows to the person's server and to services; see `contracts.person`."""
        name = identity.name or identity.username
        return {
            "name": name,
            "display_name": name,
            "initials": identity.initials or None,
            USER_INFO_KEY: {
                "person": identity.person,
                "home_organization": identity.home_organization,
                "affiliations": list(identity.affiliations),
                "language": identity.language,
            },
        }

    async def get_user_groups(self, auth_state: dict[str, Any]) -> set[str]:
        """Return the groups that the rules give, and those of ``auth_state_groups_key`` where that is set."""
        groups = set(auth_state["identity"]["groups"])
        if self.auth_state_groups_key:
            groups |= await super().get_user_groups(auth_state)
        return groups

    async def check_allowed(self, username: str, auth_model: dict[str, Any] | None) -> bool:
        """Let in whom an institution's rule let in; without institutions, whom oauthenticator lets in."""
        if auth_model is not None and self.policy.institutions:
            return True  # whom no rule lets in never came this far
        return bool(await super().check_allowed(username, auth_model))

    async def refresh_user(self, user: Any, handler: Any = None, **kwargs: Any) -> bool | dict[str, Any]:
        """Ask for a person's rights anew; False when she has to log in again.

        One refresh at a time for each person: a refresh token that is used twice at once is taken for stolen.
        """
        lock = self._refreshing.setdefault(user.name, asyncio.Lock())
        try:
            async with lock:
                return await self._refresh(user)
        finally:
            if not lock.locked():
                self._refreshing.pop(user.name, None)

    async def _refresh(self, user: Any) -> bool | dict[str, Any]:
        auth_state = await user.get_auth_state()
        if self.refresh_user_hook is not None:
            refreshed = await self._call_refresh_user_hook(user, auth_state)
            if refreshed is not None:
                return refreshed  # type: ignore[no-any-return]
        if not auth_state or "id_claims" not in auth_state:
            metrics.REFRESHES.labels("login-needed").inc()
            return False
        try:
            verified = await self._reverified(auth_state)
            if verified is None:
                return self._unverified(auth_state)
            identity = self._identity(verified, auth_state["identity"].get("language"))
            if self.normalize_username(identity.username) != user.name:
                self.log.warning("Re-authorisation refused: name-changed")
                metrics.REFRESHES.labels("refused").inc()
                return False
            auth_model = await self._auth_model(verified, identity)
            if not (self.allow_all or await self.check_allowed(user.name, auth_model)):
                metrics.REFRESHES.labels("refused").inc()
                return False
            metrics.REFRESHES.labels("confirmed").inc()
            return auth_model
        except Refused as refused:
            self.log.warning("Re-authorisation refused: %s", refused)
            metrics.REFRESHES.labels("refused").inc()
            return False
        except (ProviderUnavailable, ProviderMisconfigured) as error:
            self.log.warning("Re-authorisation is not possible: %s", error)
            metrics.REFRESHES.labels("unreachable").inc()
            return self._within_grace(auth_state)
        except (TokenRefused, GrantRefused) as error:
            self.log.warning("Re-authorisation refused: %s", error)
            metrics.REFRESHES.labels("refused").inc()
            return False

    async def _reverified(self, auth_state: Mapping[str, Any]) -> Verified | None:
        """Return the person as the provider describes her now; None where it can't be asked without her."""
        tokens = Tokens(
            access_token=auth_state["access_token"],
            refresh_token=auth_state.get("refresh_token"),
            id_token=auth_state.get("id_token"),
            scope=tuple(auth_state.get("scope") or ()),
            expires_at=auth_state.get("expires_at"),
        )
        id_claims = auth_state["id_claims"]
        ended = tokens.expires_at is not None and tokens.expires_at - REFRESH_LEEWAY <= time.time()
        if not (ended and tokens.refresh_token):
            verified = await self.party.recheck(tokens, id_claims)
            if verified is not None:
                return verified  # type: ignore[no-any-return]
        if not tokens.refresh_token:
            return None
        renewed = await self.party.refresh(tokens.refresh_token, sub=str(id_claims["sub"]), id_claims=id_claims)
        return renewed  # type: ignore[no-any-return]

    def _unverified(self, auth_state: Mapping[str, Any]) -> bool:
        """Answer for a person whose access token has ended and who has no refresh token."""
        metrics.REFRESHES.labels("login-needed").inc()
        return self._within_grace(auth_state)

    def _within_grace(self, auth_state: Mapping[str, Any]) -> bool:
        return time.time() - float(auth_state.get("verified_at") or 0) < self.unverified_grace
