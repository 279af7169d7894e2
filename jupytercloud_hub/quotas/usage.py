"""What was used and what is held, read from the ledger's sums: never from its history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession

from ..contracts.admission import StartKey
from ..contracts.person import Person
from ..settings.quotas import Budget, Limit, QuotasSettings
from .budgets import Account, Holding, Standing, budget_of
from .ledger import AMOUNTS, SUMS, Ledger, seconds_of, server_of
from .pricing import COLUMN, Usage
from .tables import ByDay, ByMonth, ByProfile, Grant, Interval, Live
from .windows import Run, months_and_days, span


@dataclass(frozen=True)
class DayOfProfile:
    """What one account used on one day in one profile."""

    day: date
    profile: str
    gpu_type: str
    usage: Usage
    starts: int


@dataclass(frozen=True)
class Held:
    """What one account's servers hold, and what they are promised beyond what is counted."""

    holding: Holding = field(default_factory=Holding)
    promised: dict[str, Usage] = field(default_factory=dict)
    """By type of GPU; empty where there is none."""

    def of(self, limit: Limit) -> int:
        """Return what is promised in the measure of a limit."""
        types = [limit.gpu_type] if limit.gpu_type is not None else self.promised
        return sum(getattr(self.promised.get(each, Usage()), COLUMN[limit.measure]) for each in types)


Kinds = tuple[str, ...]


def _kinds(accounts: Sequence[Account]) -> Kinds:
    return tuple(sorted({account.kind for account in accounts}))


def _names(kind: str) -> str:
    return f"names_{kind}"


def _named(hub: str, accounts: Sequence[Account]) -> dict[str, Any]:
    """Return the values of `_any_of`."""
    return {
        "hub": hub,
        **{_names(kind): [each.name for each in accounts if each.kind == kind] for kind in _kinds(accounts)},
    }


def _any_of(
    table: type[Live] | type[ByDay] | type[ByMonth] | type[Grant], kinds: Kinds, *also: Sequence[ColumnElement[bool]]
) -> ColumnElement[bool]:
    # one name list for each kind: SQLite reads a list of pairs without the index, every account of the hub; and what
    # else must hold stands with each, so that it goes through the index too
    hub: BindParameter[str] = bindparam("hub")
    return or_(
        *(
            and_(table.hub == hub, table.kind == kind, table.name.in_(bindparam(_names(kind), expanding=True)), *rest)
            for kind in kinds
            for rest in also or [()]
        )
    )


@lru_cache(maxsize=64)
def _held(kinds: Kinds) -> Select[*tuple[Any, ...]]:
    moment: BindParameter[int] = bindparam("moment")
    first = Interval.begin_s + bindparam("least")
    until = case((first > moment, first), else_=moment)
    ahead = case((until > Interval.counted_s, until - Interval.counted_s), else_=0)
    # A hub runs a server once at a time: what it starts anew has ended, though nobody told. What that used counts.
    older = and_(
        *(getattr(Interval, name) == bindparam(name) for name in ("user", "server")),
        Interval.started_us < bindparam("started_us"),
    )
    there = case((older, 0), else_=1)
    return (
        select(
            Live.kind,
            Live.name,
            Interval.gpu_type,
            func.sum(there),
            func.sum(Interval.cpu * there),
            func.sum(Interval.gpu * there),
            func.sum(ahead),
            func.sum(Interval.cpu * ahead),
            func.sum(Interval.memory * ahead),
            func.sum(Interval.gpu * ahead),
            func.sum(Interval.rate * ahead),
        )
        .join(Interval, Live.interval_id == Interval.id)
        .where(_any_of(Live, kinds))
        .group_by(Live.kind, Live.name, Interval.gpu_type)
    )


async def held(
    session: AsyncSession,
    hub: str,
    accounts: Sequence[Account],
    least: timedelta,
    now: datetime,
    starting: StartKey | None = None,
) -> dict[Account, Held]:
    """Return what the accounts' servers hold at ``now``.

    Each is promised ``least`` of running time from its start on, and in any case the time since it was last
    counted. ``starting``: a server that starts anew; an older interval of its own is no second server.
    """
    values = {
        **_named(hub, accounts),
        **server_of(starting),
        "moment": seconds_of(now),
        "least": round(least.total_seconds()),
    }
    found: dict[Account, Held] = {}
    rows = (await session.execute(_held(_kinds(accounts)), values)).all()
    for kind, name, gpu_type, servers, cpu, gpu, *sums in rows:
        before = found.get(Account(kind, name), Held())
        holding = before.holding
        found[Account(kind, name)] = Held(
            Holding(holding.servers + servers, holding.cpu + int(cpu), holding.gpu + int(gpu)),
            {**before.promised, gpu_type: Usage(*(int(each) for each in sums))},
        )
    return found


