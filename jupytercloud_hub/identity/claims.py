"""Reading claims: each spelling that proxies use for an attribute, in each form that they send it in.

Values come as a text, a list of texts, or texts joined with ``;`` (Shibboleth's way). Names come as REFEDS
writes them for OpenID Connect, in the camelCase of LDAP, or as a SAML proxy's OID URN. What a value means is
decided elsewhere; here it only becomes a tuple of clean texts, or a `Refused` that names the attribute.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jupytercloud_hub.contracts.text import Text

from .refusal import Refused

MAX_VALUES = 2_000
MAX_LENGTH = 4_096  # characters in one value
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LABEL = re.compile(r"\{([A-Za-z][A-Za-z0-9._:-]{0,63})\}(.*)", re.DOTALL)


@dataclass(frozen=True)
class Attribute:
    """One attribute: the names it goes by, in the order they are tried, and the form of its values."""

    names: tuple[str, ...]
    many: bool = False
    """More than one value is meaningful. An attribute that is not `many` may be sent as a list of one."""
    free: bool = False
    """Free text (a display name): a ``;`` in it separates nothing, and of several values the first counts."""


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def _named(*names: str, many: bool = False, free: bool = False) -> Attribute:
    spelled = dict.fromkeys(spelling for name in names for spelling in (name, _camel(name)))
    return Attribute(tuple(spelled), many=many, free=free)


ATTRIBUTES: Mapping[str, Attribute] = {
    "name": _named("name", "display_name", "cn", free=True),
    "given_name": _named("given_name", free=True),
    "family_name": _named("family_name", "sn", free=True),
    "email": _named("email", "mail"),
    "preferred_username": _named("preferred_username"),
    "eppn": _named("eduperson_principal_name", "eduPersonPrincipalName", "eppn", "urn:oid:1.3.6.1.4.1.5923.1.1.1.6"),
    "unique_id": _named("eduperson_unique_id", "eduPersonUniqueId", "urn:oid:1.3.6.1.4.1.5923.1.1.1.13"),
    "voperson_id": _named("voperson_id", "voPersonID"),
    "subject_id": _named("subject_id", "subject-id"),
    "home_organization": _named(
        "schac_home_organization", "schac_home_organisation", "urn:oid:1.3.6.1.4.1.25178.1.2.9"
    ),
    "affiliation": _named(
        "eduperson_affiliation", "eduPersonAffiliation", "urn:oid:1.3.6.1.4.1.5923.1.1.1.1", many=True
    ),
    "scoped_affiliation": _named(
        "eduperson_scoped_affiliation",
        "eduPersonScopedAffiliation",
        "voperson_external_affiliation",
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.9",
        many=True,
    ),
    "entitlement": _named(
        "eduperson_entitlement",
        "eduPersonEntitlement",
        "entitlements",
        "urn:oid:1.3.6.1.4.1.5923.1.1.1.7",
        many=True,
    ),
    "assurance": _named("eduperson_assurance", "eduPersonAssurance", "urn:oid:1.3.6.1.4.1.5923.1.1.1.11", many=True),
    "idp": _named("idp_entity_id", "idp", "identity_provider", "acr_idp", "authenticating_authority"),
    "orcid": _named("eduperson_orcid", "eduPersonOrcid", "orcid"),
    "supann_etablissement": _named("supann_etablissement", "urn:oid:1.3.6.1.4.1.7135.1.2.1.14", many=True),
    "supann_entite_affectation": _named("supann_entite_affectation", "urn:oid:1.3.6.1.4.1.7135.1.2.1.8", many=True),
}
"""Every attribute that is understood, by the name that settings and messages use for it."""


def malformed(name: str, shape: Text) -> Refused:
    """Return the refusal for an attribute whose value has not the shape it must have."""
    return Refused(
        "claim-malformed",
        Text(
            "Your organization sent the attribute “{attribute}” in a form that cannot be read: {shape}.",
            attribute=name,
            shape=shape,
        ),
        Text("Nothing on your side is wrong. Please forward this page to the person to write to below."),
        attribute=name,
    )


def missing(name: str) -> Refused:
    """Return the refusal for an attribute that is needed and did not come."""
    return Refused(
        "claim-missing",
        Text(
            "Your organization did not send the attribute “{attribute}”, which is needed here.",
            attribute=name,
        ),
        Text("Ask your organization's identity team to send it to this service, and forward this page to them."),
        attribute=name,
    )


class Claims:
    """The claims of one person, read attribute by attribute.

    ``mapping`` replaces the names of an attribute: ``{"eppn": ["my_eppn"]}``.
    """

    def __init__(self, raw: Mapping[str, Any], mapping: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self._raw = raw
        self._mapping = mapping or {}

    def attribute(self, name: str) -> Attribute:
        """Return the definition of ``name``; a name that is not known is taken as a claim's own name."""
        attribute = ATTRIBUTES.get(name) or Attribute((name,))
        names = self._mapping.get(name)
        return Attribute(tuple(names), attribute.many, attribute.free) if names else attribute

    def shown_name(self, name: str) -> str:
        """Return the name by which people ask an organization for the attribute."""
        return self.attribute(name).names[0]

    def all(self, name: str) -> tuple[str, ...]:
        """Return the values of an attribute, each once, in the order they came; none is ``()``.

        Raises `Refused` (claim-malformed) for anything but texts.
        """
        attribute = self.attribute(name)
        for spelling in attribute.names:
            if self._raw.get(spelling) is not None:
                values = self._texts(spelling, self._raw[spelling], split=not attribute.free)
                if values:
                    return values
        return ()

    def one(self, name: str) -> str | None:
        """Return the value of an attribute that has one; None when it did not come.

        Raises `Refused` (claim-malformed) for two different values: to choose would be to guess who it is.
        """
        values = self.all(name)
        if len(values) > 1 and not self.attribute(name).free:
            raise malformed(self.shown_name(name), Text("it has {count} values, and must have one", count=len(values)))
        return values[0] if values else None

    @staticmethod
    def _texts(spelling: str, value: Any, *, split: bool) -> tuple[str, ...]:
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list | tuple):
            raise malformed(spelling, Text("it is neither a text nor a list of texts"))
        found: dict[str, None] = {}
        for item in items:
            if not isinstance(item, str):
                raise malformed(spelling, Text("it is neither a text nor a list of texts"))
            if len(item) > MAX_LENGTH * 16 or len(found) > MAX_VALUES:
                raise malformed(spelling, Text("it is too long"))
            for piece in item.split(";") if split else [item]:
                text = unicodedata.normalize("NFC", piece).strip()
                if len(text) > MAX_LENGTH:
                    raise malformed(spelling, Text("it is too long"))
                if _CONTROL.search(text):
                    raise malformed(spelling, Text("it holds control characters"))
                if text:
                    found[text] = None
        if len(found) > MAX_VALUES:
            raise malformed(spelling, Text("it is too long"))
        return tuple(found)


@dataclass(frozen=True)
class Scoped:
    """A value such as ``faculty@univ.fr``: split at the first ``@`` (eduPerson), both halves lower case."""

    value: str
    scope: str

    def __str__(self) -> str:
        return f"{self.value}@{self.scope}"


def scoped(text: str) -> Scoped | None:
    """Read ``value@scope``; None when either half is missing."""
    value, separator, scope = text.partition("@")
    value, scope = value.strip().lower(), scope.strip().lower()
    return Scoped(value, scope) if separator and value and scope else None


@dataclass(frozen=True)
class Labelled:
    """A supann value such as ``{UAI}0751717J``; ``label`` is upper case, and None when there is none."""

    label: str | None
    value: str


def labelled(text: str) -> Labelled:
    """Read a supann value with or without its label."""
    match = _LABEL.fullmatch(text.strip())
    return Labelled(match[1].upper(), match[2].strip()) if match else Labelled(None, text.strip())
