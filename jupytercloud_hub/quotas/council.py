"""Usage of a period for a council: sums by month, account and profile; pseudonyms, and no small groups.

A row about a group, an organization or the hub is shown only where at least ``privacy.smallest_group`` different
people are behind it. The others of the same month and kind are added up in a row named `OTHERS`, which is itself
left out if too few people are behind it. People stand under a pseudonym, a keyed hash: the same person has the
same one in every export of a hub, and nobody finds her name without the hub's key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import date

from pydantic import Field
from sqlalchemy import TEXT, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ..contracts.model import Model
from ..settings.quotas import AccountKind
from .ledger import SUMS, Ledger
from .pricing import Usage
from .tables import CLOSED, RUNNING, ByProfile, Interval
from .windows import day_start, next_month

OTHERS = "others"
_CHUNK = 2000


class UsageRow(Model):
    """One line of an export; hours and units with six digits after the point."""

    month: str = Field(description="2026-11, on the hub's clock.")
    account: AccountKind
    name: str = Field(description="The account; a pseudonym for a person.")
    profile: str
    gpu_type: str | None
    people: int = Field(description="Different people behind the row.")
    units: float
    server_hours: float
    cpu_hours: float
    memory_hours: float = Field(description="GiB-hours.")
    gpu_hours: float
    starts: int


@dataclass
class _Row:
    usage: Usage
    starts: int
    people: set[str]


_Key = tuple[str, str, str, str]
"""Kind, name, profile, type of GPU."""


def pseudonym(key: bytes, hub: str, username: str) -> str:
    """Return the name under which a person stands in exports: 64 bits of an HMAC-SHA-256 (RFC 2104)."""
    return "p-" + hmac.new(key, f"{hub}\0{username}".encode(), hashlib.sha256).hexdigest()[:16]


async def council_rows(
    ledger: Ledger,
    first: date,
    end: date,
    kinds: Iterable[AccountKind],
    smallest_group: int,
    named: Callable[[str], str],
) -> AsyncIterator[UsageRow]:
    """Yield the rows of a period (``end`` left out), month by month; ``named`` gives people's pseudonyms.

    The memory used is that of one month's rows and of the names behind them.
    """
    while first < end:
        following = min(next_month(first), end)
        async with ledger.database.reading() as session:
            rows = await _sums(session, ledger, first, following, tuple(kinds))
            await _people(session, ledger, first, following, rows)
        month = f"{first:%Y-%m}"
        people_rows = {key: row for key, row in rows.items() if key[0] == "person"}
        shared = {key: row for key, row in rows.items() if key[0] != "person"}
        for (_, name, profile, gpu_type), row in sorted(people_rows.items(), key=lambda item: named(item[0][1])):
            yield _row(month, "person", named(name), profile, gpu_type, row)
        for (kind, name, profile, gpu_type), row in _without_small(shared, smallest_group):
            yield _row(month, kind, name, profile, gpu_type, row)
        first = following


async def _sums(
    session: AsyncSession, ledger: Ledger, first: date, end: date, kinds: tuple[AccountKind, ...]
) -> dict[_Key, _Row]:
    query = (
        select(
            ByProfile.kind,
            ByProfile.name,
            ByProfile.profile,
            ByProfile.gpu_type,
            *(func.sum(getattr(ByProfile, column)) for column in SUMS),
        )
        .where(
            ByProfile.hub == ledger.hub,
            ByProfile.kind.in_(kinds),
            ByProfile.day >= first,
            ByProfile.day < end,
        )
        .group_by(ByProfile.kind, ByProfile.name, ByProfile.profile, ByProfile.gpu_type)
    )
    rows = {}
    for kind, name, profile, gpu_type, *sums in (await session.execute(query)).all():
        *amounts, starts = (int(each) for each in sums)
        people = {name} if kind == "person" else set()
        rows[(kind, name, profile, gpu_type)] = _Row(Usage(*amounts), starts, people)
    return rows


async def _people(session: AsyncSession, ledger: Ledger, first: date, end: date, rows: dict[_Key, _Row]) -> None:
    """Note who is behind each row, as far as intervals are kept."""
    zone = ledger.prices.zone
    query = (
        select(Interval.user, Interval.profile, Interval.gpu_type, cast(Interval.accounts, TEXT))
        .where(
            Interval.hub == ledger.hub,
            Interval.state.in_((RUNNING, CLOSED)),
            Interval.begin_s < int(day_start(end, zone).timestamp()),
            Interval.counted_s >= int(day_start(first, zone).timestamp()),
        )
        .distinct()
        .execution_options(yield_per=_CHUNK)
    )
    read = await session.stream(query)
    async for some in read.partitions():
        for user, profile, gpu_type, accounts in some:
            for kind, name in json.loads(accounts):
                row = rows.get((kind, name, profile, gpu_type))
                if row is not None:
                    row.people.add(user)


def _without_small(rows: dict[_Key, _Row], smallest: int) -> list[tuple[_Key, _Row]]:
    shown: list[tuple[_Key, _Row]] = []
    others: dict[str, _Row] = {}
    for key, row in sorted(rows.items()):
        if len(row.people) >= smallest:
            shown.append((key, row))
            continue
        rest = others.setdefault(key[0], _Row(Usage(), 0, set()))
        rest.usage += row.usage
        rest.starts += row.starts
        rest.people |= row.people
    shown += [((kind, OTHERS, OTHERS, ""), row) for kind, row in sorted(others.items()) if len(row.people) >= smallest]
    return shown


def _row(month: str, kind: str, name: str, profile: str, gpu_type: str, row: _Row) -> UsageRow:
    usage = row.usage
    return UsageRow(
        month=month,
        account=kind,
        name=name,
        profile=profile,
        gpu_type=gpu_type or None,
        people=len(row.people),
        units=round(usage.measured("units"), 6),
        server_hours=round(usage.seconds / 3600, 6),
        cpu_hours=round(usage.measured("cpu_hours"), 6),
        memory_hours=round(usage.measured("memory_hours"), 6),
        gpu_hours=round(usage.measured("gpu_hours"), 6),
        starts=row.starts,
    )
