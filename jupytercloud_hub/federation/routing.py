"""Decides where a person is sent. Pure: the same person, link, home site and snapshot give the same decision.

The order: what the rules allow · a site asked for by name · the home site, or its failover · sites that offer the
profile and have room · preference by rule · weighted rendezvous hashing. A link that names a profile is then held
against the limits over all sites. What is not here: finding out the states of sites (`health`), keeping home sites
(`homes`), pages (`pages`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..contracts.limits import SharedLimit
from ..contracts.links import GoLink
from ..contracts.person import Person
from ..contracts.text import Text
from ..settings.federation import FederationRule
from . import rendezvous
from .limits import exceeded
from .model import Decision, Failure, Held, Outcome, SiteState, SiteView
from .rules import Verdict, judge


def decide(
    person: Person,
    link: GoLink,
    home: str | None,
    sites: Mapping[str, SiteView],
    rules: Sequence[FederationRule],
    limits: Sequence[SharedLimit] = (),
    held: Sequence[Held] = (),
) -> Decision:
    """Return where ``person`` goes with ``link``, being at home at ``home`` (None: nowhere yet).

    ``held`` are her servers at all sites, as far as the sites share them.
    """
    verdicts = judge(rules, person, sites)
    choice = _Choice(person, link, home, sites, verdicts)
    return choice.within(limits, held, _first(choice, link, home))


def _first(choice: _Choice, link: GoLink, home: str | None) -> Decision:
    if link.site is not None:
        return choice.named(link.site)
    if not choice.allowed:
        return choice.say(Outcome.NOT_ALLOWED, Text("No site of the federation is open to you."))
    if home is not None:
        return choice.at_home(home)
    return choice.first_visit()


class _Choice:
    """One decision in the making."""

    def __init__(
        self,
        person: Person,
        link: GoLink,
        home: str | None,
        sites: Mapping[str, SiteView],
        verdicts: Mapping[str, Verdict],
    ) -> None:
        self.person, self.link, self.home = person, link, home
        self.sites, self.verdicts = sites, verdicts
        self.allowed = [name for name, verdict in verdicts.items() if verdict.allowed]

    def named(self, name: str) -> Decision:
        """A site was asked for by name; home sites are neither looked at nor set."""
        site = self.sites.get(name)
        if site is None:
            return self.say(Outcome.UNKNOWN_SITE, Text("No site is called {site}.", site=name))
        if not self.verdicts[name].allowed:
            return self.say(Outcome.NOT_ALLOWED, self.verdicts[name].why, site=name)
        if not site.state.routable:
            return self.say(Outcome.AWAY, _state_text(site), site=name)
        if self.link.profile and not site.offers(self.link.profile):
            return self.lacking(site)
        return self.say(Outcome.GO, Text("You asked for this site by name."), site=name)

    def at_home(self, name: str) -> Decision:
        """Her files are at ``name``: there, or what the failover policy says."""
        site = self.sites.get(name)
        if site is None:
            reason = Text("Your home site {site} has left the federation.", site=name)
            return self.say(Outcome.AWAY, reason, choices=tuple(self.ranked()))
        if not self.verdicts[name].allowed:
            reason = Text("Your files are at {site}, which is no longer open to you.", site=site.title)
            return self.say(Outcome.NOT_ALLOWED, reason, site=name, choices=tuple(self.ranked()))
        if not site.state.routable:
            return self.home_away(site)
        if self.link.profile and not site.offers(self.link.profile):
            return self.lacking(site)
        return self.say(Outcome.GO, Text("Your files are there: it is your home site."), site=name)

    def home_away(self, site: SiteView) -> Decision:
        """The home site can't take her now."""
        away = _state_text(site)
        if site.failure is Failure.PARTNER:
            for name in site.partners:
                if name in self.allowed and self.sites[name].state.routable:
                    reason = Text("Your home site is away ({why}); this partner holds copies of its homes.", why=away)
                    return self.say(Outcome.GO, reason, site=name)
        if site.failure is Failure.EMPTY_HOME:
            ranked = [name for name in self.ranked() if name != site.name]
            if ranked:
                reason = Text(
                    "Your home site is away ({why}). Another site can take you; your files are not there.", why=away
                )
                return self.say(Outcome.OTHER_SITE, reason, site=ranked[0], choices=tuple(ranked))
        return self.say(Outcome.AWAY, away, site=site.name)

    def lacking(self, site: SiteView) -> Decision:
        """The site where she is or wants to be does not offer the profile: she chooses on a page."""
        ranked = tuple(name for name in self.ranked() if name != site.name)
        profile = self.link.profile or ""
        if not any(self.sites[name].offers(profile) for name in self.allowed):
            reason = Text("No site that is open to you offers the profile “{profile}”.", profile=profile)
            return self.say(Outcome.NO_PROFILE, reason, site=site.name)
        reason = Text("{site} does not offer the profile “{profile}”.", site=site.title, profile=profile)
        return self.say(Outcome.CHOOSE, reason, site=site.name, choices=ranked)

    def first_visit(self) -> Decision:
        """She has no home site: the best site takes her, and an ordinary visit makes it her home."""
        ranked = self.ranked()
        if ranked:
            best = ranked[0]
            rank = self.verdicts[best].rank
            alone = len(self.allowed) == 1
            preferred = any(self.verdicts[name].rank > rank for name in self.allowed)
            if alone:
                reason = Text("It is the only site open to you.")
            elif preferred:
                reason = Text("It is the site where people like you go first.")
            else:
                reason = Text("It comes first in your own order of the sites, which follows their free places.")
            return self.say(Outcome.GO, reason, site=best, sets_home=self.link.plain)
        routable = [name for name in self.allowed if self.sites[name].state.routable]
        profile = self.link.profile
        if profile and routable:
            if any(self.sites[name].offers(profile) for name in routable):
                reason = Text("Every site that offers the profile “{profile}” is full.", profile=profile)
                return self.say(Outcome.NONE_LEFT, reason)
            offered = any(self.sites[name].offers(profile) for name in self.allowed)
            outcome = Outcome.NONE_LEFT if offered else Outcome.NO_PROFILE
            reason = Text("No site that is up offers the profile “{profile}” to you.", profile=profile)
            return self.say(outcome, reason)
        return self.say(Outcome.NONE_LEFT, Text("None of the sites open to you can take you now."))

    def within(self, limits: Sequence[SharedLimit], held: Sequence[Held], decision: Decision) -> Decision:
        """The decision, unless a limit over all sites speaks against one more server of the link's profile."""
        profile, site = self.link.profile, decision.site
        if decision.outcome is not Outcome.GO or profile is None or site is None:
            return decision
        found = exceeded(limits, profile, profile in self.sites[site].gpu_profiles, held, site)
        if found is None:
            return decision
        limit, counted = found
        reason = Text(
            "“{limit}” allows {most} at once over all sites, and you have {count}.",
            limit=limit.shown,
            most=limit.most,
            count=len(counted),
        )
        return replace(decision, outcome=Outcome.LIMITED, reason=reason, sets_home=False, held=counted)

    def ranked(self) -> list[str]:
        """Sites that can take her with the link's profile, best first."""
        able = [name for name in self.allowed if self.why_unable(self.sites[name]) is None]
        key = self.person.person or self.person.username
        weights = [(name, self.sites[name].share(self.link.profile)) for name in able]
        drawn = {name: place for place, name in enumerate(rendezvous.order(key, weights))}
        return sorted(able, key=lambda name: (self.verdicts[name].rank, drawn[name]))

    def why_unable(self, site: SiteView) -> Text | None:
        """Why the site can't take a new server now; None when it can."""
        if not site.state.routable:
            return _state_text(site)
        profile = self.link.profile
        if profile and not site.offers(profile):
            return Text("It does not offer the profile “{profile}”.", profile=profile)
        if site.room(profile) == 0:
            return Text("It has no free place.")
        return None

    def say(
        self,
        outcome: Outcome,
        reason: Text,
        *,
        site: str | None = None,
        choices: tuple[str, ...] = (),
        sets_home: bool = False,
    ) -> Decision:
        """The decision, with why each other site was not taken."""
        others = {name: self.why_not(name, outcome) for name in self.sites if name != site}
        up = frozenset(name for name in self.allowed if self.sites[name].state.routable)
        return Decision(outcome, reason, site, others, choices, sets_home, self.home, up)

    def why_not(self, name: str, outcome: Outcome) -> Text:
        """Why a site was not taken."""
        if not self.verdicts[name].allowed:
            return self.verdicts[name].why
        unable = self.why_unable(self.sites[name])
        if unable is not None:
            return unable
        if self.link.site is not None:
            return Text("Another site was asked for by name.")
        if self.home is not None:
            return Text("Your files are not there.")
        return Text("It came later in your order of the sites.")


def _state_text(site: SiteView) -> Text:
    return Text(_STATES[site.state].msgid, site=site.title)


_STATES = {
    SiteState.UNKNOWN: Text("{site} has not been looked at yet"),
    SiteState.UP: Text("{site} is up"),
    SiteState.DEGRADED: Text("{site} answers slowly"),
    SiteState.DRAINING: Text("{site} takes no new people for now"),
    SiteState.MAINTENANCE: Text("{site} is under maintenance"),
    SiteState.FULL: Text("{site} is full"),
    SiteState.DOWN: Text("{site} does not answer"),
}
