"""Organizations as data: who is recognised as whose, and what each organization's people get."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from jupytercloud_hub.contracts.model import Model
from jupytercloud_hub.contracts.patterns import compile_pattern, matches
from jupytercloud_hub.contracts.text import Localized, Text

from .roles import NAME, OWN, SOURCES, RoleSource, is_made

Affiliation = Literal[
    "faculty",
    "student",
    "staff",
    "alum",
    "member",
    "affiliate",
    "employee",
    "library-walk-in",
    "researcher",
    "teacher",
]
"""eduPersonAffiliation's words (202208) and supann's two more."""


def _pattern(value: str) -> str:
    if not value:
        raise ValueError(Text("a name or a pattern is expected"))
    compile_pattern(value)
    return value


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _group_rule(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


def is_exact(pattern: str) -> bool:
    """Say whether a pattern names one thing only."""
    return not set("*?[") & set(pattern) and not (pattern.startswith("/") and pattern.endswith("/"))


def any_matches(patterns: tuple[str, ...], value: str) -> bool:
    """Say whether one of the patterns fits the whole value."""
    return any(matches(pattern, value) for pattern in patterns)


Patterns = Annotated[tuple[Annotated[str, AfterValidator(_pattern)], ...], BeforeValidator(_one_or_many)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_one_or_many)]
Affiliations = Annotated[tuple[Affiliation, ...], BeforeValidator(_one_or_many)]
RoleSources = Annotated[tuple[RoleSource, ...], BeforeValidator(_one_or_many)]


class GroupRule(Model):
    """A group, and who of an organization is in it; a bare name stands for everybody."""

    name: str = Field(min_length=1, max_length=255)
    """The hub's group."""
    affiliations: Affiliations = ()
    """One of these is needed; empty asks for none."""
    entitlements: Texts = ()
    """One of these is needed; a group URN of AARC-G069 is met whatever its authority."""


class RoleRule(Model):
    """A role of JupyterHub, and who of an organization has it; a bare name stands for everybody."""

    name: str
    """The role: 3 to 255 of ``a-z 0-9 - . _ ~``, a letter first."""
    affiliations: Affiliations = ()
    """One of these is needed; empty asks for none."""
    entitlements: Texts = ()
    """One of these is needed; a group URN of AARC-G069 is met whatever its authority."""
    scopes: Texts = ()
    """JupyterHub scopes of the role; empty where ``load_roles`` says them."""
    description: str = ""
    """What the role is for, on the hub's admin pages."""

    @field_validator("name")
    @classmethod
    def _can_be_a_role(cls, value: str) -> str:
        if not NAME.fullmatch(value):
            raise ValueError(Text("a role is 3 to 255 of a-z, 0-9, -, ., _ and ~, and begins with a letter"))
        if value in OWN:
            raise ValueError(Text("the role {name} is JupyterHub's own; see admins and admin_groups", name=value))
        if is_made(value):
            raise ValueError(Text("names that begin with {sources} are made by roles_from", sources=", ".join(SOURCES)))
        return value


def check_roles(rules: Iterable[RoleRule]) -> None:
    """Raise ValueError where two rules give one role different scopes: the last login would decide what it may."""
    scopes: dict[str, tuple[str, ...]] = {}
    for rule in rules:
        if rule.scopes and scopes.setdefault(rule.name, rule.scopes) != rule.scopes:
            raise ValueError(Text("two rules give the role {name} different scopes", name=rule.name))


class Institution(Model):
    """One organization, or a family of them: how it is recognised, what it may say, and what its people get.

    The first in the file that matches a person decides, except that one with ``deny: true`` always wins.
    Names of organizations, identity providers and scopes are exact, globs (``*.cnrs.fr``) or regular
    expressions between slashes.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    """Short name, in logs, metrics and rules."""
    title: Localized | None = None
    """Name for people."""
    home_organizations: Patterns = ()
    """Values of schacHomeOrganization that belong to it. Together with ``idps``, both must fit."""
    idps: Patterns = ()
    """EntityIDs of the identity providers that speak for it; the safest way to recognise it."""
    scopes: Patterns = ()
    """Scopes (what follows the @) that it owns; by default its home organizations. No other is believed."""
    deny: bool = False
    """Nobody of it is let in."""
    affiliations: Affiliations = ()
    """One of these is needed to come in; empty accepts everybody."""
    deny_affiliations: Affiliations = ()
    """Whoever has one of these stays out, unless she has one of ``affiliations`` too."""
    assurance: Texts = ()
    """REFEDS assurance values, all of which are needed."""
    acr: Texts = ()
    """How the person must have logged in (acr): one of these."""
    username: str | None = None
    """How usernames of its people are made, where it differs from ``auth.username``."""
    groups: Annotated[
        tuple[Annotated[GroupRule, BeforeValidator(_group_rule)], ...], BeforeValidator(_one_or_many)
    ] = ()
    """Groups that its people are put in; a name, or {name, affiliations, entitlements}."""
    roles: Annotated[tuple[Annotated[RoleRule, BeforeValidator(_group_rule)], ...], BeforeValidator(_one_or_many)] = ()
    """Roles that its people have; a name, or {name, affiliations, entitlements, scopes}."""
    home_site: str | None = None
    """Site that its people are sent to at first (the portal's rule)."""
    contact: str | None = None
    """Whom its people write to: an e-mail or web address of its identity team."""

    @model_validator(mode="after")
    def _recognised_by_something(self) -> Institution:
        if not self.home_organizations and not self.idps:
            raise ValueError(Text("home_organizations or idps is needed: by what is the organization recognised?"))
        check_roles(self.roles)
        return self

    def recognises(self, home_organization: str | None, idp: str | None) -> bool:
        """Say whether a person with these two belongs to it; what a rule does not name is not asked."""
        if self.idps and not (idp and any_matches(self.idps, idp)):
            return False
        return not self.home_organizations or bool(
            home_organization and any_matches(self.home_organizations, home_organization)
        )

    @property
    def only_organization(self) -> str | None:
        """Its home organization, when the rule names exactly one."""
        exact = self.home_organizations[0] if len(self.home_organizations) == 1 else ""
        return exact.lower() if exact and is_exact(exact) else None

    def owns(self, scope: str, home_organization: str | None) -> bool:
        """Say whether it may assert values of this scope."""
        if self.scopes:
            return any_matches(self.scopes, scope)
        if scope == home_organization:
            return any_matches(self.home_organizations, scope)  # what it merely says of itself proves nothing
        return any(is_exact(pattern) and matches(pattern, scope) for pattern in self.home_organizations)