@lru_cache(maxsize=64)
def _used(kinds: Kinds, windows: tuple[Run, ...], columns: tuple[str, ...]) -> Select[Any]:
    """Return the question for the sums of each window: its whole months from their sums, the rest from days."""
    parts = [months_and_days(*window) for window in windows]
    months = [[run] if run else [] for run, _ in parts]
    days = [runs for _, runs in parts]
    sides = [
        _sums_in(table, day, kinds, runs, columns)
        for table, day, runs in ((ByMonth, ByMonth.month, months), (ByDay, ByDay.day, days))
        if any(runs)
    ]
    rows = (sides[0] if len(sides) == 1 else union_all(*sides)).subquery()
    kind, name, gpu_type, *sums = rows.c
    return select(kind, name, gpu_type, *(func.sum(each) for each in sums)).group_by(kind, name, gpu_type)


def _sums_in(
    table: type[ByDay] | type[ByMonth], day: Any, kinds: Kinds, windows: Sequence[Sequence[Run]], columns: Sequence[str]
) -> Select[Any]:
    sums = [
        case((or_(*((day >= first) & (day < end) for first, end in runs)), getattr(table, column)), else_=0)
        if runs
        else literal(0, BigInteger)
        for runs in windows
        for column in columns
    ]
    ranges = sorted({run for runs in windows for run in runs})
    merged = _any_of(table, kinds, *([day >= first, day < end] for first, end in _apart(ranges)))
    labelled = [each.label(f"sum_{number}") for number, each in enumerate(sums)]
    return select(table.kind, table.name, table.gpu_type, *labelled).where(merged)


def _apart(runs: Sequence[Run]) -> list[Run]:
    """Return runs that don't overlap, from sorted ones: no row is read twice."""
    found: list[Run] = []
    for first, end in runs:
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((first, end))
    return found


async def used(
    session: AsyncSession,
    hub: str,
    accounts: Sequence[Account],
    windows: Sequence[Run],
    columns: Sequence[str] = AMOUNTS,
) -> dict[tuple[Account, str], list[Usage]]:
    """Return what the accounts used, by type of GPU: one `Usage` for each window, of ``columns`` only."""
    query = _used(_kinds(accounts), tuple(windows), tuple(columns))
    width = len(columns)
    return {
        (Account(kind, name), gpu_type): [
            Usage(**{column: int(each) for column, each in zip(columns, amounts[index : index + width], strict=True)})
            for index in range(0, len(amounts), width)
        ]
        for kind, name, gpu_type, *amounts in (await session.execute(query, _named(hub, accounts))).all()
    }


@lru_cache(maxsize=64)
def _granted(kinds: Kinds) -> Select[*tuple[Any, ...]]:
    moment: BindParameter[int] = bindparam("moment")
    return (
        select(Grant.kind, Grant.name, Grant.measure, Grant.gpu_type, func.sum(Grant.amount))
        .where(_any_of(Grant, kinds), Grant.begins_s <= moment, Grant.ends_s > moment)
        .group_by(Grant.kind, Grant.name, Grant.measure, Grant.gpu_type)
    )


async def granted(
    session: AsyncSession, hub: str, accounts: Sequence[Account], now: datetime
) -> dict[tuple[Account, str, str], int]:
    """Return what was given to the accounts and counts at ``now``, by measure and type of GPU."""
    values = {**_named(hub, accounts), "moment": seconds_of(now)}
    rows: Sequence[Any] = (await session.execute(_granted(_kinds(accounts)), values)).all()
    return {(Account(kind, name), measure, gpu_type): int(amount) for kind, name, measure, gpu_type, amount in rows}


