"""The section ``federation:``: a portal's sites and rules, or the portal that a site belongs to."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ..contracts.limits import SharedLimit
from ..contracts.model import Model
from ..contracts.patterns import compile_pattern
from ..contracts.text import Localized, Text
from ..contracts.units import Duration
from .secrets import Secret
from .site import Address, Name


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _pattern(value: str) -> str:
    compile_pattern(value)
    return value


def _short(low: float, high: float) -> AfterValidator:
    def check(value: timedelta) -> timedelta:
        if not low <= value.total_seconds() <= high:
            raise ValueError(Text("between {low} s and {high} s", low=low, high=high))
        return value

    return AfterValidator(check)


Patterns = Annotated[tuple[Annotated[str, AfterValidator(_pattern)], ...], BeforeValidator(_one_or_many)]
Names = Annotated[tuple[str, ...], BeforeValidator(_one_or_many)]


class Failover(Model):
    """What happens to people at home at a site that is away."""

    policy: Literal["wait", "empty-home", "partner"] = "wait"
    """``wait``: a page says when to try again. ``empty-home``: another site, and a page says that her files are not
    there. ``partner``: the first listed partner that is up, which holds copies of the homes."""
    partners: Names = ()
    """Sites that hold copies of this site's homes, in the order in which they are tried."""

    @model_validator(mode="after")
    def _partners_named(self) -> Self:
        if (self.policy == "partner") != bool(self.partners):
            raise ValueError(Text("policy partner and a list of partners belong together"))
        return self


class Notify(Model):
    """Who is told when a site goes away or comes back."""

    webhook: Secret | None = None
    """Address of an incoming webhook in Mattermost's (and Slack's) format; it is a secret."""
    emails: Names = ()
    """Addresses that get a letter; ``mail`` says through which server."""


class FederationSite(Model):
    """A site that the portal sends people to."""

    name: Name
    """Short name, as it stands in links (``~site=grenoble``) and on the site's own hub."""
    url: Address
    """Public address of the site's hub with its base path, ending in ``/``."""
    title: Localized | None = None
    """Name for people; without it the short name is shown."""
    weight: float = Field(default=1.0, gt=0, le=1_000_000)
    """Its places, as long as heartbeats do not tell the free ones; new people are spread by free places."""
    profiles: Names = ()
    """Profiles that the site offers, as long as its heartbeats have not told it; empty: not known."""
    failover: Failover | None = None
    """What happens to people at home here while the site is away; ``federation.failover`` when not given."""
    probe_url: Address | None = None
    """Address of the hub for the portal's probes, where it is not the public one."""
    operators: Names = ()
    """JupyterHub users or groups (``group:NAME``) of the portal who may drain the site or announce maintenance."""
    notify: Notify | None = None
    """Who is told when this site goes away or comes back, beside those of ``federation.notify``."""
    key: str | None = None
    """Public key of the site's heartbeats, as ``jupytercloud sites key`` prints it: ``ed25519:…``."""

    def shown_title(self, language: str) -> str:
        """Return the name that people read."""
        return self.title.in_(language) if self.title else self.name


