"""``auth:``: the OpenID provider, how it is spoken to, and what its claims are turned into."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from ..contracts.loopback import LOOPBACK
from ..contracts.model import Model
from ..contracts.text import Localized, Text
from ..contracts.units import Duration
from ..identity.institutions import GroupRule, RoleRule, RoleSources, Texts, check_roles
from .secrets import Secret


def check_issuer(value: str) -> str:
    """Return an issuer as it was written; raises ValueError for one that OpenID Connect Discovery forbids."""
    parts = urlsplit(value)
    if not parts.hostname or parts.scheme not in {"https", "http"} or parts.query or parts.fragment or parts.username:
        raise ValueError(Text("an issuer such as https://idp.example.fr is expected, without ? or #"))
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError(Text("an issuer in https is expected; http is for this machine's own only"))
    return value


Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Asymmetric signatures only: with a shared secret, whoever can check a token can forge one."""


class PrivateKeyJwt(Model):
    """The key with which the hub proves to the provider who it is (private_key_jwt)."""

    key: Secret
    """Private key in PEM."""
    kid: str | None = None
    """Its key id, as the provider knows it."""
    algorithm: Algorithm = "ES256"
    """Signature algorithm that goes with the key."""


class MfaSettings(Model):
    """Logins with two factors."""

    acr: Texts = ("https://refeds.org/profile/mfa",)
    """Values of ``acr`` that stand for one."""
    admins: bool = False
    """Administrators need one."""
    group: str = ""
    """Group of people who have one: a profile can ask for it. Empty: there is no such group."""
    max_age: Duration = timedelta(hours=12)
    """How long it counts."""


class GuestSettings(Model):
    """Guests whom somebody invited (``jupytercloud identity invite``)."""

    idps: Texts = ()
    """Identity providers or home organizations that they may be of; empty for any."""
    group: str = "guests"
    """Group that each of them is in."""
    longest: Duration = timedelta(days=365)
    """How long an account may last."""
    open_for: Duration = timedelta(days=14)
    """How long an invitation's link can be used."""


class LeaverSettings(Model):
    """People whose affiliation went."""

    export: Duration = timedelta(0)
    """How long they may still log in for their files, without starting servers; 0 s: not at all."""
    files: Localized | None = None
    """What the page tells them about how to get their files; by default, to write to the contact."""


class BreakGlassSettings(Model):
    """The emergency login of one administrator while the provider does not answer."""

    user: str
    """Her username."""
    password: Secret
    """Where the hash is that `jupytercloud identity break-glass` printed."""


class AuthSettings(Model):
    """Federated login by OpenID Connect."""

    issuer: Annotated[str, AfterValidator(check_issuer)]
    """The provider's issuer, letter for letter as its discovery document says it."""
    preset: Literal["renater", "plm", "egi-checkin", "keycloak"] = "renater"
    """What kind of provider it is: names of claims, scopes asked for, how usernames are made."""
    client_id: str = Field(min_length=1)
    """The hub's name at the provider."""
    client_secret: Secret | None = None
    """The hub's secret at the provider; not needed with ``private_key_jwt``."""
    private_key_jwt: PrivateKeyJwt | None = None
    """Prove the hub's identity with a private key instead of a shared secret."""
    client_authentication: Literal["basic", "post"] = "basic"
    """How the secret is sent to the provider."""
    scopes: Texts = ()
    """OpenID scopes to ask for; by default the preset's, as far as the provider has them."""
    algorithms: tuple[Algorithm, ...] = ("RS256", "ES256", "PS256", "EdDSA")
    """Signature algorithms accepted on tokens."""
    offline_access: bool = False
    """Ask for a refresh token that outlives the session at the provider (each login then asks for consent)."""
    claims: dict[str, Texts] = Field(default_factory=dict)
    """Other names of claims: {eppn: [my_eppn]}. They replace the usual ones of that attribute."""
    username: str | None = None
    """How usernames are made: eppn, eppn-local, unique_id, voperson_id, preferred_username, sub or hash."""
    person: str | None = None
    """Identifier that is the same at every hub: eppn, unique_id, voperson_id or subject (issuer and sub)."""
    groups: tuple[GroupRule, ...] = ()
    """Groups for people of any organization, by affiliation and entitlement."""
    roles: tuple[RoleRule, ...] = ()
    """Roles of JupyterHub for people of any organization, by affiliation and entitlement."""
    roles_from: RoleSources = ()
    """What roles are made of without a rule: affiliation, organization, entitlement, group."""
    admins: Texts = ()
    """Usernames of administrators."""
    admin_groups: Texts = ()
    """Groups whose members are administrators."""
    organization_choice: Literal["provider", "page", "discovery-service"] = "provider"
    """Where people choose their organization: the provider's page, one of this hub, or the federation's WAYF."""
    discovery_service: str = "https://discovery.renater.fr/renater/WAYF"
    """Address of the federation's discovery service."""
    discovery_entity_id: str = ""
    """entityID by which the discovery service knows the provider."""
    allowed_hints: Texts = ()
    """Organizations that a link may name (``?idphint=``); by default those of ``institutions``."""
    allow_anybody: bool = False
    """Without institutions: let in whoever the provider lets in."""
    mfa: MfaSettings = MfaSettings()
    """For whom a login with two factors is needed."""
    guests: GuestSettings | None = None
    """People without an organization that takes part; without it there are no invitations."""
    leavers: LeaverSettings = LeaverSettings()
    """What people whose affiliation went may still do."""
    break_glass: BreakGlassSettings | None = None
    """The emergency login; without it there is none."""
    refresh_every: Duration = timedelta(minutes=5)
    """How often a person's rights are asked for anew while she is active."""
    unverified_grace: Duration = timedelta(hours=1)
    """How long a session goes on when rights can't be asked anew: provider away, or no refresh token."""
    stop_servers_on_loss: bool = False
    """Stop the servers, too, of a person who lost the right to be here."""
    crypt_keys: Secret | None = None
    """Keys, newest first, ``;`` between them, that encrypt logins; by default a file in ``site.state``."""
    ca_certificates: str | None = None
    """File with the private certificate authorities by which the provider is trusted."""
    title: Localized | None = None
    """Name of the login service on the login button."""

    @model_validator(mode="after")
    def _one_way_to_authenticate(self) -> AuthSettings:
        if self.client_secret is None and self.private_key_jwt is None:
            raise ValueError(Text("client_secret or private_key_jwt is needed"))
        check_roles(self.roles)
        return self
