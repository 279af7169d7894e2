"""What one replica of the portal knows and the others are told: health by the one that probes, heartbeats by all."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import String, select, text
from sqlalchemy import Text as SqlText
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from ..contracts.heartbeat import Heartbeat
from ..contracts.text import Text
from ..storage.base import Base, UtcDateTime
from .health import Health
from .model import SiteState

CHANNEL = "jupytercloud_federation"
"""PostgreSQL's channel (NOTIFY) that says: something is new, read it."""
HEALTH, HEARTBEAT = "health", "heartbeat"


class LiveRow(Base):
    """The newest health, or the newest heartbeat, of a site."""

    __tablename__ = "federation_live"

    site: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    body: Mapped[str] = mapped_column(SqlText)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


async def publish(session: AsyncSession, rows: list[tuple[str, str, str, datetime]]) -> None:
    """Write (site, kind, body, at), each unless there is a newer one, and wake the other replicas (PostgreSQL)."""
    values = [{"site": site, "kind": kind, "body": body, "at": at} for site, kind, body, at in rows]
    statement = postgresql.insert(LiveRow).values(values)
    newer = statement.on_conflict_do_update(
        index_elements=["site", "kind"],
        set_={"body": statement.excluded.body, "at": statement.excluded.at},
        where=LiveRow.at <= statement.excluded.at,
    )
    await session.execute(newer)
    await wake(session)


async def wake(session: AsyncSession) -> None:
    """Tell the other replicas, when the transaction ends, that something is new (PostgreSQL)."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("SELECT pg_notify(:channel, '')"), {"channel": CHANNEL})


async def read(session: AsyncSession) -> tuple[dict[str, Health], dict[str, Heartbeat]]:
    """Return the newest health and the newest heartbeat of each site."""
    health: dict[str, Health] = {}
    heartbeats: dict[str, Heartbeat] = {}
    for row in (await session.scalars(select(LiveRow))).all():
        if row.kind == HEALTH:
            health[row.site] = load_health(row.body)
        elif row.kind == HEARTBEAT:
            heartbeats[row.site] = Heartbeat.model_validate_json(row.body)
    return health, heartbeats


def dump_health(health: Health) -> str:
    """Return a health as JSON."""
    known: dict[str, Any] = {
        "state": health.state.value,
        "good": health.good,
        "bad": health.bad,
        "reason": [health.reason.msgid, {key: str(value) for key, value in health.reason.params.items()}],
        "version": health.version,
    }
    for name in ("since", "probed", "up_since"):
        moment: datetime | None = getattr(health, name)
        known[name] = moment.isoformat() if moment else None
    return json.dumps(known)


def load_health(body: str) -> Health:
    """Return the health that `dump_health` wrote."""
    known = json.loads(body)
    msgid, params = known["reason"]

    def moment(name: str) -> datetime | None:
        return datetime.fromisoformat(known[name]) if known[name] else None

    return Health(
        state=SiteState(known["state"]),
        since=moment("since"),
        good=known["good"],
        bad=known["bad"],
        reason=Text(msgid, **params),
        probed=moment("probed"),
        up_since=moment("up_since"),
        version=known["version"],
    )
