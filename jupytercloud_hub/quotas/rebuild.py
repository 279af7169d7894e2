"""Computes the ledger's sums again from its intervals, a day at a time, and says where they differ.

The database adds up each day by account and profile, at prices that are put in as the ledger puts them to a second,
and compares: only what differs is read here. Each transaction takes some days of about `_INTERVALS` intervals together
(one day at least), so that admissions wait no longer than for these. Days whose intervals are no longer all kept
(``privacy.retention.usage``) are left as they are; a month is always the sum of its days.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Date,
    MetaData,
    Select,
    Table,
    Text,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession

from .ledger import SUMS, Ledger, moment_of, resources_kept
from .pricing import rate, tariff_on
from .tables import CLOSED, RUNNING, ByDay, ByMonth, ByProfile, Horizon, Interval, SumTable
from .windows import DAY, day_start, local_day, month_of, next_month

_CHUNK = 2000
_INTERVALS = 3000
_MOST_DAYS = 31
Key = tuple[Any, ...]
Sums = tuple[int, ...]
"""In the order of `SUMS`."""

_own = MetaData()
_TRUE = Table(
    "quotas_rebuilt",
    _own,
    *(Column(name, Text) for name in ("kind", "name")),
    Column("day", Date),
    *(Column(name, Text) for name in ("profile", "gpu_type")),
    *(Column(name, BigInteger) for name in SUMS),
    prefixes=["TEMPORARY"],
)
"""What the intervals say of some days; for a month: what its days have wrong and nobody mends."""
_HELD = ("cpu", "memory", "gpu", "gpu_type", "price_class")
_PRICE = Table(
    "quotas_rebuilt_price",
    _own,
    *(Column(name, BigInteger, primary_key=True) for name in ("tariff", "cpu", "memory", "gpu")),
    *(Column(name, Text, primary_key=True) for name in ("gpu_type", "price_class")),
    Column("rate", BigInteger),
    prefixes=["TEMPORARY"],
)
"""What an hour costs by each tariff (its place among the settings) of all that servers held."""


class Difference(NamedTuple):
    """One row of sums that was not what the intervals say."""

    table: str
    key: Key
    kept: Sums
    true: Sums

    def sums(self) -> Iterator[tuple[str, int, int]]:
        """Yield each sum that differs: its name, what was kept, what is true."""
        return (each for each in zip(SUMS, self.kept, self.true, strict=True) if each[1] != each[2])


async def rebuild(ledger: Ledger, *, write: bool = True) -> AsyncIterator[Difference]:
    """Yield every difference, and mend it where ``write``; twice in a row, the second finds nothing."""
    async with ledger.database.reading() as session:
        extent = await _extent(session, ledger)
    month = month_of(extent.first)
    while month <= extent.last:
        following = next_month(month)
        wrong: dict[Key, list[int]] = {}
        first, end = max(month, extent.kept), min(following, extent.last + DAY)
        while first < end:
            days = [first + DAY * number for number in range(min(extent.together, (end - first).days))]
            async with ledger.writing() as session:
                found = await _days(session, ledger, days, extent.longest, write)
            for difference in found:  # told once it is mended
                if not write and difference.table == ByDay.__tablename__:
                    _note(wrong, difference)
                yield difference
            first = days[-1] + DAY
        async with ledger.writing() as session:
            found = await _month(session, ledger, month, wrong, write)
        for difference in found:
            yield difference
        month = following


def _note(wrong: dict[Key, list[int]], difference: Difference) -> None:
    hub, kind, name, day, gpu_type = difference.key
    sums = wrong.setdefault((hub, kind, name, month_of(day), gpu_type), [0] * len(SUMS))
    for number, (kept, is_true) in enumerate(zip(difference.kept, difference.true, strict=True)):
        sums[number] += is_true - kept


@dataclass(frozen=True)
class _Extent:
    first: date
    kept: date
    """The first day whose intervals are all kept."""
    last: date
    longest: int
    """Seconds of the longest interval."""
    together: int
    """Days in one transaction."""


async def _extent(session: AsyncSession, ledger: Ledger) -> _Extent:
    days = [
        (await session.execute(select(function(day)).where(table.hub == ledger.hub))).scalar()
        for table, day in ((ByDay, ByDay.day), (ByProfile, ByProfile.day), (ByMonth, ByMonth.month))
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
    if not known:
        return _Extent(date.max, date.max, date.min, 0, 1)
    first, last = min(known), max(known)
    kept = max(first, horizon or first)
    a_day = count / max(1, (last - kept).days)
    return _Extent(first, kept, last, int(longest or 0), max(1, min(_MOST_DAYS, int(_INTERVALS / max(1.0, a_day)))))


async def _days(
    session: AsyncSession, ledger: Ledger, days: Sequence[date], longest: int, write: bool
) -> list[Difference]:
    connection = await session.connection()
    await connection.run_sync(_own.create_all, checkfirst=False)
    await _prices(session, ledger, days, longest)
    await session.execute(insert(_TRUE).from_select([column.name for column in _TRUE.c], _sums(ledger, days, longest)))
    differences: list[Difference] = []
    tables: list[tuple[SumTable, Any]] = [(ByProfile, ByProfile.day), (ByDay, ByDay.day)]
    for table, day in tables:
        these = (table.hub == ledger.hub, day >= days[0], day <= days[-1])
        differences += await _compared(session, table, these, _over(table, ledger.hub, _TRUE), write)
    await connection.run_sync(_own.drop_all, checkfirst=False)
    return differences


async def _month(
    session: AsyncSession, ledger: Ledger, month: date, wrong: dict[Key, list[int]], write: bool
) -> list[Difference]:
    """Hold a month against its days as they are kept, and against what ``wrong`` says of these."""
    connection = await session.connection()
    await connection.run_sync(_TRUE.create)
    if wrong:
        keys = ("kind", "name", "day", "gpu_type", *SUMS)
        rows = [dict(zip(keys, (*key, *sums), strict=True)) for (_, *key), sums in wrong.items()]
        await session.execute(insert(_TRUE), rows)
    common = ("kind", "name", "gpu_type", *SUMS)
    of_days = select(literal(month, Date).label("month"), *(getattr(ByDay, name) for name in common)).where(
        ByDay.hub == ledger.hub, ByDay.day >= month, ByDay.day < next_month(month)
    )
    of_wrong = select(_TRUE.c.day, *(_TRUE.c[name] for name in common))
    these = (ByMonth.hub == ledger.hub, ByMonth.month == month)
    truth = _over(ByMonth, ledger.hub, union_all(of_days, of_wrong).subquery())
    differences = await _compared(session, ByMonth, these, truth, write)
    await connection.run_sync(_TRUE.drop)
    return differences


async def _prices(session: AsyncSession, ledger: Ledger, days: Sequence[date], longest: int) -> None:
    held = [getattr(Interval, name) for name in _HELD]
    query = select(*held).where(*_touching(ledger, days, longest)).distinct()
    tariffs = {number: ledger.prices.tariffs[number] for number in {_tariff(ledger, day) for day in days}}
    rows = [
        {
            **dict(zip(_HELD, each, strict=True)),
            "tariff": number,
            "rate": rate(resources_kept(*each[:4]), tariff, each[4]),
        }
        for each in (await session.execute(query)).all()
        for number, tariff in tariffs.items()
    ]
    if rows:
        await session.execute(insert(_PRICE), rows)


def _tariff(ledger: Ledger, day: date) -> int:
    return ledger.prices.tariffs.index(tariff_on(day, ledger.prices.tariffs))


def _touching(ledger: Ledger, days: Sequence[date], longest: int) -> tuple[ColumnElement[bool], ...]:
    begin, end = (int(day_start(day, ledger.prices.zone).timestamp()) for day in (days[0], days[-1] + DAY))
    return (
        Interval.hub == ledger.hub,
        Interval.state.in_((RUNNING, CLOSED)),
        Interval.begin_s >= begin - longest,
        Interval.begin_s < end,
        Interval.counted_s >= begin,
    )


def _sums(ledger: Ledger, days: Sequence[date], longest: int) -> Select[Any]:
    """Return the question for the sums of each day, account, profile and type of GPU, as the intervals say."""
    zone = ledger.prices.zone
    bounds = [int(day_start(day, zone).timestamp()) for day in (*days, days[-1] + DAY)]
    day = union_all(
        *(
            select(
                literal(day, Date).label("day"),
                literal(_tariff(ledger, day), BigInteger).label("tariff"),
                literal(begin, BigInteger).label("begin"),
                literal(end, BigInteger).label("end"),
            )
            for day, (begin, end) in zip(days, pairwise(bounds), strict=True)
        )
    ).subquery("day")
    last = case((Interval.counted_s < day.c.end, Interval.counted_s), else_=day.c.end)
    first = case((Interval.begin_s > day.c.begin, Interval.begin_s), else_=day.c.begin)
    held = [getattr(Interval, name) for name in _HELD]
    parts = (
        select(
            day.c.day,
            day.c.tariff,
            Interval.accounts,
            Interval.profile,
            *held,
            case((last > first, last - first), else_=0).label("seconds"),
            case((Interval.begin_s >= day.c.begin, 1), else_=0).label("starts"),
        )
        .select_from(day)
        .join(Interval, (Interval.begin_s >= day.c.begin - longest) & (Interval.begin_s < day.c.end))
        .where(*_touching(ledger, days, longest), Interval.counted_s >= day.c.begin)
        .subquery("part")
    )
    kind: ColumnElement[Any]
    name: ColumnElement[Any]
    if ledger.database.is_sqlite:
        accounts = func.json_each(parts.c.accounts).table_valued("value", name="account")
        kind, name = (func.json_extract(accounts.c.value, path) for path in ("$[0]", "$[1]"))
    else:
        accounts = func.json_array_elements(parts.c.accounts).table_valued("value", name="account")
        kind, name = (accounts.c.value.op("->>")(index) for index in (0, 1))
    seconds = parts.c.seconds
    amounts = [seconds, *(seconds * each for each in (parts.c.cpu, parts.c.memory, parts.c.gpu, _PRICE.c.rate))]
    key = (kind.label("kind"), name.label("name"), parts.c.day, parts.c.profile, parts.c.gpu_type)
    same = [parts.c[each] == _PRICE.c[each] for each in ("tariff", *_HELD)]
    return (
        select(*key, *(func.sum(each) for each in amounts), func.sum(parts.c.starts))
        .select_from(parts)
        .join(_PRICE, and_(*same))
        .join(accounts, true())
        .where((seconds > 0) | (parts.c.starts > 0))
        .group_by(*key)
    )


def _over(table: SumTable, hub: str, rows: Any) -> Select[Any]:
    """Return the rows that a table should have, from rows that have its keys and perhaps more."""
    keys = [rows.c[column.name] for column in table.__table__.primary_key if column.name != "hub"]
    sums = [func.sum(rows.c[name]).label(name) for name in SUMS]
    return select(literal(hub).label("hub"), *keys, *sums).group_by(*keys)


async def _compared(
    session: AsyncSession, table: SumTable, these: tuple[ColumnElement[bool], ...], truth: Select[Any], write: bool
) -> list[Difference]:
    """Return where rows of a table are not what is true, and put these in their place where ``write``."""
    names = [column.name for column in table.__table__.primary_key]
    nothing = [literal(0, BigInteger) for _ in SUMS]
    right = truth.subquery()
    both = union_all(
        select(
            *(getattr(table, name) for name in names),
            *(getattr(table, name).label(f"kept_{name}") for name in SUMS),
            *(each.label(f"true_{name}") for name, each in zip(SUMS, nothing, strict=True)),
        ).where(*these),
        select(*(right.c[name] for name in names), *nothing, *(right.c[name] for name in SUMS)),
    ).subquery()
    keys = [both.c[name] for name in names]
    kept, is_true = ([func.sum(both.c[f"{side}_{name}"]) for name in SUMS] for side in ("kept", "true"))
    query = (
        select(*keys, *kept, *is_true)
        .group_by(*keys)
        .having(or_(*(a != b for a, b in zip(kept, is_true, strict=True))))
        .order_by(*keys)
    )
    width, middle = len(names), len(names) + len(SUMS)
    rows = await session.stream(query.execution_options(yield_per=_CHUNK))
    differences = [
        Difference(
            table.__tablename__,
            tuple(row[:width]),
            tuple(map(int, row[width:middle])),  # PostgreSQL adds whole numbers up to a Decimal
            tuple(map(int, row[middle:])),
        )
        async for some in rows.partitions()
        for row in some
    ]
    if differences and write:
        await session.execute(delete(table).where(*these))
        await session.execute(insert(table).from_select([*names, *SUMS], truth))
    return differences
