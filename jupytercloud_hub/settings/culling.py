"""The section ``culling:`` of the settings: which servers are stopped, when, how people are warned."""

from __future__ import annotations

from datetime import date, time, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from ..contracts.loopback import is_loopback
from ..contracts.model import Model
from ..contracts.text import Localized, Text
from ..contracts.units import Duration
from .secrets import Secret

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _clock(value: object) -> object:
    """Read ``"08:00"``; ``"24:00"`` is midnight at the day's end and is kept as 00:00."""
    if isinstance(value, str):
        try:
            return time(0) if value == "24:00" else time.fromisoformat(value)
        except ValueError:
            pass
    if isinstance(value, time) and value.tzinfo is None:
        return value
    raise ValueError(Text('a time of the day in quotes, such as "08:00" or "18:30"'))


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Clock = Annotated[time, BeforeValidator(_clock)]
Names = Annotated[tuple[str, ...], BeforeValidator(_one_or_many)]


class When(Model):
    """A part of the week, of the day or of the calendar, on the clock of ``site.timezone``.

    Everything that is given must hold. ``from_hour`` later than ``to_hour`` goes over midnight, and the
    hours after midnight belong to the day on which it began:
    ``{days: [fri], from_hour: "20:00", to_hour: "07:00"}`` ends on Saturday at seven.
    """

    days: tuple[Day, ...] = ()
    """Days of the week; all of them when empty."""
    from_hour: Clock = time(0)
    """First minute of the day at which it holds, such as "20:00"."""
    to_hour: Clock = time(0)
    """First minute of the day at which it holds no more; "00:00" or "24:00" is the end of the day."""
    first_day: date | None = None
    """First day of the calendar (an exam week, a maintenance), such as 2027-01-04."""
    last_day: date | None = None
    """Last day of the calendar, included."""

    @model_validator(mode="after")
    def _days_in_order(self) -> When:
        if self.first_day and self.last_day and self.first_day > self.last_day:
            raise ValueError(
                Text("last_day {last} is before first_day {first}", last=str(self.last_day), first=str(self.first_day))
            )
        return self


class Keep(Model):
    """How far a person may put off a stop with "keep it"."""

    duration: Duration = timedelta(hours=1)
    """How long the server stays from the moment at which she asks."""
    times: int = Field(default=1, ge=0, le=100)
    """How many times for one start of a server; 0 offers nothing."""

    @model_validator(mode="after")
    def _worth_asking(self) -> Keep:
        if self.times and self.duration < timedelta(seconds=1):
            raise ValueError(Text("duration is to be longer than nothing; times: 0 is how to offer nothing"))
        return self


class CullingRule(Model):
    """One rule. The first in the file that matches a server decides on it; the others are not asked.

    A name or a pattern with ``*`` and ``?`` may stand wherever names are listed; an empty list asks nothing.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    """Short name, shown as the reason of a stop, in `cull plan` and in the metrics."""
    title: Localized | None = None
    """The rule in people's words, such as {fr: "Calcul sur GPU", en: "GPU work"}; else its name."""
    profiles: Names = ()
    """Profiles that the server was started with."""
    groups: Names = ()
    """JupyterHub groups, one of which the owner is in."""
    organizations: Names = ()
    """Home organizations of the owner, such as "univ-grenoble-alpes.fr"."""
    events: Names = ()
    """Events of which the server is a seat. Seats without a visitor are spared, whatever the rules say."""
    servers: Names = ()
    """JupyterHub server names; the default server's name is empty, and "~" stands for it here."""
    gpu: bool | Names | None = None
    """true: servers with a GPU; false: without; a list: with a GPU of one of these types."""
    when: tuple[When, ...] = ()
    """Parts of the week in which the rule counts; always when empty."""
    spare: bool = False
    """true: what this rule matches is never stopped (by quota or maintenance still)."""
    idle: Duration | None = None
    """Stop after so long without activity."""
    max_age: Duration | None = None
    """Stop so long after the start, active or not."""
    warn: Duration | None = None
    """How long before the stop its owner is warned; `culling.warn` when it is not given."""
    keep: Keep | None = None
    """How far "keep it" reaches; `culling.keep` when it is not given."""

    @model_validator(mode="after")
    def _says_something(self) -> CullingRule:
        limits = [limit for limit in (self.idle, self.max_age) if limit is not None]
        if self.spare and limits:
            raise ValueError(Text("spare: true never stops a server: take idle and max_age out, or spare"))
        if not self.spare and not limits:
            raise ValueError(Text("a rule has idle, max_age or both; spare: true is how to stop nothing"))
        for limit in limits:
            if limit < timedelta(seconds=1):
                raise ValueError(Text("idle and max_age are at least one second"))
            if self.warn is not None and self.warn >= limit:
                raise ValueError(Text("warn must be shorter than idle and max_age: nobody is warned at the start"))
        return self

    def names_server(self, name: str) -> bool:
        """Return whether ``servers`` lets this JupyterHub server name in."""
        return not self.servers or any(fnmatchcase(name or "~", pattern) for pattern in self.servers)


