"""What an administrator can set on RenaterAuthenticator, checked when the hub starts."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from traitlets import Any as AnyTrait
from traitlets import Bool, Dict, Enum, Float, List, TraitError, Unicode, default, observe, validate

from ..identity import PRESETS, Policy
from ..identity.roles import SOURCES
from ..settings.auth import check_issuer
from ..settings.site import PrivacySettings, SiteSettings
from . import metrics
from .login_traits import LoginTraits
from .oidc.client import ClientCredentials
from .oidc.http import ProviderClient
from .oidc.party import RelyingParty
from .oidc.tokens import ASYMMETRIC
from .state import UsedStates


class RenaterTraits(LoginTraits):
    """The traits of `RenaterAuthenticator`, their checks, and what is made of them."""

    _policy: Policy | None = None

    issuer = Unicode(
        config=True,
        help="""
        The OpenID provider's issuer, letter for letter as its discovery document says it.

        http is taken for this machine's own addresses only.
        """,
    )

    preset = Enum(
        sorted(PRESETS),
        "renater",
        config=True,
        help="""
        What kind of provider it is: scopes asked for, and how usernames are made.

        ``renater`` for an OpenID Connect proxy before RENATER's federation (SATOSA, LemonLDAP::NG, Shibboleth).
        """,
    )

    institutions = List(
        Dict(),
        config=True,
        help="""
        Organizations whose people may come in, each a mapping with the keys of ``institutions:``.

        Where it is not empty, nobody else comes in, and who fits needs no ``allow_all``. Example::

            c.RenaterAuthenticator.institutions = [
                {"name": "uga", "home_organizations": ["univ-grenoble-alpes.fr"], "affiliations": ["staff"]},
            ]
        """,
    ).tag(allow_config=True)

    claim_names = Dict(
        config=True,
        help="""
        Other names for claims, by attribute: ``{"eppn": ["my_eppn"]}``.

        They replace the usual ones (REFEDS' snake_case, LDAP's camelCase, SAML's OIDs) of that attribute.
        """,
    )

    username_from = Unicode(
        config=True,
        help="""
        How usernames are made: ``eppn``, ``eppn-local``, ``unique_id``, ``voperson_id``, ``subject_id``,
        ``preferred_username``, ``sub``, ``hash``, or another claim's name.

        Empty: as is usual for the preset. An institution can have its own way.
        """,
    )

    person_from = Unicode(
        config=True,
        help="""
        The identifier that is the same at every hub of a federation: ``eppn``, ``unique_id``, ``voperson_id``
        or ``subject`` (issuer and sub).

        Empty: as is usual for the preset.
        """,
    )

    published_entitlements: Any = List(
        Unicode(),
        config=True,
        help="""
        Entitlements that the hub's services may see, as names, globs or regular expressions between slashes.

        A portal routes by them. ``configure`` sets those that ``federation.rules`` name; all others stay in the
        encrypted ``auth_state``. Example: ``["urn:geant:example.org:group:gpu*"]``.
        """,
    )

    publish_email: Any = Bool(
        False,
        config=True,
        help="""
        Show a person's e-mail address, where the provider released one, to the hub's services, in ``user_info``.

        The services of this package write warnings to it. ``configure`` sets it where ``mail.to_people`` is true;
        otherwise the address stays in the encrypted ``auth_state``.
        """,
    )

    group_rules: Any = List(
        config=True,
        help="""
        Groups for people of any organization.

        Names, or mappings with ``name``, ``affiliations`` and ``entitlements``.
        """,
    )

    role_rules: Any = List(
        config=True,
        help="""
        Roles of JupyterHub for people of any organization.

        Names, or mappings with ``name``, ``affiliations``, ``entitlements`` and ``scopes``. With these, with
        ``roles_from`` or with an institution's ``roles``, ``manage_roles`` is on.
        """,
    )

    roles_from: Any = List(
        Enum(list(SOURCES)),
        config=True,
        help="""
        What roles are made of without a rule: ``affiliation``, ``organization``, ``entitlement``, ``group``.

        ``affiliation.staff``, ``organization.univ.fr``; other characters than a role can have stand as ``~`` and
        two hexadecimal digits. What such a role may do is said by ``JupyterHub.load_roles``.
        """,
    )

    allowed_algorithms = List(
        Enum(list(ASYMMETRIC)),
        ["RS256", "ES256", "PS256", "EdDSA"],
        config=True,
        help="""
        Signature algorithms accepted on tokens.

        Asymmetric ones only: with a shared secret, whoever can check a token can forge one.
        """,
    )

    trusted_audiences = List(
        Unicode(),
        config=True,
        help="""
        Other services that an ID token may be made for at the same time.

        A token with any other extra audience is refused (OpenID Connect Core 3.1.3.7).
        """,
    )

    private_key = Unicode(
        config=True,
        help="""
        Private key (PEM) by which the hub proves to the provider who it is (private_key_jwt).

        It takes the place of ``client_secret``.
        """,
    )
    private_key_id = Unicode(config=True, help="""Key id of ``private_key``, as the provider knows it.""")
    private_key_algorithm = Enum(
        list(ASYMMETRIC), "ES256", config=True, help="""Signature algorithm that goes with ``private_key``."""
    )

    offline_access = Bool(
        config=True,
        help="""
        Ask for a refresh token that outlives the person's session at the provider.

        She is then asked for her consent at each login, as OpenID Connect Core 11 demands.
        """,
    )

    unverified_grace = Float(
        3600.0,
        config=True,
        help="""
        Seconds for which a person stays in when her rights cannot be asked anew.

        That is so while the provider is away, and with providers that give no refresh token, when the access
        token has ended. Afterwards she has to log in again.
        """,
    )

    database_url = Unicode(
        "sqlite:///jupytercloud.sqlite",
        config=True,
        help="""
        SQLAlchemy address of the database that keeps whose username is whose (SQLite or PostgreSQL).

        Keep it with the hub's own: without it, everybody who used the hub before is refused.
        """,
    )

    recheck_interval = Float(
        300.0,
        config=True,
        help="""
        Seconds between two looks at the rights of people with running servers; 0 never looks.

        Others are looked at when they come, every ``auth_refresh_age`` seconds.
        """,
    )

    stop_servers_on_loss = Bool(
        config=True,
        help="""
        Stop the servers of a person who lost the right to be here, and not only her sessions and tokens.
        """,
    )

    logout_at_provider = Bool(
        True,
        config=True,
        help="""
        End the person's session at the provider too when she logs out (RP-initiated logout).
        """,
    )

    allowed_hints = List(
        Unicode(),
        config=True,
        help="""
        Organizations that a login link may name (``?idphint=…`` and its sisters): entityIDs or names, exact,
        glob or ``/regular expression/``.

        Empty: the identity providers and home organizations that ``institutions`` name exactly.
        """,
    )

    site_settings = Dict(
        config=True,
        help="""
        ``site:`` of ``jupytercloud.yaml``, for title, contact and time zone on the pages around login.
        """,
    )
    privacy = Dict(config=True, help="""``privacy:`` of ``jupytercloud.yaml``, for the privacy page.""")

    party = AnyTrait(help="""The relying party; made when first needed.""")
    used_states = AnyTrait(help="""Logins that have ended.""")

    # What JupyterHub and oauthenticator leave off is on: see the measurements in docs/explanation.
    @default("auto_login")
    def _auto_login(self) -> bool:
        return True

    @default("enable_auth_state")
    def _enable_auth_state(self) -> bool:
        return True

    @default("manage_groups")
    def _manage_groups(self) -> bool:
        return True

    @default("manage_roles")
    def _manage_roles(self) -> bool:
        return bool(self.policy.role_rules or self.policy.roles_from)

    @default("refresh_pre_spawn")
    def _refresh_pre_spawn(self) -> bool:
        return True

    @default("auth_refresh_strict")
    def _auth_refresh_strict(self) -> bool:
        return True

    @default("login_service")
    def _login_service(self) -> str:
        return "RENATER" if self.preset == "renater" else "OpenID Connect"

    @default("used_states")
    def _used_states(self) -> UsedStates:
        return UsedStates()

    @validate("issuer")
    def _check_issuer(self, proposal: Any) -> str:
        try:
            return check_issuer(proposal.value) if proposal.value else ""
        except ValueError as error:
            raise TraitError(f"RenaterAuthenticator.issuer: {error}") from None

    @validate("enable_auth_state")
    def _demand_auth_state(self, proposal: Any) -> bool:
        if not proposal.value:
            raise TraitError("RenaterAuthenticator re-checks people's rights, and needs enable_auth_state for it")
        return True

    @validate("http_request_kwargs")
    def _check_http_options(self, proposal: Any) -> dict[str, Any]:
        try:
            ProviderClient(proposal.value)
        except ValueError as error:
            raise TraitError(str(error)) from None
        return dict(proposal.value)

    @observe(
        "institutions",
        "claim_names",
        "username_from",
        "person_from",
        "group_rules",
        "preset",
        "role_rules",
        "roles_from",
    )
    def _forget_policy(self, change: Any) -> None:
        self._policy = None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.policy  # noqa: B018 - a mistake in the rules ends the start, not the first login
        self.site = self._site()
        self.privacy_settings = PrivacySettings.model_validate(self.privacy)

    def _site(self) -> SiteSettings:
        return SiteSettings.model_validate(
            {"name": "hub", "title": "JupyterHub", "url": "http://127.0.0.1/", **self.site_settings}
        )

    @property
    def policy(self) -> Policy:
        """The rules by which claims become identities. Raises TraitError where they are wrong."""
        if self._policy is None:
            try:
                self._policy = Policy.model_validate(
                    {
                        "preset": self.preset,
                        "institutions": self.institutions,
                        "claims": {
                            name: (names,) if isinstance(names, str) else names
                            for name, names in self.claim_names.items()
                        },
                        "username": self.username_from or None,
                        "person": self.person_from or None,
                        "groups": [{"name": rule} if isinstance(rule, str) else rule for rule in self.group_rules],
                        "roles": [{"name": rule} if isinstance(rule, str) else rule for rule in self.role_rules],
                        "roles_from": self.roles_from,
                    }
                )
            except ValidationError as error:
                places = "; ".join(
                    f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
                    for item in error.errors(include_url=False)
                )
                raise TraitError(f"RenaterAuthenticator: {places}") from None
        return self._policy

    @default("party")
    def _party(self) -> RelyingParty:
        options = dict(self.http_request_kwargs)
        if not self.validate_server_cert:
            options["validate_cert"] = False
        credentials = ClientCredentials(
            self.client_id,
            self.client_secret,
            post=not self.basic_auth,
            private_key=self.private_key,
            key_id=self.private_key_id or None,
            algorithm=self.private_key_algorithm,
        )
        return RelyingParty(
            self.issuer,
            credentials,
            ProviderClient(options, observe=metrics.observe_request),
            algorithms=self.allowed_algorithms,
            trusted_audiences=frozenset(self.trusted_audiences),
            on_keys=lambda outcome: metrics.KEY_REFRESHES.labels(outcome).inc(),
            log=self.log,
        )

    @default("basic_auth")
    def _basic_auth(self) -> bool:
        return True  # OpenID Connect Core 9: client_secret_basic is what a client has unless it says otherwise