class FederationRule(Model):
    """Who may go to which site. All given conditions must hold; one match in each is enough.

    Every rule is looked at, and what any rule denies is denied. A pattern is an exact name, a glob
    (``*.cnrs.fr``) or a regular expression between slashes (``/univ-.*/``), without regard to case.
    """

    name: str = Field(default="", max_length=80)
    """Short name, shown where a decision is explained."""
    home_organizations: Patterns = ()
    """Home organizations, such as ``univ-grenoble-alpes.fr``."""
    affiliations: Patterns = ()
    """Affiliations: ``member``, or with its scope ``member@univ-reims.fr``."""
    groups: Patterns = ()
    """JupyterHub groups."""
    entitlements: Patterns = ()
    """Entitlements, such as ``urn:geant:math.cnrs.fr:group:gpu*``. The portal's hub publishes to its services those
    that a rule names here, and no others."""
    allow: Names = ()
    """Sites that these people may use; ``"*"`` is all of them."""
    deny: Names = ()
    """Sites that these people may not use, whatever another rule allows."""
    prefer: Names = ()
    """Sites where new ones among these people go first; earlier rules prefer more strongly."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.allow or self.deny or self.prefer):
            raise ValueError(Text("a rule names sites in allow, deny or prefer"))
        return self


class FederationLimit(SharedLimit):
    """How many servers of a kind one person may have at once, over all sites that share what runs there.

    Advisory: applied where the portal sends people, and by the admission of sites that ask for it. What is not known
    refuses nobody.
    """

    profiles: Patterns = ()
    """Count servers of these profiles only: names, globs, or regular expressions between slashes."""

    @model_validator(mode="after")
    def _of_something(self) -> Self:
        if "" in self.profiles:
            raise ValueError(Text("a profile's name is expected, not an empty text"))
        return self


class HealthSettings(Model):
    """How the portal finds out which sites are there."""

    interval: Annotated[Duration, _short(0.1, 300)] = timedelta(seconds=2)
    """Time between the starts of two probes of a site that is well."""
    timeout: Annotated[Duration, _short(0.05, 60)] = timedelta(seconds=1.5)
    """Total time that one probe may take, connecting included."""
    slow: Annotated[Duration, _short(0.01, 60)] = timedelta(seconds=1)
    """A site that answers, but later than this, is shown as degraded."""
    second_look: Annotated[Duration, _short(0.01, 60)] = timedelta(milliseconds=300)
    """Time until the next probe when the last one said something new."""
    fall: int = Field(default=2, ge=1, le=20)
    """Failed probes in a row until a site is down."""
    rise: int = Field(default=2, ge=1, le=20)
    """Good probes in a row until a site that was down is up."""
    longest: Annotated[Duration, _short(0.1, 300)] = timedelta(seconds=30)
    """Longest time between two probes of a site that stays down."""
    ramp: Annotated[Duration, _short(0, 3600)] = timedelta(minutes=1)
    """Time over which a site that came back gets its full share of new people again."""
    heartbeat_expires: Annotated[Duration, _short(1, 3600)] = timedelta(seconds=60)
    """How long a heartbeat is believed."""
    oldest_api: str = "5.0"
    """Oldest version of JupyterHub that a site may run; a site with an older one is down, and its state says so."""


class PortalLink(Model):
    """The portal that this site belongs to, and how its heartbeats are signed."""

    url: Address
    """Public address of the portal's hub with its base path, ending in ``/``."""
    key: Secret | None = None
    """Private key of the heartbeats (PEM). Without it one is made in the state folder at the first start."""
    interval: Annotated[Duration, _short(0.5, 300)] = timedelta(seconds=5)
    """Time between two heartbeats."""
    share_servers: bool = False
    """Tell the portal who runs what here (the federation-wide identifier, the profile, the start), so that people
    see their servers on the portal's page. Nothing about persons leaves the site otherwise."""
    ask_limits: bool = False
    """Apply the portal's limits over all sites at this site's own admission too (it needs ``quotas``). The portal then
    tells, for people whom this site knows, how many servers they have elsewhere; with the portal away nothing is
    refused by that. Goes with ``share_servers``."""

    @model_validator(mode="after")
    def _both_ways(self) -> Self:
        if self.ask_limits and not self.share_servers:
            raise ValueError(Text("ask_limits goes with share_servers: true; who wants to be told tells too"))
        return self


class FederationSettings(Model):
    """On the portal ``sites`` and ``rules``; on a site ``portal``."""

    sites: tuple[FederationSite, ...] = ()
    """Sites that people are sent to; more can be added while the portal runs (``jupytercloud sites add``)."""
    registered: Names = ()
    """Names of sites that are registered with ``jupytercloud sites add``: rules may name them too."""
    rules: tuple[FederationRule, ...] = ()
    """Who may go where. Without any rule, whoever may log in at the portal may use every site."""
    limits: tuple[FederationLimit, ...] = ()
    """How many servers of a kind one person may have over all sites, such as one with a GPU."""
    tell_limits: bool = False
    """Tell the sites that ask for it (``ask_limits``) the limits and, under a hash, how many counted servers people
    have elsewhere."""
    failover: Failover = Failover()
    """What happens to people whose home site is away, where the site itself does not say."""
    health: HealthSettings = HealthSettings()
    """How sites are probed."""
    hot_path: Annotated[Duration, _short(0, 86400)] = timedelta(minutes=10)
    """How long the signed cookie routes a person home without a look at database and hub."""
    cookie_secret: Secret | None = None
    """Secret that several replicas of the portal's service share, at least 32 characters (``openssl rand -hex 32``):
    with it a login that begins at one ends at another. Without it each makes its own in ``site.state``."""
    notify: Notify | None = None
    """Who is told when any site goes away or comes back."""
    portal: PortalLink | None = None
    """On a site: the portal that it belongs to."""

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        names = [site.name for site in self.sites]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(Text("two sites are named {name}", name=name))
        titled = [limit.name for limit in self.limits]
        for name in titled:
            if titled.count(name) > 1:
                raise ValueError(Text("two limits are named {name}", name=name))
        if self.portal and self.sites:
            raise ValueError(Text("a hub has either sites (it is the portal) or a portal (it is a site), not both"))
        for rule in self.rules if names else ():
            for name in (*rule.allow, *rule.deny, *rule.prefer):
                if name != "*" and name not in names and name not in self.registered:
                    raise ValueError(Text("a rule names the site {name}, which is not in sites", name=name))
        for policy in (self.failover, *(site.failover for site in self.sites if site.failover)):
            for name in policy.partners:
                if name not in names:
                    raise ValueError(Text("partners name the site {name}, which is not in sites", name=name))
        return self
