"""The tables of the usage ledger. Moments: seconds (``_s``) or microseconds (``_us``) since 1970.

Amounts are the whole numbers of `pricing.Usage`, so that a sum kept here is the sum of its intervals to the
last digit, and ``quotas rebuild`` can compare them.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import JSON, BigInteger, Boolean, Date, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from ..storage import Base

_Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up by itself for INTEGER keys only

PLACE = "place"
"""Held for a start that is not confirmed yet; nothing is counted."""
RUNNING = "running"
CLOSED = "closed"
"""Ran, and has ended."""
DROPPED = "dropped"
"""A place that was given back: nothing ran."""


class Interval(Base):
    """One start of one server: its place, then the time for which it ran."""

    __tablename__ = "quotas_interval"
    __table_args__ = (
        UniqueConstraint("hub", "user", "server", "started_us"),
        Index("ix_quotas_interval_open", "hub", "state"),
        Index("ix_quotas_interval_begin", "hub", "begin_s"),
        Index("ix_quotas_interval_ended", "hub", "ended_s"),
    )

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    hub: Mapped[str] = mapped_column(String(63))
    user: Mapped[str] = mapped_column(String(255))
    server: Mapped[str] = mapped_column(String(255))
    started_us: Mapped[int] = mapped_column(BigInteger)
    """The hub's `started`, exactly: the key."""
    state: Mapped[str] = mapped_column(String(8))
    profile: Mapped[str] = mapped_column(String(63))
    cpu: Mapped[int] = mapped_column(BigInteger)
    """Thousandths of a core."""
    memory: Mapped[int] = mapped_column(BigInteger)
    """MiB."""
    gpu: Mapped[int] = mapped_column(Integer)
    gpu_type: Mapped[str] = mapped_column(String(64))
    """Empty: no GPU, or one without a type."""
    price_class: Mapped[str] = mapped_column(String(42), default="", server_default="")
    """The profile's class in the tariff, as it was at the start; empty: none."""
    rate: Mapped[int] = mapped_column(BigInteger)
    """Millionths of a unit per hour, by the tariff of the day that was counted last."""
    begin_s: Mapped[int] = mapped_column(BigInteger)
    counted_s: Mapped[int] = mapped_column(BigInteger)
    """All time before this moment is in the sums: changed in one transaction with them, never backwards."""
    ended_s: Mapped[int | None] = mapped_column(BigInteger)
    expires_s: Mapped[int | None] = mapped_column(BigInteger)
    """When a place lapses."""
    closed_by: Mapped[str | None] = mapped_column(String(8))
    """``release`` (the spawner said so), ``hub`` (seen there) or ``expiry`` (of a place)."""
    accounts: Mapped[list[list[str]]] = mapped_column(JSON)
    """Who is charged: [kind, name] of each, as they were at the start."""


class Live(Base):
    """The accounts of intervals that are not over: what is held is summed from here, never from history."""

    __tablename__ = "quotas_live"
    __table_args__ = (Index("ix_quotas_live_account", "hub", "kind", "name"),)

    interval_id: Mapped[int] = mapped_column(ForeignKey("quotas_interval.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12), primary_key=True)
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    hub: Mapped[str] = mapped_column(String(63))


class Member(Base):
    """Who started something on an account that people share, and when last: whom its manager sees."""

    __tablename__ = "quotas_member"
    __table_args__ = (Index("ix_quotas_member_user", "hub", "user"),)

    hub: Mapped[str] = mapped_column(String(63), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12), primary_key=True)
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    user: Mapped[str] = mapped_column(String(255), primary_key=True)
    started_s: Mapped[int] = mapped_column(BigInteger)


class _Sums:
    seconds: Mapped[int] = mapped_column(BigInteger)
    cpu: Mapped[int] = mapped_column(BigInteger)
    memory: Mapped[int] = mapped_column(BigInteger)
    gpu: Mapped[int] = mapped_column(BigInteger)
    cost: Mapped[int] = mapped_column(BigInteger)
    starts: Mapped[int] = mapped_column(Integer)
    """Servers that began to run on this day."""


class ByProfile(_Sums, Base):
    """What an account used on a local day, by profile and type of GPU: for pages and exports."""

    __tablename__ = "quotas_by_profile"
    __table_args__ = (Index("ix_quotas_by_profile_day", "hub", "day"),)

    hub: Mapped[str] = mapped_column(String(63), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12), primary_key=True)
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    profile: Mapped[str] = mapped_column(String(63), primary_key=True)
    gpu_type: Mapped[str] = mapped_column(String(64), primary_key=True)


