"""What operators keep at the portal: registered sites, their keys, drain and maintenance, history, the audit trail."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Index, String, delete, func, select
from sqlalchemy import Text as SqlText
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from ..contracts.heartbeat import Notice
from ..settings.federation import FederationSite
from ..storage.base import Base, UtcDateTime
from .health import Order
from .live import LiveRow
from .model import SiteState
from .signing import key_id

JOIN_LIFE = timedelta(days=2)
"""How long a join token waits for its site."""
KEY_OVERLAP = timedelta(hours=1)
"""How long a site's former key is still good after a rotation."""


class SiteRow(Base):
    """A site that was registered while the portal runs; sites of the settings file are not here."""

    __tablename__ = "federation_site"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    model: Mapped[str] = mapped_column(SqlText)
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)


class KeyRow(Base):
    """A public key of a site; the key of the settings file is not here."""

    __tablename__ = "federation_site_key"

    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    site: Mapped[str] = mapped_column(String(64), index=True)
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class JoinRow(Base):
    """A token with which a site brings its key, once; only its hash is kept."""

    __tablename__ = "federation_join"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    site: Mapped[str] = mapped_column(String(64))
    expires: Mapped[datetime] = mapped_column(UtcDateTime)


class OrderRow(Base):
    """Drain or maintenance that was ordered at the portal."""

    __tablename__ = "federation_order"

    site: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    message: Mapped[str | None] = mapped_column(SqlText)
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    set_at: Mapped[datetime] = mapped_column(UtcDateTime)
    set_by: Mapped[str] = mapped_column(String(255))


