"""What the culler's tables hold about a person: for her right of access, and to forget her."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from .tables import Activity, Kept, Stopped, Warning_

PERSONAL = (Warning_, Kept, Activity, Stopped)


async def export(session: AsyncSession, username: str) -> dict[str, Any]:
    """Return every row about a person, for her right of access."""
    found: dict[str, Any] = {}
    for table in PERSONAL:
        rows = await session.scalars(select(table).where(table.user == username))
        columns = [column.key for column in table.__table__.columns]
        found[table.__tablename__] = [{name: getattr(row, name) for name in columns} for row in rows]
    return found


async def erase(session: AsyncSession, username: str, pseudonym: str) -> None:
    """Forget a person. Stops are counted on under the pseudonym; may be run twice."""
    for table in (Warning_, Kept, Activity):
        await session.execute(delete(table).where(table.user == username))
    await session.execute(update(Stopped).where(Stopped.user == username).values(user=pseudonym))
