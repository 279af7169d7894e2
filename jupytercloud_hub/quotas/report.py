"""What one account is told of its usage: where its budgets stand, what it used by day and profile, what runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from pydantic import AwareDatetime, Field

from ..contracts.model import Model
from ..contracts.person import Person
from ..contracts.text import Language
from ..settings.quotas import AccountKind, Measure
from .budgets import Account, Standing, accounts_of
from .notices import name_of, started_of
from .pricing import Usage, to_hours
from .tables import PLACE, Interval
from .usage import DayOfProfile, Reader, days_of, running_of
from .windows import DAY, local_day
from .words import title


class BudgetView(Model):
    """Where an account stands in one limit of a budget."""

    rule: str = Field(description="The budget's name in the settings.")
    title: str
    account: AccountKind
    name: str = Field(description="Whose budget: a username, a group, an organization or the hub.")
    counts: str = Field(description="Which of the budget's limits: window, measure and type of GPU.")
    measure: Measure
    hard: bool = Field(description="Whether it refuses and stops, or only warns.")
    limit: float = Field(description="In `measure`, grants included.")
    granted: float = Field(description="What of `limit` was granted.")
    used: float
    held: float = Field(description="Promised to what runs or starts, and not yet counted.")
    left: float
    percent: int = Field(description="Used, of the limit.")
    resets: AwareDatetime = Field(description="When the calendar gives more.")


class DayView(Model):
    """What was used on one day in one profile."""

    day: date = Field(description="Day of the calendar on the hub's clock.")
    profile: str
    gpu_type: str | None
    units: float
    server_hours: float
    cpu_hours: float
    memory_hours: float = Field(description="GiB-hours.")
    gpu_hours: float
    starts: int = Field(description="Servers that began to run on that day.")


class RunningView(Model):
    """A server that runs or starts, as the ledger has it."""

    user: str
    server: str = Field(description="JupyterHub's server name; empty for the default server.")
    profile: str
    started: AwareDatetime
    state: Literal["starting", "running"]
    units_per_hour: float


class UsageReport(Model):
    """The answer to ``GET api/v1/usage``."""

    hub: str
    account: AccountKind
    name: str
    generated: AwareDatetime
    first: date
    last: date = Field(description="Last day that is reported, today as a rule.")
    budgets: tuple[BudgetView, ...]
    days: tuple[DayView, ...]
    running: tuple[RunningView, ...]
    prices: dict[str, float] = Field(description="Units for an hour of a server, by profile, today and as catalogued.")


@dataclass(frozen=True)
class Overview:
    """The same for pages, before it is put into words."""

    account: Account
    now: datetime
    first: date
    last: date
    standings: Sequence[Standing]
    days: Sequence[DayOfProfile]
    running: Sequence[Interval]

    @property
    def profiles(self) -> list[tuple[str, Usage, int]]:
        """Sums by profile: name, usage, starts; the dearest first."""
        sums: dict[str, tuple[Usage, int]] = {}
        for each in self.days:
            usage, starts = sums.get(each.profile, (Usage(), 0))
            sums[each.profile] = (usage + each.usage, starts + each.starts)
        rows = [(name, usage, starts) for name, (usage, starts) in sums.items()]
        return sorted(rows, key=lambda row: (-row[1].cost, -row[1].seconds, row[0]))


async def overview(reader: Reader, account: Account, person: Person | None, now: datetime, days: int) -> Overview:
    """Return what is told of an account; a person is also told of the budgets that she shares."""
    hub = reader.ledger.hub
    last = local_day(now, reader.ledger.prices.zone)
    first = last - (days - 1) * DAY
    accounts: Iterable[Account] = [account]
    if person is not None and account.kind == "person":
        accounts = accounts_of(person, hub)
    async with reader.ledger.database.reading() as session:
        standings, _ = await reader.standings(session, accounts, person, now)
        used = await days_of(session, hub, account, first, last + DAY)
        running = await running_of(session, hub, account)
    return Overview(account, now, first, last, standings, used, running)


async def standings_of(reader: Reader, person: Person, now: datetime) -> Sequence[Standing]:
    """Return where a person's budgets stand, those that she shares included."""
    async with reader.ledger.database.reading() as session:
        standings, _ = await reader.standings(session, accounts_of(person, reader.ledger.hub), person, now)
    return standings


def report(found: Overview, hub: str, language: Language, prices: Mapping[str, float]) -> UsageReport:
    """Return an overview as programs read it."""
    return UsageReport(
        hub=hub,
        account=found.account.kind,
        name=found.account.name,
        generated=found.now,
        first=found.first,
        last=found.last,
        budgets=tuple(budget_view(standing, language) for standing in found.standings),
        days=tuple(day_view(each) for each in found.days),
        running=tuple(running_view(interval) for interval in found.running),
        prices=dict(prices),
    )


def budget_view(standing: Standing, language: Language) -> BudgetView:
    """Return a standing as programs read it."""
    return BudgetView(
        rule=standing.budget.name,
        title=title(standing.budget).in_(language),
        account=standing.account.kind,
        name=standing.account.name,
        counts=name_of(standing.limit),
        measure=standing.limit.measure,
        hard=standing.limit.hard,
        limit=standing.shown(standing.total),
        granted=standing.shown(standing.granted),
        used=standing.shown(standing.used),
        held=standing.shown(standing.held),
        left=standing.shown(standing.left),
        percent=standing.percent,
        resets=standing.span.resets,
    )


def day_view(each: DayOfProfile) -> DayView:
    """Return a day as programs read it; hours with six digits after the point."""
    return DayView(
        day=each.day,
        profile=each.profile,
        gpu_type=each.gpu_type or None,
        units=round(each.usage.measured("units"), 6),
        server_hours=round(each.usage.seconds / 3600, 6),
        cpu_hours=round(each.usage.measured("cpu_hours"), 6),
        memory_hours=round(each.usage.measured("memory_hours"), 6),
        gpu_hours=round(each.usage.measured("gpu_hours"), 6),
        starts=each.starts,
    )


def running_view(interval: Interval) -> RunningView:
    """Return a running server as programs read it."""
    return RunningView(
        user=interval.user,
        server=interval.server,
        profile=interval.profile,
        started=started_of(interval),
        state="starting" if interval.state == PLACE else "running",
        units_per_hour=to_hours("units", interval.rate * 3600),
    )