class WebhookSettings(Model):
    """An address that is told each warning by a POST of JSON: a mailer or a chat room of the site."""

    url: str = Field(pattern=r"^https?://")
    """Where the POST goes. It names people: https, or a program on this machine."""
    token: Secret | None = None
    """Sent as a bearer token."""

    @model_validator(mode="after")
    def _not_in_the_clear(self) -> WebhookSettings:
        if not self.url.startswith("https:") and not is_loopback(self.url):
            raise ValueError(Text("an address in https is expected: warnings name people"))
        return self


class CullingSettings(Model):
    """Which servers are stopped when nobody uses them, how people are warned, and how fast it goes."""

    rules: tuple[CullingRule, ...] = ()
    """Rules in the order in which they are tried. Without any, only quota and maintenance stop servers."""
    every: Duration = timedelta(minutes=1)
    """Time between the starts of two passes."""
    warn: Duration = timedelta(minutes=10)
    """How long before a stop its owner is warned, where the rule does not say."""
    keep: Keep = Keep()
    """How far "keep it" reaches, where the rule does not say."""
    webhook: WebhookSettings | None = None
    """Where warnings are told beside the page and JupyterLab."""
    concurrency: int = Field(default=10, ge=1, le=100)
    """Most stops in flight at a time."""
    settle: Duration = timedelta(minutes=10)
    """After the hub could not be read for longer than this, nobody is stopped for being idle for this
    long: activity was not recorded meanwhile. Two reports of a server (JUPYTERHUB_ACTIVITY_INTERVAL,
    five minutes unless set) must fit in."""
    stop_timeout: Duration = timedelta(minutes=5)
    """How long a slow stop is followed before it counts as failed (the next pass tries again)."""
    report_every: Duration = timedelta(minutes=2)
    """How often our Jupyter Server extension reports activity (every 15 s once a stop is announced)."""
    activity_fresh: Duration = timedelta(minutes=5)
    """How old a report of our Jupyter Server extension may be; else the hub's last_activity counts."""
    away_after: Duration = timedelta(days=180)
    """Users not seen for so long are listed by `jupytercloud cull away`; files are never touched."""

    @model_validator(mode="after")
    def _each_name_once(self) -> CullingSettings:
        names = [rule.name for rule in self.rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(Text("two rules are named {name}: people are shown the name as the reason", name=twice[0]))
        for rule in self.rules:
            for limit in (rule.idle, rule.max_age):
                if rule.warn is None and limit is not None and self.warn >= limit:
                    raise ValueError(
                        Text(
                            "culling.warn is not shorter than a limit of rule {name}: give it its own warn",
                            name=rule.name,
                        )
                    )
            keep = self.keep_of(rule)
            if not rule.spare and keep.times and keep.duration <= self.warn_of(rule):
                raise ValueError(
                    Text("keep.duration is longer than warn in rule {name}: whoever is warned can keep", name=rule.name)
                )
        if self.activity_fresh < 2 * self.report_every:
            raise ValueError(Text("activity_fresh is at least twice report_every: one report may be lost"))
        if self.every < timedelta(seconds=1):
            raise ValueError(Text("every is at least one second"))
        return self

    def warn_of(self, rule: CullingRule) -> timedelta:
        """Return how long before a stop the rule warns."""
        return self.warn if rule.warn is None else rule.warn

    def keep_of(self, rule: CullingRule) -> Keep:
        """Return how far "keep it" reaches under the rule."""
        return self.keep if rule.keep is None else rule.keep
