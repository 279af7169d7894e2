"""The section ``quotas:`` of the settings: what usage costs, who may use how much, and who may give more."""

from __future__ import annotations

import re
from datetime import date, timedelta
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from ..contracts.model import Model
from ..contracts.text import Localized, Text
from ..contracts.units import Duration, parse_duration

AccountKind = Literal["person", "group", "organization", "hub"]
Measure = Literal["units", "cpu_hours", "memory_hours", "gpu_hours"]
MEASURES: tuple[Measure, ...] = ("units", "cpu_hours", "memory_hours", "gpu_hours")
CALENDAR_WINDOWS = ("month", "academic-year")


def _window(value: Any) -> Any:
    if value in CALENDAR_WINDOWS:
        return value
    rule = Text('"month", "academic-year", or a rolling window of 1 to 366 whole days such as "30 d"')
    try:
        length = parse_duration(value)
    except ValueError as error:
        raise ValueError(rule) from error
    days = length // timedelta(days=1)
    if length != timedelta(days=days) or not 1 <= days <= 366:
        raise ValueError(rule)
    return length


def _month_and_day(value: str) -> str:
    if not re.fullmatch(r"\d\d-\d\d", value):
        raise ValueError(Text('a month and a day such as "09-01"'))
    if value == "02-29":
        raise ValueError(Text("29 February does not come every year: take 02-28 or 03-01"))
    date.fromisoformat(f"2001-{value}")
    return value


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _rates(value: object) -> object:
    return {"*": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


Window = Annotated[
    Literal["month", "academic-year"] | timedelta,
    BeforeValidator(_window),
    PlainSerializer(lambda value: value if isinstance(value, str) else f"{value.days} d", return_type=str),
    WithJsonSchema({"type": "string", "examples": ["month", "academic-year", "30 d"]}),
]
Names = Annotated[tuple[str, ...], BeforeValidator(_one_or_many)]
ClassName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$")]
Rate = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]


class PriceClass(Model):
    """What servers of a class of profiles cost, instead of what their resources alone would."""

    times: Rate | None = None
    """So many times the price of their resources: 0 for a course that is free, 2 for machines that others wait for."""
    hour: Rate | None = None
    """So many units for each hour of a server, whatever it holds."""

    @model_validator(mode="after")
    def _one_of_both(self) -> PriceClass:
        if (self.times is None) == (self.hour is None):
            raise ValueError(Text("one of times and hour is needed"))
        return self


class Tariff(Model):
    """What an hour of one server costs in units, from a day on."""

    valid_from: date | None = None
    """First day (on the clock of ``site.timezone``) on which it counts; the first in the list also before."""
    rule: Literal["max", "sum"] = "max"
    """``max``: the dearer of cores and memory, as computing centres' service units do; ``sum``: both."""
    cpu: Rate = 1.0
    """Units for a core during an hour."""
    memory: Rate = 0.25
    """Units for a GiB of memory during an hour."""
    gpu: Annotated[dict[str, Rate], BeforeValidator(_rates)] = Field(default_factory=lambda: {"*": 10.0})
    """Units for a GPU during an hour, by type; "*" for those not named. Added to the rest."""
    classes: dict[ClassName, PriceClass] = Field(default_factory=dict)
    """Prices of profiles with a ``price_class``. A class that is not here costs what its resources cost."""

    @model_validator(mode="after")
    def _every_gpu_has_a_price(self) -> Tariff:
        if "*" not in self.gpu:
            raise ValueError(Text('gpu needs an entry "*" too: what a type costs that is not named'))
        return self


class Limit(Model):
    """So much in so long: exactly one amount, and the window in which it is counted."""

    window: Window = "month"
    """``month``, ``academic-year``, or the last days such as "30 d", today among them."""
    units: float | None = Field(default=None, ge=0)
    """Units of the tariff."""
    cpu_hours: float | None = Field(default=None, ge=0)
    """Core-hours, whatever they cost."""
    memory_hours: float | None = Field(default=None, ge=0)
    """GiB-hours of memory."""
    gpu_hours: float | None = Field(default=None, ge=0)
    """GPU-hours; all types, or the one in ``gpu_type``."""
    gpu_type: str | None = None
    """The type of GPU that ``gpu_hours`` counts."""
    hard: bool = False
    """true: who has used it up starts nothing that counts on it, and what runs is stopped after ``grace``.
    false: it is said, and nothing is refused."""
    grace: Duration = timedelta(minutes=30)
    """Time between the end of a hard limit and the stop of what still runs on it."""

    @model_validator(mode="after")
    def _one_amount(self) -> Limit:
        given = [measure for measure in MEASURES if getattr(self, measure) is not None]
        if len(given) != 1:
            needed = ", ".join(MEASURES)
            raise ValueError(Text("one of {keys} is needed; write a second limit for another", keys=needed))
        if self.gpu_type is not None and given != ["gpu_hours"]:
            raise ValueError(Text("gpu_type goes with gpu_hours"))
        return self

    @property
    def measure(self) -> Measure:
        """Which of the amounts is given."""
        return next(measure for measure in MEASURES if getattr(self, measure) is not None)

    @property
    def amount(self) -> float:
        """The amount that is given, in units or hours."""
        return float(getattr(self, self.measure))


