"""What was used and what is held, read from the ledger's sums: never from its history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import and_, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ..contracts.person import Person
from ..settings.quotas import Budget, Limit, QuotasSettings
from .budgets import Account, Holding, Standing, budget_of
from .ledger import SUMS, Ledger, seconds_of
from .pricing import COLUMN, Usage
from .tables import ByDay, ByProfile, Grant, Interval, Live
from .windows import span


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

    holding: Holding
    promised: dict[str, Usage]
    """By type of GPU; empty where there is none."""

    def of(self, limit: Limit) -> int:
        """Return what is promised in the measure of a limit."""
        types = [limit.gpu_type] if limit.gpu_type is not None else self.promised
        return sum(getattr(self.promised.get(each, Usage()), COLUMN[limit.measure]) for each in types)


async def held(session: AsyncSession, hub: str, account: Account, least: timedelta, now: datetime) -> Held:
    """Return what an account's servers hold at ``now``.

    Each is promised ``least`` of running time from its start on, and in any case the time since it was last
    counted.
    """
    moment = seconds_of(now)
    first = Interval.begin_s + round(least.total_seconds())
    until = case((first > moment, first), else_=moment)
    ahead = case((until > Interval.counted_s, until - Interval.counted_s), else_=0)
    query = (
        select(
            Interval.gpu_type,
            func.count(),
            func.sum(Interval.cpu),
            func.sum(Interval.gpu),
            func.sum(ahead),
            func.sum(Interval.cpu * ahead),
            func.sum(Interval.memory * ahead),
            func.sum(Interval.gpu * ahead),
            func.sum(Interval.rate * ahead),
        )
        .join(Live, Live.interval_id == Interval.id)
        .where(Live.hub == hub, Live.kind == account.kind, Live.name == account.name)
        .group_by(Interval.gpu_type)
    )
    holding, promised = Holding(), {}
    for gpu_type, servers, cpu, gpu, *sums in (await session.execute(query)).all():
        holding = Holding(holding.servers + servers, holding.cpu + int(cpu), holding.gpu + int(gpu))
        promised[gpu_type] = Usage(*(int(each) for each in sums))
    return Held(holding, promised)


async def used(session: AsyncSession, hub: str, account: Account, limit: Limit, first: date, end: date) -> int:
    """Return what an account used on the days from ``first`` up to and without ``end``."""
    query = select(func.sum(getattr(ByDay, COLUMN[limit.measure]))).where(
        ByDay.hub == hub,
        ByDay.kind == account.kind,
        ByDay.name == account.name,
        ByDay.day >= first,
        ByDay.day < end,
    )
    if limit.gpu_type is not None:
        query = query.where(ByDay.gpu_type == limit.gpu_type)
    return int((await session.execute(query)).scalar() or 0)


async def granted(session: AsyncSession, hub: str, account: Account, limit: Limit, now: datetime) -> int:
    """Return what was given to an account on top of a limit, and counts at ``now``."""
    moment = seconds_of(now)
    query = select(func.sum(Grant.amount)).where(
        Grant.hub == hub,
        Grant.kind == account.kind,
        Grant.name == account.name,
        Grant.measure == limit.measure,
        Grant.gpu_type == (limit.gpu_type or ""),
        Grant.begins_s <= moment,
        Grant.ends_s > moment,
    )
    return int((await session.execute(query)).scalar() or 0)


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
        *,
        hard_only: bool = False,
    ) -> tuple[list[Standing], list[tuple[Account, Budget, Holding]]]:
        """Return where the accounts stand in each limit of their budgets, and what they hold.

        ``person`` is the owner of the person's account among them. ``hard_only`` leaves out what can refuse
        nothing.
        """
        standings: list[Standing] = []
        holdings: list[tuple[Account, Budget, Holding]] = []
        for account in accounts:
            budget = budget_of(account, person, self.settings.budgets)
            if budget is None:
                continue
            limits = [limit for limit in budget.limits if limit.hard or not hard_only]
            most = budget.concurrent
            if not limits and most.servers is most.cpu is most.gpu is None:
                continue
            holds = await held(session, self.ledger.hub, account, self.settings.least, now)
            holdings.append((account, budget, holds.holding))
            for limit in limits:
                standings.append(await self._standing(session, account, budget, limit, holds, now))
        return standings, holdings

    async def _standing(
        self,
        session: AsyncSession,
        account: Account,
        budget: Budget,
        limit: Limit,
        holds: Held,
        now: datetime,
    ) -> Standing:
        days = span(limit.window, now, self.ledger.prices.zone, self.settings.academic_year_starts)
        return Standing(
            account=account,
            budget=budget,
            limit=limit,
            span=days,
            used=await used(session, self.ledger.hub, account, limit, days.first, days.end),
            held=holds.of(limit),
            granted=await granted(session, self.ledger.hub, account, limit, now),
        )


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