class TransitionRow(Base):
    """A site went into a state."""

    __tablename__ = "federation_transition"
    __table_args__ = (Index("ix_federation_transition_site_at", "site", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    site: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(500))


class AuditRow(Base):
    """Who did what, when, why."""

    __tablename__ = "federation_audit"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    who: Mapped[str] = mapped_column(String(255), index=True)
    what: Mapped[str] = mapped_column(String(64))
    target: Mapped[str] = mapped_column(String(300))
    why: Mapped[str] = mapped_column(String(500))


class SeenTokenRow(Base):
    """A heartbeat's ``jti`` that was used, until it expires."""

    __tablename__ = "federation_seen_token"

    site: Mapped[str] = mapped_column(String(64), primary_key=True)
    jti: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


@dataclass(frozen=True)
class Transition:
    """A site's history, one step."""

    site: str
    at: datetime
    state: SiteState
    reason: str


@dataclass(frozen=True)
class Audited:
    """One entry of the audit trail."""

    at: datetime
    who: str
    what: str
    target: str
    why: str


async def sites(session: AsyncSession) -> list[FederationSite]:
    """Return the registered sites."""
    rows = (await session.scalars(select(SiteRow).order_by(SiteRow.name))).all()
    return [FederationSite.model_validate_json(row.model) for row in rows]


async def put_site(session: AsyncSession, site: FederationSite, now: datetime) -> None:
    """Add a site, or change it."""
    row = await session.get(SiteRow, site.name)
    if row is None:
        session.add(SiteRow(name=site.name, model=site.model_dump_json(), added_at=now))
    else:
        row.model = site.model_dump_json()


async def remove_site(session: AsyncSession, name: str) -> bool:
    """Take a registered site away, with its keys, orders and join tokens; its history stays."""
    for table in (KeyRow, JoinRow, OrderRow, LiveRow):
        await session.execute(delete(table).where(table.site == name))
    result: Any = await session.execute(delete(SiteRow).where(SiteRow.name == name))
    return bool(result.rowcount)


async def keys(session: AsyncSession, now: datetime) -> dict[str, list[str]]:
    """Return the public keys that are good now, by site."""
    found: dict[str, list[str]] = {}
    for row in (await session.scalars(select(KeyRow).order_by(KeyRow.added_at.desc()))).all():
        if row.ends_at is None or now < row.ends_at:
            found.setdefault(row.site, []).append(row.key)
    return found


async def add_key(session: AsyncSession, site: str, key: str, now: datetime, old_until: datetime) -> bool:
    """Give a site a new key; its older ones are good until ``old_until``. False: another site has this key."""
    taken = await session.get(KeyRow, key)
    if taken is not None and taken.site != site:
        return False
    for row in (await session.scalars(select(KeyRow).where(KeyRow.site == site))).all():
        if row.key != key and (row.ends_at is None or row.ends_at > old_until):
            row.ends_at = old_until
    if taken is None:
        session.add(KeyRow(key=key, site=site, added_at=now))
    else:
        taken.ends_at = None
    return True


async def orders(session: AsyncSession, now: datetime) -> dict[str, tuple[Order, ...]]:
    """Return what operators ordered and is in force, by site."""
    found: dict[str, tuple[Order, ...]] = {}
    for row in (await session.scalars(select(OrderRow))).all():
        notice = Notice.model_validate(
            {"message": json.loads(row.message) if row.message else None, "until": row.until}
        )
        if notice.holds(now):
            found[row.site] = (*found.get(row.site, ()), Order(SiteState(row.kind), notice))
    return found


async def put_order(session: AsyncSession, site: str, order: Order, now: datetime, who: str) -> None:
    """Order drain or maintenance, or change the order."""
    dumped = order.notice.model_dump(mode="json")["message"]
    row = OrderRow(
        site=site,
        kind=order.kind.value,
        message=json.dumps(dumped) if dumped else None,
        until=order.notice.until,
        set_at=now,
        set_by=who,
    )
    await session.merge(row)


async def remove_order(session: AsyncSession, site: str, kind: SiteState) -> bool:
    """Take an order back."""
    result: Any = await session.execute(delete(OrderRow).where(OrderRow.site == site, OrderRow.kind == kind.value))
    return bool(result.rowcount)


async def note_transition(session: AsyncSession, step: Transition) -> None:
    """Keep one step of a site's history."""
    session.add(TransitionRow(site=step.site, at=step.at, state=step.state.value, reason=step.reason[:500]))


async def history(session: AsyncSession, since: datetime, names: Sequence[str]) -> Mapping[str, list[Transition]]:
    """Return each site's steps since then, oldest first, led by the step that was in force at ``since``."""
    found: dict[str, list[Transition]] = {name: [] for name in names}
    for name in names:
        before = select(TransitionRow).where(TransitionRow.site == name, TransitionRow.at < since)
        first = (
            await session.scalars(before.order_by(TransitionRow.at.desc(), TransitionRow.id.desc()).limit(1))
        ).first()
        after = select(TransitionRow).where(TransitionRow.site == name, TransitionRow.at >= since)
        rows = (await session.scalars(after.order_by(TransitionRow.at, TransitionRow.id))).all()
        for row in (*((first,) if first else ()), *rows):
            found[name].append(Transition(row.site, row.at, SiteState(row.state), row.reason))
    return found


async def note(session: AsyncSession, entry: Audited) -> None:
    """Write one entry of the audit trail."""
    session.add(AuditRow(at=entry.at, who=entry.who, what=entry.what, target=entry.target[:300], why=entry.why[:500]))


async def audit(session: AsyncSession, limit: int = 200, target: str | None = None) -> list[Audited]:
    """Return the newest entries of the audit trail."""
    query = select(AuditRow).order_by(AuditRow.at.desc(), AuditRow.id.desc()).limit(limit)
    if target:
        query = query.where(AuditRow.target == target)
    return [Audited(row.at, row.who, row.what, row.target, row.why) for row in (await session.scalars(query)).all()]


async def first_use(session: AsyncSession, site: str, jti: str, expires: datetime) -> bool:
    """Remember a token's ``jti``; False when it was used before, here or at another replica."""
    dialect: Any = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    statement = dialect.insert(SeenTokenRow).values(site=site, jti=jti, expires=expires).on_conflict_do_nothing()
    return (await session.execute(statement.returning(SeenTokenRow.jti))).first() is not None


async def clean(session: AsyncSession, now: datetime, audit_before: datetime) -> None:
    """Take away what has expired."""
    await session.execute(delete(SeenTokenRow).where(SeenTokenRow.expires < now))
    await session.execute(delete(JoinRow).where(JoinRow.expires < now))
    await session.execute(delete(OrderRow).where(OrderRow.until < now))
    await session.execute(delete(LiveRow).where(LiveRow.at < now - timedelta(days=1)))
    await session.execute(delete(AuditRow).where(AuditRow.at < audit_before))


async def new_join(session: AsyncSession, site: str, now: datetime) -> tuple[str, datetime]:
    """Make a token with which the site brings its key, once; return it and its end. Older ones are worth nothing."""
    await session.execute(delete(JoinRow).where(JoinRow.site == site))
    token, expires = secrets.token_hex(24), now + JOIN_LIFE  # hex: typed on a command line, never taken for an option
    session.add(JoinRow(token_hash=_hash(token), site=site, expires=expires))
    return token, expires


async def use_join(session: AsyncSession, token: str, now: datetime) -> str | None:
    """Return the site that a join token is for, and make it worthless; None: it is no good."""
    statement = delete(JoinRow).where(JoinRow.token_hash == _hash(token)).returning(JoinRow.site, JoinRow.expires)
    row = (await session.execute(statement)).first()
    return row.site if row and now < row.expires else None


async def end_key(session: AsyncSession, site: str, short: str) -> bool:
    """Make a site's key worthless at once; ``short`` is its `key_id`."""
    for row in (await session.scalars(select(KeyRow).where(KeyRow.site == site))).all():
        if key_id(row.key) == short:
            await session.delete(row)
            return True
    return False


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


async def clean_history(session: AsyncSession, before: datetime) -> None:
    """Take away steps from before then, all but the last of each site."""
    latest = select(func.max(TransitionRow.id)).where(TransitionRow.at < before).group_by(TransitionRow.site)
    await session.execute(delete(TransitionRow).where(TransitionRow.at < before, TransitionRow.id.not_in(latest)))