class Concurrent(Model):
    """What may run at the same time. Always a hard limit."""

    servers: int | None = Field(default=None, ge=0)
    """Servers that run or start."""
    cpu: float | None = Field(default=None, ge=0)
    """Cores held by them."""
    gpu: int | None = Field(default=None, ge=0)
    """GPUs held by them."""


class Budget(Model):
    """What an account may use. For each account, the first budget in the file that matches it counts.

    Lists hold names or patterns with ``*`` and ``?``; an empty list asks nothing.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    """Short name, shown in refusals, reports and stops."""
    title: Localized | None = None
    """The budget in a person's words, such as {fr: "Budget des étudiants", en: "Students' budget"}."""
    account: AccountKind = "person"
    """Whose: each person's own, each group's, each home organization's, or the whole hub's (an event's)."""
    names: Names = ()
    """Which usernames, groups or organizations (by ``account``)."""
    affiliations: Names = ()
    """For people: only those with one of these affiliations, such as "student"."""
    groups: Names = ()
    """For people: only members of one of these JupyterHub groups."""
    organizations: Names = ()
    """For people: only those of one of these home organizations."""
    limits: tuple[Limit, ...] = ()
    """How much in how long; every one of them holds."""
    concurrent: Concurrent = Concurrent()
    """How much at the same time."""
    contact: str = ""
    """Whom to ask for more: an e-mail or web address; ``site.contact`` where it is not given."""

    @model_validator(mode="after")
    def _conditions_fit(self) -> Budget:
        for condition in ("affiliations", "groups", "organizations"):
            if self.account != "person" and getattr(self, condition):
                raise ValueError(
                    Text("{key} chooses among people: leave it out, or say account: person", key=condition)
                )
        keys = [(limit.window, limit.measure, limit.gpu_type) for limit in self.limits]
        if len(set(keys)) < len(keys):
            raise ValueError(Text("two limits count the same thing in the same window: keep the smaller"))
        return self


class Managers(Model):
    """Who, beside administrators, may see and enlarge the budgets of which groups and organizations."""

    people: Names = ()
    """Usernames of those who may."""
    members_of: Names = ()
    """JupyterHub groups whose members may."""
    groups: Names = ()
    """The groups that they manage, and the people in them."""
    organizations: Names = ()
    """The home organizations that they manage, and their people."""


class QuotasSettings(Model):
    """What usage costs, who may use how much, and what happens at the end of it."""

    tariff: tuple[Tariff, ...] = (Tariff(),)
    """Prices, in the order of their ``valid_from``."""
    budgets: tuple[Budget, ...] = ()
    """Budgets in the order in which they are tried; who matches none is counted and never refused."""
    managers: tuple[Managers, ...] = ()
    """Who may give more, and to whom."""
    when_unavailable: Literal["allow", "refuse"] = "allow"
    """What the spawner does when this service does not answer; ``allow`` counts it afterwards."""
    heartbeat: Duration = timedelta(minutes=1)
    """Time between two looks at what runs; the most that a crash can lose of an interval."""
    place: Duration = timedelta(minutes=10)
    """How long a place is held for a start that says nothing more; longer than ``spawner`` starts take."""
    least: Duration = timedelta(minutes=30)
    """A start needs so much of its own running time to be left in each hard limit, and holds it."""
    academic_year_starts: Annotated[str, AfterValidator(_month_and_day)] = "09-01"
    """First day of the academic year, month and day."""
    warn_at: tuple[Annotated[int, Field(ge=1, le=100)], ...] = (80, 100)
    """Percentages of a limit at which people are warned."""

    @model_validator(mode="after")
    def _in_order(self) -> QuotasSettings:
        if not self.tariff:
            raise ValueError(Text("tariff needs at least one entry; leave it out for the default one"))
        starts = [tariff.valid_from for tariff in self.tariff[1:]]
        if None in starts:
            raise ValueError(Text("only the first tariff may leave valid_from out"))
        dates = [tariff.valid_from or date.min for tariff in self.tariff]
        if any(later <= earlier for earlier, later in pairwise(dates)):
            raise ValueError(Text("the tariffs stand in the order of valid_from, each on a day of its own"))
        names = [budget.name for budget in self.budgets]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(Text("two budgets are named {name}: the name is what people are shown", name=twice[0]))
        if self.heartbeat < timedelta(seconds=1) or self.place < timedelta(seconds=1):
            raise ValueError(Text("heartbeat and place are at least one second"))
        return self
