"""RenaterAuthenticator: login by OpenID Connect in which nothing is believed that was not verified."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jupyterhub import orm
from jupyterhub.utils import maybe_future, url_path_join

from ..contracts.patterns import matches
from ..contracts.person import USER_INFO_KEY
from ..contracts.text import LANGUAGES
from ..identity import PRESETS, Identity, Refused, decide
from ..identity.institutions import any_matches
from ..storage import Database
from ..web.hub_pages import hub_handlers
from . import starts
from .admission import Admission
from .backchannel import BackchannelLogoutHandler
from .breakglass import BreakGlassHandler
from .guest_store import GuestStore
from .handlers import LoggedOutHandler, RenaterCallbackHandler, RenaterLoginHandler, RenaterLogoutHandler
from .invitation import InvitationHandler, LeavingHandler, leaves_at, start_refused
from .oidc.discovery import ProviderMetadata
from .oidc.errors import OidcError
from .oidc.party import Verified
from .organizations import OrganizationsHandler
from .pages import PREFIX, StatementHandler
from .problems import from_oidc, from_refusal
from .reauthorisation import Reauthoriser
from .stepup import StepUpHandler, StepUpNeeded, is_strong, strong_until
from .store import ClaimKind, Store
from .traits import RenaterTraits


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
        super().__init__(**kwargs)
        self._store: Store | None = None
        self._opening = asyncio.Lock()
        self._background: asyncio.Task[None] | None = None
        self.admission = Admission(self)
        self.reauthoriser = Reauthoriser(self)

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
        """Return the addresses under ``/hub/`` that login, logout and our pages need; the hub asks once."""
        if self.hub_app is not None:
            self._background = asyncio.ensure_future(self._until_the_hub_ends())
        return [
            *super().get_handlers(app),
            *starts.HANDLERS,
            (r"/oidc/logged-out", LoggedOutHandler),
            (r"/oidc/backchannel-logout", BackchannelLogoutHandler),
            (r"/oidc/step-up", StepUpHandler),
            (r"/oidc/break-glass", BreakGlassHandler),
            (r"/oidc/organizations", OrganizationsHandler),
            (r"/oidc/invitation", InvitationHandler),
            (r"/oidc/leaving", LeavingHandler),
            *hub_handlers(),
            *getattr(getattr(app, "spawner_class", None), "hub_handlers", ()),
            (rf"/{PREFIX}/(accessibility|privacy|guide)", StatementHandler),
        ]

    async def _until_the_hub_ends(self) -> None:
        """Look at people's rights again and again; the hub cancels this when it ends, and connections are closed."""
        try:
            if self.recheck_interval > 0:
                await self.reauthoriser.run()
            else:
                await asyncio.Event().wait()
        finally:
            store, self._store = self._store, None
            if store is not None:
                await store.database.close()

    async def authenticate(self, handler: Any, data: Any = None, **kwargs: Any) -> dict[str, Any]:
        """Turn the code of a callback into an auth model; a login that must not succeed raises its page."""
        with self.problems_told(handler):
            verified, identity = await self.identify(handler)
            identity = await self._bound(identity, verified)
            handler.kind = identity.kind
            auth_model = await self.auth_model_of(verified, identity)
            if self.needs_stronger(auth_model):
                raise StepUpNeeded
            return auth_model

    async def identify(self, handler: Any) -> tuple[Verified, Identity]:
        """Return who came back with a code, and nothing of it is kept. Raises `OidcError`, `Refused`."""
        state = handler.state
        verified = await self.party.redeem(
            handler.get_query_argument("code"),
            verifier=state.verifier(handler.browser),
            redirect_uri=self.get_callback_url(handler),
            nonce=state.nonce(handler.browser),
            acr=state.acr,
            max_age=state.max_age,
        )
        return verified, await self.admission.identity(verified, self._language(state.language), state.invitation)

    @contextmanager
    def problems_told(self, handler: Any) -> Iterator[None]:
        """End a login that must not succeed with its page."""
        try:
            yield
        except Refused as refused:
            raise handler.end(from_refusal(refused)) from None
        except OidcError as error:
            self.log.warning("The provider's answer was not accepted: %s", error)
            raise handler.end(from_oidc(error)) from None

    def identity_of(self, verified: Verified, language: str | None) -> Identity:
        """Return who the claims are about. Raises `Refused`."""
        acr = verified.id_claims.get("acr")
        return decide(
            verified.claims,
            self.issuer,
            self.policy,
            acr=acr if isinstance(acr, str) else None,
            language=self._language(language),
        ).unwrap()

    @staticmethod
    def _language(language: str | None) -> str | None:
        return language if language in LANGUAGES else None

    async def _bound(self, identity: Identity, verified: Verified) -> Identity:
        """Return the identity under the username that is hers alone; raises `Refused` where it is another's."""
        derived = identity.model_copy(update={"username": self.normalize_username(identity.username)})
        store = await self.bindings()
        sid = verified.id_claims.get("sid")
        sid = sid if isinstance(sid, str) and 0 < len(sid) <= 255 else None
        username = await store.bind(derived, claim_keys(derived), hub_knows=self._is_used, sid=sid)
        return derived.model_copy(update={"username": username})

    def _is_used(self, username: str) -> bool:
        """Say whether the hub has an account of that name that somebody used."""
        user = orm.User.find(self.hub_app.db, username) if self.hub_app is not None else None
        return user is not None and (user.last_activity is not None or user.encrypted_auth_state is not None)

    async def bindings(self) -> Store:
        """Return the authenticator's tables, brought to their newest version when first needed."""
        if self._store is None:
            async with self._opening:
                if self._store is None:
                    database = Database(self.database_url, "auth", pool_size=3)
                    await database.upgrade()
                    self._store = Store(database)
        return self._store

    async def guest_store(self) -> GuestStore:
        """Return the tables of guests, leavers and emergency logins."""
        return GuestStore((await self.bindings()).database)

    @property
    def hub_app(self) -> Any:
        """The hub that this authenticator belongs to; None where it was made by hand."""
        return self.parent if hasattr(self.parent, "users") else None

    def needs_stronger(self, auth_model: dict[str, Any]) -> bool:
        """Say whether a person may come in only after a login with two factors."""
        if not self.mfa_for_admins or self._is_strong(auth_model["auth_state"]):
            return False
        user = orm.User.find(self.hub_app.db, auth_model["name"]) if self.hub_app is not None else None
        return bool(auth_model["admin"] or (auth_model["admin"] is None and user is not None and user.admin))

    def _is_strong(self, auth_state: dict[str, Any]) -> bool:
        return is_strong(auth_state, self.mfa_acr, self.mfa_max_age, time.time())

    async def auth_model_of(
        self, verified: Verified, identity: Identity, logged_in_at: float | None = None
    ) -> dict[str, Any]:
        """Return JupyterHub's auth model of a person; ``logged_in_at`` (epoch) is now, except at refreshes."""
        username = identity.username
        auth_state = self._auth_state(verified, identity)
        auth_state["logged_in_at"] = logged_in_at or auth_state["verified_at"]
        if self.modify_auth_state_hook is not None:
            auth_state = await self._call_modify_auth_state_hook(auth_state)
        auth_model: dict[str, Any] = {
            "name": username,
            "admin": True if username in self.admin_users else None,
            "auth_state": auth_state,
            "user_info": self._user_info(identity, strong_until(auth_state, self.mfa_acr, self.mfa_max_age)),
        }
        auth_model = await self.update_auth_model(auth_model)
        if self.manage_groups:
            auth_model = await self._apply_managed_groups(auth_model)
        if self.manage_roles and self.hub_app is not None:
            auth_model["roles"] = self.roles_of(identity, auth_model)
        return auth_model

    def roles_of(self, identity: Identity, auth_model: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the roles of a person as JupyterHub takes them: hers, and its own, which it would take away else."""
        db = self.hub_app.db
        user = orm.User.find(db, auth_model["name"])
        is_admin = auth_model["admin"] or (auth_model["admin"] is None and user is not None and user.admin)
        names = ["user", *(["admin"] if is_admin else []), *identity.roles]
        rules = {rule["name"]: rule for rule in self._role_definitions()}
        found = []
        for name in names:
            known = None if name in rules else orm.Role.find(db, name)
            found.append(rules.get(name) or {"name": name, **({"scopes": known.scopes} if known else {})})
        return found

    async def load_managed_roles(self) -> list[dict[str, Any]]:
        """Return the roles whose scopes rules say; the hub makes them when it starts, and refuses unknown scopes."""
        return self._role_definitions()

    def _role_definitions(self) -> list[dict[str, Any]]:
        return [
            {"name": rule.name, "scopes": list(rule.scopes), "description": rule.description}
            for rule in self.policy.role_rules
            if rule.scopes
        ]

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

    def _user_info(self, identity: Identity, mfa_until: float | None = None) -> dict[str, Any]:
        """Return what JupyterHub shows to the person's server and to services; see `contracts.person`."""
        name = identity.name or identity.username
        wanted = self.published_entitlements
        entitlements = [one for one in identity.entitlements if any(matches(pattern, one) for pattern in wanted)]
        return {
            "name": name,
            "display_name": name,
            "initials": identity.initials or None,
            **({"email": identity.email} if self.publish_email and identity.email else {}),
            USER_INFO_KEY: {
                "person": identity.person,
                "home_organization": identity.home_organization,
                "affiliations": list(identity.affiliations),
                "language": identity.language,
                **({"mfa_until": round(mfa_until)} if mfa_until is not None else {}),
                **({"entitlements": entitlements} if entitlements else {}),
            },
        }

    async def get_user_groups(self, auth_state: dict[str, Any]) -> set[str]:
        """Return the groups that the rules give, and those of ``auth_state_groups_key`` where that is set."""
        groups = set(auth_state["identity"]["groups"])
        if self.mfa_group and self._is_strong(auth_state):
            groups.add(self.mfa_group)
        if self.auth_state_groups_key:
            groups |= await super().get_user_groups(auth_state)
        return groups

    async def check_allowed(self, username: str, auth_model: dict[str, Any] | None) -> bool:
        """Let in whom an institution's rule let in; without institutions, whom oauthenticator lets in."""
        if auth_model is not None and self.policy.institutions:
            return True  # whom no rule lets in never came this far
        return bool(await super().check_allowed(username, auth_model))

    async def pre_spawn_start(self, user: Any, spawner: Any) -> None:
        """Refuse every start, whatever way it came, of a person who may only fetch her files."""
        await maybe_future(super().pre_spawn_start(user, spawner))
        if await leaves_at(user) is not None:
            raise start_refused(user, spawner, f"{self.hub_app.hub.base_url}oidc/leaving")

    async def refresh_user(self, user: Any, handler: Any = None, **kwargs: Any) -> bool | dict[str, Any]:
        """Ask for a person's rights anew; False when she has to log in again."""
        if self.refresh_user_hook is not None:
            refreshed = await self._call_refresh_user_hook(user, await user.get_auth_state())
            if refreshed is not None:
                return refreshed  # type: ignore[no-any-return]
        answer = await self.reauthoriser.refresh(user)
        if not answer:
            user._auth_refreshed = None  # her next page leads to the login, however lately she was asked for
            # JupyterHub 6.1.1 reads it of whoever came with a cookie, and nobody has set it: a start ended with 500.
            if handler is not None and not hasattr(handler, "_token_authenticated"):
                handler._token_authenticated = False
        return answer


def claim_keys(identity: Identity) -> list[tuple[ClaimKind, str]]:
    """Return what an account of before may be claimed with, the surest first; all of it was believed."""
    subject = identity.subject
    keys: list[tuple[ClaimKind, str]] = [("subject", f"{subject.issuer}#{subject.sub}")]
    for kind in ("unique_id", "voperson_id", "eppn"):
        if value := identity.identifiers.get(kind):
            keys.append((kind, value))
    return [*keys, ("username", identity.username)]