class Reader:
    """Answers where accounts stand, for admission, pages and notices alike."""

    def __init__(self, ledger: Ledger, settings: QuotasSettings) -> None:
        self.ledger = ledger
        self.settings = settings

    async def standings(
        self,
        session: AsyncSession,
        accounts: Iterable[Account],
        person: Person | None,
        now: datetime,
        starting: StartKey | None = None,
    ) -> tuple[list[Standing], list[tuple[Account, Budget, Holding]]]:
        """Return where the accounts stand in each limit of their budgets, and what they hold.

        ``person`` is the owner of the person's account among them; ``starting`` is the server that asks (see `held`).
        """
        found = [(account, budget_of(account, person, self.settings.budgets)) for account in accounts]
        return await self.standings_in(session, [(who, budget) for who, budget in found if budget], now, starting)

    async def standings_in(
        self,
        session: AsyncSession,
        budgets: Sequence[tuple[Account, Budget]],
        now: datetime,
        starting: StartKey | None = None,
    ) -> tuple[list[Standing], list[tuple[Account, Budget, Holding]]]:
        """Return the same for accounts whose budgets are known: three questions to the database, however many."""
        if not budgets:
            return [], []
        hub, zone, year = self.ledger.hub, self.ledger.prices.zone, self.settings.academic_year_starts
        accounts = [account for account, _ in budgets]
        holds = await held(session, hub, accounts, self.settings.least, now, starting)
        holdings = [(account, budget, holds.get(account, Held()).holding) for account, budget in budgets]
        spans = {limit.window: span(limit.window, now, zone, year) for _, budget in budgets for limit in budget.limits}
        if not spans:
            return [], holdings
        windows = list(dict.fromkeys((days.first, days.end) for days in spans.values()))
        columns = sorted({COLUMN[limit.measure] for _, budget in budgets for limit in budget.limits})
        uses = await used(session, hub, accounts, windows, columns)
        grants = await granted(session, hub, accounts, now)
        types: dict[Account, list[str]] = {}
        for account, gpu_type in uses:
            types.setdefault(account, []).append(gpu_type)
        standings = []
        for account, budget in budgets:
            for limit in budget.limits:
                days = spans[limit.window]
                index = windows.index((days.first, days.end))
                counted = [limit.gpu_type] if limit.gpu_type is not None else types.get(account, [])
                column = COLUMN[limit.measure]
                standing = Standing(
                    account=account,
                    budget=budget,
                    limit=limit,
                    span=days,
                    used=sum(
                        getattr(uses[account, each][index], column) for each in counted if (account, each) in uses
                    ),
                    held=holds.get(account, Held()).of(limit),
                    granted=grants.get((account, limit.measure, limit.gpu_type or ""), 0),
                )
                standings.append(standing)
        return standings, holdings


async def days_of(session: AsyncSession, hub: str, account: Account, first: date, end: date) -> list[DayOfProfile]:
    """Return what an account used by day and profile, oldest first; ``end`` is left out."""
    query = (
        select(ByProfile)
        .where(
            ByProfile.hub == hub,
            ByProfile.kind == account.kind,
            ByProfile.name == account.name,
            ByProfile.day >= first,
            ByProfile.day < end,
        )
        .order_by(ByProfile.day, ByProfile.profile, ByProfile.gpu_type)
    )
    return [
        DayOfProfile(
            row.day,
            row.profile,
            row.gpu_type,
            Usage(row.seconds, row.cpu, row.memory, row.gpu, row.cost),
            row.starts,
        )
        for row in (await session.execute(query)).scalars()
    ]


async def running_of(session: AsyncSession, hub: str, account: Account) -> Sequence[Interval]:
    """Return the servers of an account that run or start."""
    query = (
        select(Interval)
        .join(Live, Live.interval_id == Interval.id)
        .where(and_(Live.hub == hub, Live.kind == account.kind, Live.name == account.name))
        .order_by(Interval.begin_s, Interval.id)
    )
    return (await session.execute(query)).scalars().all()


async def totals(
    session: AsyncSession, hub: str, by: str, first: date, end: date
) -> list[tuple[str, dict[str, float]]]:
    """Return what each account of a kind used, or each profile (``by``), the dearest first; ``end`` is left out."""
    name = ByProfile.profile if by == "profile" else ByProfile.name
    query = (
        select(name, *(func.sum(getattr(ByProfile, column)) for column in SUMS))
        .where(
            ByProfile.hub == hub,
            ByProfile.kind == ("hub" if by == "profile" else by),
            ByProfile.day >= first,
            ByProfile.day < end,
        )
        .group_by(name)
    )
    rows = []
    for account, *sums in (await session.execute(query)).all():
        *amounts, starts = (int(each) for each in sums)
        usage = Usage(*amounts)
        rows.append(
            (
                str(account),
                {
                    "units": usage.measured("units"),
                    "server_hours": usage.seconds / 3600,
                    "cpu_hours": usage.measured("cpu_hours"),
                    "memory_hours": usage.measured("memory_hours"),
                    "gpu_hours": usage.measured("gpu_hours"),
                    "starts": float(starts),
                },
            )
        )
    return sorted(rows, key=lambda row: (-row[1]["units"], -row[1]["server_hours"], row[0]))
