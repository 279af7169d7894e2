"""Computes the ledger's sums again from its intervals, a day at a time, and says where they differ.

The database adds up the seconds of each day by account and by what was held; prices are put to those sums here, as
the ledger puts them to a second. Each transaction takes some days of about `_INTERVALS` intervals together (one day
at least), so that admissions wait no longer than for these. Days whose intervals are no longer all kept
(``privacy.retention.usage``) are left as they are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import pairwise
from operator import add
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Select, case, delete, func, insert, literal, select, true, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from ..settings.quotas import Tariff
from .ledger import SUMS, Ledger, moment_of, resources_kept
from .pricing import rate, tariff_on, use
from .tables import CLOSED, RUNNING, ByDay, ByProfile, Horizon, Interval
from .windows import DAY, day_start, local_day

_CHUNK = 2000
_INTERVALS = 3000
_MOST_DAYS = 31
Key = tuple[Any, ...]
Sums = tuple[int, ...]
"""In the order of `SUMS`."""
_NOTHING: Sums = (0,) * len(SUMS)


class Difference(NamedTuple):
    """One sum that was not what the intervals say."""

    table: str
    key: Key
    column: str
    kept: int
    true: int


async def rebuild(ledger: Ledger, *, write: bool = True) -> AsyncIterator[Difference]:
    """Yield every difference, and mend it where ``write``; twice in a row, the second finds nothing."""
    async with ledger.database.session() as session:
        extent = await _extent(session, ledger)
    first, together = extent.first, extent.together
    while first <= extent.last:
        days = [first + DAY * number for number in range(together) if first + DAY * number <= extent.last]
        async with ledger.writing() as session:
            found = await _days(session, ledger, days, extent.longest, write)
        for difference in found:  # told once it is mended
            yield difference
        first = days[-1] + DAY


@dataclass(frozen=True)
class _Extent:
    first: date
    last: date
    longest: int
    """Seconds of the longest interval."""
    together: int
    """Days in one transaction."""


async def _extent(session: AsyncSession, ledger: Ledger) -> _Extent:
    days = [
        (await session.execute(select(function(table.day)).where(table.hub == ledger.hub))).scalar()
        for table in (ByDay, ByProfile)
        for function in (func.min, func.max)
    ]
    query = select(
        func.min(Interval.begin_s),
        func.max(Interval.counted_s),
        func.max(Interval.counted_s - Interval.begin_s),
        func.count(),
    ).where(Interval.hub == ledger.hub, Interval.state.in_((RUNNING, CLOSED)))
    begin, end, longest, count = (await session.execute(query)).one()
    if begin is not None:
        days += [local_day(moment_of(each), ledger.prices.zone) for each in (begin, end)]
    known = [day for day in days if day is not None]
    horizon = (await session.execute(select(Horizon.day).where(Horizon.hub == ledger.hub))).scalar()
    first = max(min(known, default=date.max), horizon or date.min)
    last = max(known, default=date.min)
    a_day = count / max(1, (last - first).days)
    return _Extent(first, last, int(longest or 0), max(1, min(_MOST_DAYS, int(_INTERVALS / max(1.0, a_day)))))


async def _days(
    session: AsyncSession, ledger: Ledger, days: Sequence[date], longest: int, write: bool
) -> list[Difference]:
    differences: list[Difference] = []
    profiles = await _true(session, ledger, days, longest)
    tables: list[tuple[type[ByProfile] | type[ByDay], dict[Key, Sums]]] = [
        (ByProfile, profiles),
        (ByDay, _over_profiles(profiles)),
    ]
    for table, true_sums in tables:
        found = _compare(table.__tablename__, await _kept(session, ledger, table, days), true_sums)
        differences += found
        if found and write:
            these = (table.hub == ledger.hub, table.day >= days[0], table.day <= days[-1])
            await session.execute(delete(table).where(*these))
            await _insert(session, table, true_sums)
    return differences


async def _true(session: AsyncSession, ledger: Ledger, days: Sequence[date], longest: int) -> dict[Key, Sums]:
    """Return what the intervals say of some days: (hub, kind, name, day, profile, type of GPU) → sums."""
    a_second = [_a_second(tariff_on(day, ledger.prices.tariffs)) for day in days]
    found: dict[Key, Sums] = {}
    rows = await session.stream(_seconds(ledger, days, longest).execution_options(yield_per=_CHUNK))
    async for some in rows.partitions():
        for number, kind, name, profile, gpu_type, *held, seconds, starts in some:
            if seconds or starts:
                key = (ledger.hub, kind, name, days[number], profile, gpu_type)
                # int: PostgreSQL adds whole numbers up to a Decimal
                amounts = [each * int(seconds) for each in a_second[number](*held, gpu_type)]
                _put(found, key, (*amounts, int(starts)))
    return found


def _seconds(ledger: Ledger, days: Sequence[date], longest: int) -> Select[Any]:
    """Return the question for the seconds and starts of each day (by its number) and account, by what servers held."""
    zone = ledger.prices.zone
    bounds = [int(day_start(day, zone).timestamp()) for day in (*days, days[-1] + DAY)]
    day = union_all(
        *(
            select(
                literal(number, BigInteger).label("number"),
                literal(begin, BigInteger).label("begin"),
                literal(end, BigInteger).label("end"),
            )
            for number, (begin, end) in enumerate(pairwise(bounds))
        )
    ).subquery("day")
    kind: ColumnElement[Any]
    name: ColumnElement[Any]
    if ledger.database.is_sqlite:
        accounts = func.json_each(Interval.accounts).table_valued("value", name="account")
        kind, name = (func.json_extract(accounts.c.value, path) for path in ("$[0]", "$[1]"))
    else:
        accounts = func.json_array_elements(Interval.accounts).table_valued("value", name="account")
        kind, name = (accounts.c.value.op("->>")(index) for index in (0, 1))
    held = (Interval.profile, Interval.gpu_type, Interval.cpu, Interval.memory, Interval.gpu, Interval.price_class)
    last = case((Interval.counted_s < day.c.end, Interval.counted_s), else_=day.c.end)
    first = case((Interval.begin_s > day.c.begin, Interval.begin_s), else_=day.c.begin)
    rows = (
        select(
            day.c.number,
            kind.label("kind"),
            name.label("name"),
            *held,
            case((last > first, last - first), else_=0).label("seconds"),
            case((Interval.begin_s >= day.c.begin, 1), else_=0).label("starts"),
        )
        .select_from(day)
        .join(Interval, (Interval.begin_s >= day.c.begin - longest) & (Interval.begin_s < day.c.end))
        .join(accounts, true())
        .where(
            Interval.hub == ledger.hub,
            Interval.state.in_((RUNNING, CLOSED)),
            Interval.counted_s >= day.c.begin,
        )
        .subquery()
    )
    *what, seconds, starts = rows.c
    return select(*what, func.sum(seconds), func.sum(starts)).group_by(*what)


def _a_second(tariff: Tariff) -> Callable[[int, int, int, str, str], Sums]:
    """Return what tells a second's usage of (cpu, memory, GPUs, price class, type) as intervals keep them."""

    @cache
    def usage(cpu: int, memory: int, gpu: int, price_class: str, gpu_type: str) -> Sums:
        resources = resources_kept(cpu, memory, gpu, gpu_type)
        second = use(resources, 1, rate(resources, tariff, price_class))
        return (second.seconds, second.cpu, second.memory, second.gpu, second.cost)

    return usage