class ByDay(_Sums, Base):
    """What an account used on a local day, by type of GPU: the ends of windows are read from it."""

    __tablename__ = "quotas_by_day"
    __table_args__ = (Index("ix_quotas_by_day_day", "hub", "day"),)

    hub: Mapped[str] = mapped_column(String(63), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12), primary_key=True)
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    gpu_type: Mapped[str] = mapped_column(String(64), primary_key=True)


class ByMonth(_Sums, Base):
    """What an account used in a local month, by type of GPU, the sum of its days: windows are read from months."""

    __tablename__ = "quotas_by_month"
    __table_args__ = (Index("ix_quotas_by_month_month", "hub", "month"),)

    hub: Mapped[str] = mapped_column(String(63), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12), primary_key=True)
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    month: Mapped[date] = mapped_column(Date, primary_key=True)
    """Its first day."""
    gpu_type: Mapped[str] = mapped_column(String(64), primary_key=True)


SumTable = type[ByProfile] | type[ByDay] | type[ByMonth]


class Grant(Base):
    """More of something for an account, for a time, given by somebody for a reason."""

    __tablename__ = "quotas_grant"
    __table_args__ = (Index("ix_quotas_grant_account", "hub", "kind", "name"),)

    id: Mapped[int] = mapped_column(_Id, primary_key=True, autoincrement=True)
    hub: Mapped[str] = mapped_column(String(63))
    kind: Mapped[str] = mapped_column(String(12))
    name: Mapped[str] = mapped_column(String(255))
    measure: Mapped[str] = mapped_column(String(12))
    gpu_type: Mapped[str] = mapped_column(String(64))
    """For GPU-hours: the type they count for; empty: the limit over all types."""
    amount: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(String(500))
    granted_by: Mapped[str] = mapped_column(String(255))
    granted_s: Mapped[int] = mapped_column(BigInteger)
    begins_s: Mapped[int] = mapped_column(BigInteger)
    ends_s: Mapped[int] = mapped_column(BigInteger)
    """First second at which it no longer counts; withdrawn early: set to that moment."""


class Notice(Base):
    """Since when an account has reached a percentage of a limit; gone as soon as it has not."""

    __tablename__ = "quotas_notice"

    hub: Mapped[str] = mapped_column(String(63), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12), primary_key=True)
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    rule: Mapped[str] = mapped_column(String(63), primary_key=True)
    counts: Mapped[str] = mapped_column(String(120), primary_key=True)
    """Which limit of the budget: window, measure and type of GPU."""
    percent: Mapped[int] = mapped_column(Integer, primary_key=True)
    since_s: Mapped[int] = mapped_column(BigInteger)
    mailed: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether the person was written to, or nobody could be."""


class ClockOffset(Base):
    """How far a machine's wall clock was ahead of its monotonic one when it was last known to be right."""

    __tablename__ = "quotas_clock"

    hub: Mapped[str] = mapped_column(String(63), primary_key=True)
    boot: Mapped[str] = mapped_column(String(64), primary_key=True)
    """The boot of the machine since which its monotonic clock runs."""
    offset_ms: Mapped[int] = mapped_column(BigInteger)
    right_s: Mapped[int] = mapped_column(BigInteger)


class Horizon(Base):
    """The first local day whose intervals are all still kept: older sums can't be computed again."""

    __tablename__ = "quotas_horizon"

    hub: Mapped[str] = mapped_column(String(63), primary_key=True)
    day: Mapped[date] = mapped_column(Date)
