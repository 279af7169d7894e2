"""Claims → identity: every rule, in one place and in order, with an account of what was decided and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import Field, model_validator

from jupytercloud_hub.contracts.model import Model
from jupytercloud_hub.contracts.text import Localized, Text

from . import entitlements, usernames
from .claims import Claims, malformed, missing, scoped
from .institutions import Affiliation, GroupRule, Institution, RoleRule, any_matches, check_roles
from .model import Identity, Subject
from .presets import PRESETS
from .refusal import Reason, Refused
from .roles import RoleSource, role_name

WORDS: frozenset[str] = frozenset(get_args(Affiliation))
_SUB = re.compile(r"[\x20-\x7e]{1,255}")  # OpenID Connect Core 2: at most 255 ASCII characters


class Policy(Model):
    """The rules of a hub, as data."""

    preset: str = "renater"
    institutions: tuple[Institution, ...] = ()
    """Empty: nobody is asked which organization she comes from, and who may come in is decided elsewhere."""
    claims: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    username: str | None = None
    person: str | None = None
    groups: tuple[GroupRule, ...] = ()
    roles: tuple[RoleRule, ...] = ()
    roles_from: tuple[RoleSource, ...] = ()

    @property
    def role_rules(self) -> tuple[RoleRule, ...]:
        """All rules that give a role."""
        return (*self.roles, *(rule for one in self.institutions for rule in one.roles))

    @model_validator(mode="after")
    def _each_role_is_one(self) -> Policy:
        check_roles(self.role_rules)
        return self


@dataclass(frozen=True)
class Decision:
    """What was decided about a set of claims: an identity or a refusal, and the steps that led there."""

    identity: Identity | None
    refused: Refused | None
    steps: tuple[Text, ...]

    def unwrap(self) -> Identity:
        """Return the identity, or raise the refusal."""
        if self.refused is not None:
            raise self.refused
        assert self.identity is not None
        return self.identity


def decide(
    raw: Mapping[str, Any],
    issuer: str,
    policy: Policy,
    *,
    acr: str | None = None,
    language: str | None = None,
) -> Decision:
    """Decide who the claims of ``issuer`` are about, and whether the rules let her in.

    The claims are genuine: whoever calls has verified them. ``acr`` is the verified ID token's. Whatever the
    claims hold, the answer is a `Decision`: no exception comes out of here.
    """
    run = _Run(Claims(raw, policy.claims), policy, acr)
    try:
        return Decision(run.identity(subject_of(raw, issuer), language), None, tuple(run.steps))
    except Refused as refused:
        return Decision(None, run.addressed(refused), (*run.steps, refused.message))


def subject_of(raw: Mapping[str, Any], issuer: str) -> Subject:
    """Return whom claims are about. Raises `Refused` where sub is missing or not what OpenID Connect says."""
    sub = raw.get("sub")
    if sub is None or sub == "":
        raise missing("sub")
    if not isinstance(sub, str) or not _SUB.fullmatch(sub):
        raise malformed("sub", Text("it is not a text of at most 255 ASCII characters"))
    return Subject(issuer=issuer, sub=sub)


class _Run:
    """One decision in progress: what is known so far, and the steps taken."""

    def __init__(self, claims: Claims, policy: Policy, acr: str | None) -> None:
        self.claims = claims
        self.policy = policy
        self.acr = acr
        self.steps: list[Text] = []
        self.institution: Institution | None = None
        self.organization: str | None = None
        self.idp: str | None = None
        self.foreign: list[str] = []  # scopes that came and are not the organization's

    def identity(self, subject: Subject, language: str | None) -> Identity:
        self._recognise()
        words, scoped_words = self._affiliations()
        assurance = self.claims.all("assurance")
        self._admit(words, assurance)
        held = self.claims.all("entitlement")
        username = self._username(subject)
        return Identity(
            subject=subject,
            username=username,
            person=self._person(subject),
            name=self._name(),
            email=self.claims.one("email"),
            home_organization=self.organization,
            idp=self.idp,
            institution=self.institution.name if self.institution else None,
            home_site=self.institution.home_site if self.institution else None,
            affiliations=words,
            scoped_affiliations=scoped_words,
            entitlements=held,
            assurance=assurance,
            acr=self.acr,
            groups=self._groups(words, held),
            roles=self._roles(words, held),
            identifiers=self._identifiers(),
            language=language,
        )

    def _recognise(self) -> None:
        home = self.claims.one("home_organization")
        self.organization = home = home.lower() if home else None
        self.idp = self.claims.one("idp")
        if not self.policy.institutions:
            self.steps.append(Text("No institutions are configured: the organization is not asked."))
            return
        if home is None and self.idp is None:
            raise missing(self.claims.shown_name("home_organization"))
        fitting = self._fitting(home)
        rules = self.policy.institutions
        denying = next((one for one in rules if one.deny and one.recognises(home, self.idp)), None)
        if not fitting and not denying:
            self._nearly(home)
            raise self._refused(
                "organization-unknown",
                Text(
                    "You logged in with an organization that this service does not know: {organization}.",
                    organization=home or self.idp,
                ),
                Text("Log in with another organization that you belong to, or ask for yours to be added."),
            )
        self.institution = denying or fitting[0]
        self.organization = home or self.institution.only_organization
        if home and not self.institution.home_organizations and not self.institution.owns(home, home):
            # The rule knows the identity provider only, and not as one that speaks for this organization.
            self.organization = None
            self.steps.append(
                Text("The organization {organization} is not one that the rule knows: not believed.", organization=home)
            )
        self.steps.append(
            Text(
                "The rule “{rule}” recognises the organization {organization}.",
                rule=self.institution.name,
                organization=self.organization or self.idp,
            )
        )
        if denying:
            raise self._refused(
                "organization-denied",
                Text("People of {organization} are not let in here.", organization=self._title()),
                Text("If you belong to another organization that takes part, log in with that one."),
            )

    def _fitting(self, home: str | None) -> list[Institution]:
        """Return the rules that recognise her; an identity provider that rules name speaks for those rules only."""
        idp = self.idp
        named = [one for one in self.policy.institutions if idp and any_matches(one.idps, idp)]
        return [one for one in named or self.policy.institutions if one.recognises(home, idp)]

    def _nearly(self, home: str | None) -> None:
        """Say which rules know the organization, and do not believe this identity provider of it."""
        for rule in self.policy.institutions:
            if rule.idps and home and any_matches(rule.home_organizations, home):
                self.steps.append(
                    Text(
                        "The rule “{rule}” knows the organization {organization}, but wants the identity provider "
                        "{wanted}; the login came from {idp}.",
                        rule=rule.name,
                        organization=home,
                        wanted=", ".join(rule.idps),
                        idp=self.idp or "—",
                    )
                )

    def _affiliations(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the words that are believed, and the scoped values that they came in."""
        words: dict[str, None] = {}
        believed: list[str] = []
        for value in self.claims.all("scoped_affiliation"):
            parts = scoped(value)
            if parts is None or parts.value not in WORDS:
                self.steps.append(
                    Text("The affiliation “{value}” is not one of eduPerson's and does not count.", value=value)
                )
            elif not self._owns(parts.scope):
                self.foreign.append(parts.scope)
                self.steps.append(
                    Text(
                        "The affiliation “{value}” is of a scope that the organization does not own: not believed.",
                        value=value,
                    )
                )
            else:
                words[parts.value] = None
                believed.append(str(parts))
        for value in self.claims.all("affiliation"):
            if value.lower() in WORDS:
                words[value.lower()] = None
            else:
                self.steps.append(
                    Text("The affiliation “{value}” is not one of eduPerson's and does not count.", value=value)
                )
        return tuple(words), tuple(believed)

    def _admit(self, words: tuple[str, ...], assurance: tuple[str, ...]) -> None:
        rule = self.institution
        if rule is None:
            return
        accepted = set(words) & set(rule.affiliations)
        denied = set(words) & set(rule.deny_affiliations)
        if (rule.affiliations and not accepted) or (denied and not accepted):
            self._refuse_affiliation(words)
        lacking = [value for value in rule.assurance if value not in assurance]
        if lacking:
            raise self._refused(
                "assurance-too-low",
                Text(
                    "Your organization does not vouch for your identity as strongly as needed here ({wanted}).",
                    wanted=", ".join(lacking),
                ),
                Text("Ask your organization's identity team how to raise it, and forward this page to them."),
                attribute=self.claims.shown_name("assurance"),
            )
        if rule.acr and self.acr not in rule.acr:
            raise self._refused(
                "mfa-needed",
                Text("You must log in with a stronger method (two factors) to come in here."),
                Text("Log in again with your second factor; without one, ask your organization's identity team."),
                attribute="acr",
            )
        self.steps.append(Text("Affiliations {affiliations} are accepted.", affiliations=", ".join(words) or "—"))

    def _refuse_affiliation(self, words: tuple[str, ...]) -> None:
        name = self.claims.shown_name("scoped_affiliation")
        if self.foreign and not words:
            raise self._not_owned(name, self.foreign[0])
        if not words:
            raise missing(name)
        raise self._refused(
            "affiliation-not-accepted",
            Text(
                "{organization} says that you are: {affiliations}. This service is not open to that.",
                organization=self._title(),
                affiliations=", ".join(words),
            ),
            Text("If your status has changed, ask your organization to update it; else write to this service."),
            attribute=name,
        )

    def _username(self, subject: Subject) -> str:
        preset = PRESETS[self.policy.preset]
        rule = (self.institution.username if self.institution else None) or self.policy.username or preset.username
        username, scope = usernames.username(self.claims, rule, subject)
        if scope is not None and not self._owns(scope):
            raise self._not_owned(self.claims.shown_name("eppn" if rule == "eppn-local" else rule), scope)
        self.steps.append(Text("The username is made by “{rule}”: {username}.", rule=rule, username=username))
        return username

    def _person(self, subject: Subject) -> str | None:
        """None where the identifier did not come: she may work here, and pages say that she is known here only."""
        rule = self.policy.person or PRESETS[self.policy.preset].person
        if rule == "subject":
            return f"{subject.issuer}#{subject.sub}"
        if self.claims.one(rule) is None:
            return None
        value, scope = usernames.identifier(self.claims, rule)
        if scope is not None and not self._owns(scope):
            raise self._not_owned(self.claims.shown_name(rule), scope)
        return value

    def _identifiers(self) -> dict[str, str]:
        found = {}
        for rule in ("eppn", "unique_id", "voperson_id"):
            try:
                value, scope = usernames.identifier(self.claims, rule)
            except Refused:
                continue
            if scope is None or self._owns(scope):
                found[rule] = value
        return found

    def _name(self) -> str | None:
        parts = (self.claims.one("given_name"), self.claims.one("family_name"))
        name = self.claims.one("name") or " ".join(part for part in parts if part)
        return name[:200] or None

    def _groups(self, words: tuple[str, ...], held: tuple[str, ...]) -> tuple[str, ...]:
        rules = (*self.policy.groups, *(self.institution.groups if self.institution else ()))
        groups = {rule.name for rule in rules if _fits(rule, words, held)}
        self.steps.append(Text("Groups: {groups}.", groups=", ".join(sorted(groups)) or "—"))
        return tuple(sorted(groups))

    def _roles(self, words: tuple[str, ...], held: tuple[str, ...]) -> tuple[str, ...]:
        rules = (*self.policy.roles, *(self.institution.roles if self.institution else ()))
        found = {rule.name for rule in rules if _fits(rule, words, held)}
        values: dict[RoleSource, Iterable[str]] = {
            "affiliation": words,
            "organization": (self.organization,) if self.organization else (),
            "entitlement": held,
            "group": [one.group for one in map(entitlements.parse, held) if one is not None],
        }
        for source in self.policy.roles_from:
            for value in values[source]:
                name = role_name(source, value)
                if name is None:
                    self.steps.append(Text("“{value}” is too long to be a role: not given.", value=value[:80]))
                else:
                    found.add(name)
        if found:
            self.steps.append(Text("Roles: {roles}.", roles=", ".join(sorted(found))))
        return tuple(sorted(found))

    def _owns(self, scope: str) -> bool:
        if self.institution is None:
            return True
        return self.institution.owns(scope, self.organization)

    def _not_owned(self, attribute: str, scope: str) -> Refused:
        return self._refused(
            "scope-not-owned",
            Text(
                "The attribute “{attribute}” speaks for {scope}, and {organization} may not speak for it.",
                attribute=attribute,
                scope=scope,
                organization=self._title(),
            ),
            Text("Nothing on your side is wrong. Please forward this page to the person to write to below."),
            attribute=attribute,
        )

    def _title(self) -> Localized | str:
        title = self.institution.title if self.institution else None
        return title or self.organization or (self.institution.name if self.institution else "") or "?"

    def _refused(self, reason: Reason, message: Text, remedy: Text, *, attribute: str | None = None) -> Refused:
        return Refused(reason, message, remedy, attribute=attribute)

    def addressed(self, refused: Refused) -> Refused:
        """Complete a refusal with whose it is and whom to write to."""
        refused.organization = self.organization or self.idp
        if self.institution is not None:
            refused.title = self.institution.title
            refused.contact = self.institution.contact
        return refused


def _fits(rule: GroupRule | RoleRule, words: tuple[str, ...], held: tuple[str, ...]) -> bool:
    return (not rule.affiliations or bool(set(rule.affiliations) & set(words))) and (
        not rule.entitlements or any(entitlements.holds(held, wanted) for wanted in rule.entitlements)
    )