def _over_profiles(profiles: dict[Key, Sums]) -> dict[Key, Sums]:
    days: dict[Key, Sums] = {}
    for (*account, _, gpu_type), sums in profiles.items():
        _put(days, (*account, gpu_type), sums)
    return days


def _put(found: dict[Key, Sums], key: Key, sums: Sums) -> None:
    before = found.get(key)
    found[key] = tuple(map(add, before, sums)) if before else sums


async def _kept(
    session: AsyncSession, ledger: Ledger, table: type[ByProfile] | type[ByDay], days: Sequence[date]
) -> dict[Key, Sums]:
    columns = [column.name for column in table.__table__.primary_key]
    query = select(*(getattr(table, name) for name in (*columns, *SUMS))).where(
        table.hub == ledger.hub, table.day >= days[0], table.day <= days[-1]
    )
    width = len(columns)
    rows = await session.stream(query.execution_options(yield_per=_CHUNK))
    return {row[:width]: row[width:] async for some in rows.partitions() for row in some}


async def _insert(session: AsyncSession, table: type[ByProfile] | type[ByDay], sums: dict[Key, Sums]) -> None:
    names = [*(column.name for column in table.__table__.primary_key), *SUMS]
    rows = [dict(zip(names, (*key, *values), strict=True)) for key, values in sums.items()]
    for first in range(0, len(rows), _CHUNK):
        await session.execute(insert(table.__table__), rows[first : first + _CHUNK])  # type: ignore[arg-type]


def _compare(table: str, kept: dict[Key, Sums], true_sums: dict[Key, Sums]) -> list[Difference]:
    differing = [
        key for key in kept.keys() | true_sums.keys() if kept.get(key, _NOTHING) != true_sums.get(key, _NOTHING)
    ]
    return [
        Difference(table, key, column, before, after)
        for key in sorted(differing)
        for column, before, after in zip(SUMS, kept.get(key, _NOTHING), true_sums.get(key, _NOTHING), strict=True)
        if before != after
    ]
