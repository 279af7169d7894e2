"""What is usual with each kind of provider; every value can be set otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_REFEDS_SCOPES = (
    "openid",
    "profile",
    "email",
    "eduperson_principal_name",
    "eduperson_scoped_affiliation",
    "eduperson_affiliation",
    "eduperson_entitlement",
    "eduperson_assurance",
    "schac_home_organization",
    "eduperson",
    "supann",
)


@dataclass(frozen=True)
class Preset:
    """A kind of provider."""

    scopes: tuple[str, ...]
    """Asked for as far as the provider's discovery document has them; ``openid`` always."""
    username: str
    person: str
    claims: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    idp_hint: str = "idphint"
    """The request parameter in which the provider takes the organization that was chosen."""


PRESETS: Mapping[str, Preset] = {
    # An OpenID Connect proxy before RENATER's SAML federation: SATOSA, LemonLDAP::NG, Shibboleth OIDC.
    "renater": Preset(scopes=_REFEDS_SCOPES, username="eppn", person="eppn"),
    # Mathrice's PLM publishes given_name, family_name and email only: sub is what it promises to keep.
    "plm": Preset(scopes=("openid", "profile", "email"), username="sub", person="subject"),
    # https://docs.egi.eu: voperson_id is EGI's own persistent identifier, scoped @egi.eu.
    "egi-checkin": Preset(
        scopes=(
            "openid",
            "profile",
            "email",
            "aarc",
            "voperson_id",
            "eduperson_entitlement",
            "eduperson_scoped_affiliation",
        ),
        username="voperson_id",
        person="voperson_id",
        idp_hint="idphint",
    ),
    # Keycloak: usernames are unique within a realm, and lower case.
    "keycloak": Preset(
        scopes=("openid", "profile", "email", "roles"),
        username="preferred_username",
        person="subject",
        idp_hint="kc_idp_hint",
    ),
}
