"""Which sites the rules allow a person, and which they prefer. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..contracts.patterns import matches
from ..contracts.person import Person
from ..contracts.text import Text
from ..settings import Settings
from ..settings.federation import FederationRule


@dataclass(frozen=True)
class Verdict:
    """What the rules say about one site: ``rank`` is the place of the first rule that prefers it (low is first)."""

    allowed: bool
    why: Text
    rank: int


def applies(rule: FederationRule, person: Person) -> bool:
    """Return whether every condition of the rule holds for the person; a rule without conditions always does."""
    organizations = (person.home_organization,) if person.home_organization else ()
    return (
        (not rule.home_organizations or _any(rule.home_organizations, organizations))
        and (not rule.affiliations or _affiliated(rule.affiliations, person.affiliations))
        and (not rule.groups or _any(rule.groups, person.groups))
        and (not rule.entitlements or _any(rule.entitlements, person.entitlements))
    )


def judge(rules: Sequence[FederationRule], person: Person, sites: Iterable[str]) -> dict[str, Verdict]:
    """Return the verdict on each site. Deny wins; without any rule every site is allowed."""
    holding = [(place, rule) for place, rule in enumerate(rules) if applies(rule, person)]
    return {site: _verdict(site, holding, bool(rules)) for site in sites}


def _verdict(site: str, holding: Sequence[tuple[int, FederationRule]], ruled: bool) -> Verdict:
    rank = next((place for place, rule in holding if site in rule.prefer), len(holding) + 1_000_000)
    for place, rule in holding:
        if site in rule.deny or "*" in rule.deny:
            return Verdict(False, Text("Rule “{rule}” denies it to you.", rule=_label(rule, place)), rank)
    for place, rule in holding:
        if site in rule.allow or "*" in rule.allow:
            return Verdict(True, Text("Rule “{rule}” allows it.", rule=_label(rule, place)), rank)
    if not ruled:
        return Verdict(True, Text("Every site is open to whoever can log in."), rank)
    return Verdict(False, Text("No rule allows it to you."), rank)


def _label(rule: FederationRule, place: int) -> str:
    return rule.name or f"#{place + 1}"


def _any(patterns: Sequence[str], values: Iterable[str]) -> bool:
    return any(matches(pattern, value) for value in values for pattern in patterns)


def _affiliated(patterns: Sequence[str], affiliations: Iterable[str]) -> bool:
    """A pattern without ``@`` is compared with the part before it: ``member`` is any organization's member."""
    return any(
        matches(pattern, value if "@" in pattern else value.partition("@")[0])
        for value in affiliations
        for pattern in patterns
    )


def all_rules(settings: Settings) -> tuple[FederationRule, ...]:
    """Return the rules of the file, and for each institution with a home site one that sends its people there.

    Where the file has no rule at all, every site stays open: the institutions' rules then only prefer.
    """
    rules = settings.federation.rules if settings.federation else ()
    made = tuple(
        FederationRule(
            name=institution.name,
            home_organizations=institution.home_organizations,
            allow=(institution.home_site,) if rules else (),
            prefer=(institution.home_site,),
        )
        for institution in settings.institutions
        if institution.home_site and institution.home_organizations
    )
    if made and not rules:
        return (FederationRule(name="everybody", allow=("*",)), *made)
    return (*rules, *made)


def fingerprint(rules: tuple[FederationRule, ...]) -> str:
    """Return a hash of the rules: a cookie made under other rules is worth nothing."""
    dumped = json.dumps([rule.model_dump(mode="json") for rule in rules], sort_keys=True)
    return hashlib.sha256(dumped.encode()).hexdigest()
