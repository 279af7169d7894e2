"""What the ledger knows of a person, and how it forgets her: totals stay."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from .ledger import SUMS, Ledger, add_sums, seconds_of
from .tables import (
    CLOSED,
    DROPPED,
    ByDay,
    ByMonth,
    ByProfile,
    Grant,
    Horizon,
    Interval,
    Live,
    Member,
    Notice,
    SumTable,
)
from .windows import day_start, local_day

NAMED = (ByProfile, ByDay, ByMonth, Grant, Notice, Live)
"""Tables in which a person stands as the account (kind, name)."""


async def export(session: AsyncSession, username: str) -> dict[str, Any]:
    """Return every row about a person, for her right of access."""
    found: dict[str, Any] = {}
    conditions = [(table, (table.kind == "person") & (table.name == username)) for table in NAMED]
    own = [(Interval, Interval.user == username), (Member, Member.user == username), *conditions]
    for table, condition in own:
        columns = [column.key for column in table.__table__.columns]
        rows = (await session.scalars(select(table).where(condition))).all()
        found[table.__tablename__] = [{name: getattr(row, name) for name in columns} for row in rows]
    given = (await session.scalars(select(Grant).where(Grant.granted_by == username))).all()
    found["quotas_grant_given"] = [{"id": grant.id, "granted_s": grant.granted_s} for grant in given]
    return found


async def erase(session: AsyncSession, username: str, pseudonym: str) -> None:
    """Put a pseudonym in the place of a person; all sums stay. May be run twice.

    What still runs stays hers until it has ended: stop her servers before, or run it again afterwards.
    """
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    for table in (ByProfile, ByDay, ByMonth):
        await _move_sums(session, table, username, pseudonym, is_sqlite)
    await session.execute(delete(Member).where(Member.user == username))
    await session.execute(delete(Notice).where(Notice.kind == "person", Notice.name == username))
    await session.execute(update(Grant).where(Grant.granted_by == username).values(granted_by=pseudonym))
    await session.execute(
        update(Grant).where(Grant.kind == "person", Grant.name == username).values(name=pseudonym, reason="-")
    )
    over = (Interval.user == username, Interval.state.in_((CLOSED, DROPPED)))
    for interval in (await session.scalars(select(Interval).where(*over))).all():
        interval.user, interval.server = pseudonym, f"{interval.id}"  # a key stays a key
        interval.accounts = [
            [kind, pseudonym if kind == "person" and name == username else name] for kind, name in interval.accounts
        ]


async def _move_sums(session: AsyncSession, table: SumTable, username: str, pseudonym: str, is_sqlite: bool) -> None:
    keys = [column.name for column in table.__table__.primary_key]
    hers = (table.kind == "person", table.name == username)
    rows = {
        tuple(pseudonym if name == "name" else getattr(row, name) for name in keys): {
            column: getattr(row, column) for column in SUMS
        }
        for row in (await session.scalars(select(table).where(*hers))).all()
    }
    await session.execute(delete(table).where(*hers))
    await add_sums(session, is_sqlite, table, rows)


async def prune(ledger: Ledger, before: datetime) -> int:
    """Delete intervals that ended before the local day of a moment; return how many. Sums stay."""
    day = local_day(before, ledger.prices.zone)
    begin = seconds_of(day_start(day, ledger.prices.zone))
    async with ledger.writing() as session:
        over = [
            Interval.hub == ledger.hub,
            Interval.state.in_((CLOSED, DROPPED)),
            Interval.ended_s < begin,
        ]
        count = int((await session.execute(select(func.count()).select_from(Interval).where(*over))).scalar() or 0)
        if not count:
            return 0
        await session.execute(delete(Interval).where(*over))
        await session.execute(delete(Member).where(Member.hub == ledger.hub, Member.started_s < begin))
        horizon = await session.get(Horizon, ledger.hub)
        if horizon is None:
            session.add(Horizon(hub=ledger.hub, day=day))
        else:
            horizon.day = max(horizon.day, day)
    return count
