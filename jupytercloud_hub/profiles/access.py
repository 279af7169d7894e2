"""Who may use a profile, and in which words those who may not are told."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from ..contracts.model import Model
from ..contracts.patterns import compile_pattern, matches
from ..contracts.person import Person
from ..contracts.text import Localized, Text
from .hours import Hours, closed


def _pattern(value: str) -> str:
    compile_pattern(value)
    return value


Patterns = tuple[Annotated[str, Field(min_length=1), AfterValidator(_pattern)], ...]


class AccessRule(Model):
    """People who are let in. Each kind that is given must be met, by any one of its entries.

    Entries are exact names, globs (``*.cnrs.fr``) or regular expressions between slashes. A profile without a
    rule is for everybody; with several rules, meeting one is enough.
    """

    groups: Patterns = ()
    """JupyterHub groups."""
    affiliations: Patterns = ()
    """eduPerson affiliations, bare (``member``) or scoped (``member@univ.fr``)."""
    organizations: Patterns = ()
    """Home organizations (établissements), as the identity provider names them."""
    sites: Patterns = ()
    """Sites of the federation at which the profile is offered."""
    users: Patterns = ()
    """Usernames at this hub."""
    mfa: bool = False
    """A login with two factors is needed (``auth.mfa`` says which, and for how long it counts)."""
    hours: tuple[Hours, ...] = ()
    """Hours of the week in which servers may be started, in the site's time zone: ``mon-fri 08:00-20:00``."""
    reason: Localized | None = None
    """What those who are not let in read instead of our own words: whom to ask, for instance."""
    hidden: bool = Field(default=False)
    """Do not show the profile at all to those who are not let in (default: shown greyed, with the reason)."""

    def unmet(self, person: Person, site: str | None, now: datetime | None = None) -> Text | None:
        """Return the first kind that the person does not meet, or None."""
        if self.sites and not _any(self.sites, (site or "",)):
            return Text("Not offered at this site.")
        if self.users and not _any(self.users, (person.username,)):
            return Text("Reserved for named persons.")
        if self.organizations and not _any(self.organizations, (person.home_organization or "",)):
            return Text("Reserved for people of {organizations}.", organizations=_list(self.organizations))
        if self.affiliations and not _any(self.affiliations, _affiliations(person)):
            return Text("Reserved for: {affiliations}.", affiliations=_list(self.affiliations))
        if self.groups and not _any(self.groups, person.groups):
            if len(self.groups) == 1:
                return Text("Reserved for the group {group}.", group=self.groups[0])
            return Text("Reserved for the groups {groups}.", groups=_list(self.groups))
        if self.mfa and not person.is_strong(now):
            return Text("Needs a login with two factors.")
        return closed(self.hours, now)


def needs_step_up(
    rules: tuple[AccessRule, ...], person: Person, site: str | None = None, now: datetime | None = None
) -> bool:
    """Say whether a person who is refused would be let in after a login with two factors."""
    stronger = person.model_copy(update={"mfa_until": datetime.max.replace(tzinfo=UTC)})
    return refusal(rules, person, site, now) is not None and refusal(rules, stronger, site, now) is None


def refusal(
    rules: tuple[AccessRule, ...], person: Person, site: str | None = None, now: datetime | None = None
) -> Text | None:
    """Return why the person may not use what these rules guard, or None where she may.

    ``now`` is in the site's time zone; without it no hour is closed.
    """
    first: Text | None = None
    for rule in rules:
        unmet = rule.unmet(person, site, now)
        if unmet is None:
            return None
        if first is None:
            first = Text("{reason}", reason=rule.reason) if rule.reason else unmet
    return first


def hidden(rules: tuple[AccessRule, ...]) -> bool:
    """Return whether people who are refused are not to see the profile at all."""
    return bool(rules) and all(rule.hidden for rule in rules)


def _any(patterns: Iterable[str], values: Iterable[str]) -> bool:
    values = tuple(values)
    return any(matches(pattern, value) for pattern in patterns for value in values if value)


def _affiliations(person: Person) -> tuple[str, ...]:
    bare = tuple(scoped.partition("@")[0] for scoped in person.affiliations)
    return (*person.affiliations, *bare)


def _list(entries: tuple[str, ...]) -> str:
    return ", ".join(entries)
