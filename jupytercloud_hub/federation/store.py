"""What the portal keeps about one person, for `person export` and `person erase`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from . import homes
from .homes import HomeSiteRow
from .registry import AuditRow, OrderRow


def targets(username: str, person: str | None) -> list[str]:
    """Return how the audit trail names a person."""
    return [homes.key_of(None, username), *([homes.key_of(person, None)] if person else [])]


async def export(session: AsyncSession, username: str) -> dict[str, Any]:
    """Return all that is kept about a person."""
    home = await homes.get(session, username=username)
    named = targets(username, home.person if home else None)
    rows = await session.scalars(select(AuditRow).where(or_(AuditRow.who == username, AuditRow.target.in_(named))))
    return {
        "home_site": {
            "person": home.person,
            "site": home.site,
            "set_at": home.set_at.isoformat(),
            "set_by": home.set_by,
            "reason": home.reason,
        }
        if home
        else None,
        "audit": [
            {"at": row.at.isoformat(), "who": row.who, "what": row.what, "target": row.target, "why": row.why}
            for row in rows.all()
        ],
    }


async def erase(session: AsyncSession, username: str, pseudonym: str) -> None:
    """Forget a person's home site; the audit trail keeps what was done, under the pseudonym. Can be run twice."""
    home = await homes.get(session, username=username)
    named = targets(username, home.person if home else None)
    await homes.forget(session, username=username)
    await session.execute(update(HomeSiteRow).where(HomeSiteRow.set_by == username).values(set_by=pseudonym))
    await session.execute(update(OrderRow).where(OrderRow.set_by == username).values(set_by=pseudonym))
    await session.execute(update(AuditRow).where(AuditRow.who == username).values(who=pseudonym))
    await session.execute(update(AuditRow).where(AuditRow.target.in_(named)).values(target=pseudonym))
