"""Home sites: which site holds a person's files. Set once, moved by nobody but an operator, with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import String, delete, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from ..contracts.person import Person
from ..storage.base import Base, UtcDateTime

FIRST_VISIT = "first visit"
SEEN_EVERY = timedelta(days=1)
"""``last_seen`` is written at most this often: it only serves the retention."""


class HomeSiteRow(Base):
    """One person's home site."""

    __tablename__ = "federation_home_site"

    key: Mapped[str] = mapped_column(String(300), primary_key=True)
    person: Mapped[str | None] = mapped_column(String(255), index=True)
    username: Mapped[str | None] = mapped_column(String(255), index=True)
    site: Mapped[str] = mapped_column(String(64), index=True)
    set_at: Mapped[datetime] = mapped_column(UtcDateTime)
    set_by: Mapped[str] = mapped_column(String(255))
    reason: Mapped[str] = mapped_column(String(500), default="")
    last_seen: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


@dataclass(frozen=True)
class HomeSite:
    """A home site as it is shown: ``person`` is the federation-wide identifier, ``username`` the portal's."""

    person: str | None
    username: str | None
    site: str
    set_at: datetime
    set_by: str
    reason: str


def key_of(person: str | None, username: str | None) -> str:
    """Return the row's key: the identifier that is the same at every hub, else the portal's own username."""
    if person:
        return f"person:{person}"
    if username:
        return f"username:{username}"
    raise ValueError("a person or a username is needed")


async def of(session: AsyncSession, person: Person, now: datetime) -> str | None:
    """Return the person's home site, or None; that she was here is noted once a day.

    Who was known by her username only, and now has an identifier, keeps her home site.
    """
    keys = [key_of(person.person, person.username), key_of(None, person.username)]
    rows = (await session.scalars(select(HomeSiteRow).where(HomeSiteRow.key.in_(keys)))).all()
    row = min(rows, key=lambda found: keys.index(found.key), default=None)
    if row is None:
        return None
    if now - row.last_seen > SEEN_EVERY:
        row.last_seen = now
        row.username = person.username
    return row.site


async def set_first(session: AsyncSession, person: Person, site: str, now: datetime) -> str:
    """Make ``site`` her home unless she has one; return the home that she has in the end."""
    values = {
        "key": key_of(person.person, person.username),
        "person": person.person,
        "username": person.username,
        "site": site,
        "set_at": now,
        "set_by": FIRST_VISIT,
        "reason": "",
        "last_seen": now,
    }
    await session.execute(_insert(session)(HomeSiteRow).values(**values).on_conflict_do_nothing())
    home = await of(session, person, now)
    assert home is not None
    return home


async def move(session: AsyncSession, home: HomeSite, now: datetime, *, only_new: bool = False) -> HomeSite | None:
    """Set a home site by an operator's hand; return the one before it. ``only_new`` leaves one that is there."""
    before = await get(session, person=home.person, username=home.username)
    if before and only_new:
        return before
    if before:
        where = HomeSiteRow.key.in_([key_of(before.person, None)] if before.person else [key_of(None, before.username)])
        await session.execute(
            update(HomeSiteRow).where(where).values(site=home.site, set_at=now, set_by=home.set_by, reason=home.reason)
        )
    else:
        await session.execute(
            insert(HomeSiteRow).values(
                key=key_of(home.person, home.username),
                person=home.person,
                username=home.username,
                site=home.site,
                set_at=now,
                set_by=home.set_by,
                reason=home.reason,
                last_seen=now,
            )
        )
    return before


async def get(session: AsyncSession, *, person: str | None = None, username: str | None = None) -> HomeSite | None:
    """Return one home site by either name."""
    wanted = [HomeSiteRow.person == person] if person else []
    wanted += [HomeSiteRow.username == username] if username else []
    row = (await session.scalars(select(HomeSiteRow).where(or_(*wanted)).limit(1))).first()
    return _shown(row) if row else None


async def listed(
    session: AsyncSession, *, site: str | None = None, after: str = "", limit: int = 200
) -> tuple[list[HomeSite], str | None]:
    """Return a page of home sites and the key to go on after (None: it was the last page)."""
    query = select(HomeSiteRow).where(HomeSiteRow.key > after).order_by(HomeSiteRow.key).limit(limit + 1)
    if site:
        query = query.where(HomeSiteRow.site == site)
    rows = list((await session.scalars(query)).all())
    more = rows[limit - 1].key if len(rows) > limit else None
    return [_shown(row) for row in rows[:limit]], more


async def forget(session: AsyncSession, *, person: str | None = None, username: str | None = None) -> bool:
    """Take a home site away; the next ordinary visit sets a new one."""
    wanted = [HomeSiteRow.person == person] if person else []
    wanted += [HomeSiteRow.username == username] if username else []
    result: Any = await session.execute(delete(HomeSiteRow).where(or_(*wanted)))
    return bool(result.rowcount)


async def forget_older(session: AsyncSession, before: datetime) -> int:
    """Take away the home sites of people who were not seen since ``before``; return how many."""
    result: Any = await session.execute(delete(HomeSiteRow).where(HomeSiteRow.last_seen < before))
    return int(result.rowcount)


def _insert(session: AsyncSession) -> Any:
    return sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert


def _shown(row: HomeSiteRow) -> HomeSite:
    return HomeSite(row.person, row.username, row.site, row.set_at, row.set_by, row.reason)
