"""Computes the ledger's sums again from its intervals, a day at a time, and says where they differ.

Each day is one transaction, so that admissions wait for a day's intervals at most. Days whose intervals are no
longer all kept (``privacy.retention.usage``) are left as they are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ..settings.quotas import Tariff
from .ledger import SUMS, Ledger, add_sums, moment_of, put, resources_kept
from .pricing import Usage, rate, tariff_on, use
from .tables import CLOSED, RUNNING, ByDay, ByProfile, Horizon, Interval
from .windows import DAY, day_start, local_day

_CHUNK = 1000
Key = tuple[Any, ...]
Sums = dict[str, int]


@dataclass(frozen=True)
class Difference:
    """One sum that was not what the intervals say."""

    table: str
    key: Key
    column: str
    kept: int
    true: int


async def rebuild(ledger: Ledger, *, write: bool = True) -> AsyncIterator[Difference]:
    """Yield every difference, and mend it where ``write``; twice in a row, the second finds nothing."""
    async with ledger.database.session() as session:
        first, last, longest = await _extent(session, ledger)
    while first <= last:
        for difference in await _day(ledger, first, longest, write):
            yield difference
        first += DAY


async def _extent(session: AsyncSession, ledger: Ledger) -> tuple[date, date, int]:
    """Return the first and last day to look at, and the seconds of the longest interval."""
    days = [
        (await session.execute(select(function(table.day)).where(table.hub == ledger.hub))).scalar()
        for table in (ByDay, ByProfile)
        for function in (func.min, func.max)
    ]
    query = select(
        func.min(Interval.begin_s),
        func.max(Interval.counted_s),
        func.max(Interval.counted_s - Interval.begin_s),
    ).where(Interval.hub == ledger.hub, Interval.state.in_((RUNNING, CLOSED)))
    begin, end, longest = (await session.execute(query)).one()
    if begin is not None:
        days += [local_day(moment_of(each), ledger.prices.zone) for each in (begin, end)]
    known = [day for day in days if day is not None]
    horizon = (await session.execute(select(Horizon.day).where(Horizon.hub == ledger.hub))).scalar()
    first = max(min(known, default=date.max), horizon or date.min)
    return first, max(known, default=date.min), int(longest or 0)


async def _day(ledger: Ledger, day: date, longest: int, write: bool) -> list[Difference]:
    zone = ledger.prices.zone
    begin, end = int(day_start(day, zone).timestamp()), int(day_start(day + DAY, zone).timestamp())
    differences: list[Difference] = []
    async with ledger.writing() as session:
        profiles, days = await _true(session, ledger, day, begin, end, longest)
        tables: list[tuple[type[ByProfile] | type[ByDay], dict[Key, Sums]]] = [
            (ByProfile, profiles),
            (ByDay, days),
        ]
        for table, true in tables:
            kept = await _kept(session, ledger, table, day)
            found = _compare(table.__tablename__, kept, true)
            differences += found
            if found and write:
                await session.execute(delete(table).where(table.hub == ledger.hub, table.day == day))
                await add_sums(session, ledger.database.is_sqlite, table, true)
    return differences


async def _true(
    session: AsyncSession, ledger: Ledger, day: date, begin: int, end: int, longest: int
) -> tuple[dict[Key, Sums], dict[Key, Sums]]:
    profiles: dict[Key, Sums] = {}
    days: dict[Key, Sums] = {}
    a_second = _a_second(tariff_on(day, ledger.prices.tariffs))
    query = (
        select(
            Interval.begin_s,
            Interval.counted_s,
            Interval.accounts,
            Interval.profile,
            Interval.cpu,
            Interval.memory,
            Interval.gpu,
            Interval.gpu_type,
            Interval.price_class,
        )
        .where(
            Interval.hub == ledger.hub,
            Interval.state.in_((RUNNING, CLOSED)),
            Interval.begin_s >= begin - longest,
            Interval.begin_s < end,
            Interval.counted_s >= begin,
        )
        .execution_options(yield_per=_CHUNK)
    )
    async for began, counted, accounts, profile, cpu, memory, gpu, gpu_type, price_class in await session.stream(query):
        seconds = max(0, min(counted, end) - max(began, begin))
        starts = int(began >= begin)
        if not seconds and not starts:
            continue
        usage = a_second(cpu, memory, gpu, gpu_type, price_class) * seconds
        for kind, name in accounts:
            account = (ledger.hub, kind, name, day)
            put(profiles, (*account, profile, gpu_type), usage, starts)
            put(days, (*account, gpu_type), usage, starts)
    return profiles, days


def _a_second(tariff: Tariff) -> Callable[[int, int, int, str, str], Usage]:
    """Return what tells a second's usage of (cpu, memory, GPUs, type, price class) as intervals keep them."""

    @cache
    def usage(cpu: int, memory: int, gpu: int, gpu_type: str, price_class: str) -> Usage:
        resources = resources_kept(cpu, memory, gpu, gpu_type)
        return use(resources, 1, rate(resources, tariff, price_class))

    return usage


async def _kept(
    session: AsyncSession, ledger: Ledger, table: type[ByProfile] | type[ByDay], day: date
) -> dict[Key, Sums]:
    columns = [column.name for column in table.__table__.primary_key]
    query = select(*(getattr(table, name) for name in (*columns, *SUMS))).where(
        table.hub == ledger.hub, table.day == day
    )
    width = len(columns)
    rows = (await session.execute(query)).all()
    return {tuple(row[:width]): dict(zip(SUMS, row[width:], strict=True)) for row in rows}


def _compare(table: str, kept: dict[Key, Sums], true: dict[Key, Sums]) -> list[Difference]:
    nothing = dict.fromkeys(SUMS, 0)
    return [
        Difference(table, key, column, kept.get(key, nothing)[column], true.get(key, nothing)[column])
        for key in sorted(kept.keys() | true.keys())
        for column in SUMS
        if kept.get(key, nothing)[column] != true.get(key, nothing)[column]
    ]
