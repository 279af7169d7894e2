"""The authenticator's tables; what is done with them stands in `auth.store`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import String

from ..storage import Base
from ..storage.base import UtcDateTime

NAME = String(255)
LONG = String(1024)


class Binding(Base):
    """A username and the one subject it belongs to, from her first login on."""

    __tablename__ = "auth_binding"
    __table_args__ = (UniqueConstraint("issuer", "sub"),)

    username: Mapped[str] = mapped_column(NAME, primary_key=True)
    issuer: Mapped[str] = mapped_column(NAME)
    sub: Mapped[str] = mapped_column(NAME)
    organization: Mapped[str | None] = mapped_column(NAME)
    bound_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Claimable(Base):
    """An account of before, kept for whoever logs in with a given identifier."""

    __tablename__ = "auth_claimable"

    username: Mapped[str] = mapped_column(NAME, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    value: Mapped[str] = mapped_column(LONG, index=True)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ProviderSession(Base):
    """A session at the provider (its ``sid``), for logouts that name no person."""

    __tablename__ = "auth_session"

    issuer: Mapped[str] = mapped_column(NAME, primary_key=True)
    sid: Mapped[str] = mapped_column(NAME, primary_key=True)
    username: Mapped[str] = mapped_column(NAME, index=True)
    begun_at: Mapped[datetime] = mapped_column(UtcDateTime)


class UsedToken(Base):
    """A logout token that was taken, until it ends: one that comes twice is a replay."""

    __tablename__ = "auth_used_token"

    issuer: Mapped[str] = mapped_column(NAME, primary_key=True)
    jti: Mapped[str] = mapped_column(NAME, primary_key=True)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class Retired(Base):
    """The keyed hash of an erased person's username, which nobody gets again."""

    __tablename__ = "auth_retired"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    retired_at: Mapped[datetime] = mapped_column(UtcDateTime)


class RetiredKey(Base):
    """The key of those hashes: one row, made at the first erasure."""

    __tablename__ = "auth_retired_key"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64))


class Guest(Base):
    """An invitation and, once it was accepted, the guest whom it let in."""

    __tablename__ = "auth_guest"
    __table_args__ = (Index("ix_auth_guest_issuer_sub", "issuer", "sub"),)

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of the link's secret (256 random bits), which is kept nowhere."""
    sponsor: Mapped[str] = mapped_column(NAME)
    note: Mapped[str] = mapped_column(NAME)
    groups: Mapped[list[str]] = mapped_column(JSON)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    open_until: Mapped[datetime] = mapped_column(UtcDateTime)
    """Until when the link can be used."""
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """When the guest's account ends."""
    issuer: Mapped[str | None] = mapped_column(NAME)
    sub: Mapped[str | None] = mapped_column(NAME)
    username: Mapped[str | None] = mapped_column(NAME, index=True)
    accepted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the hub took the guest's sessions and tokens away."""


class Leaver(Base):
    """Somebody whose affiliation went, and until when she may log in for her files."""

    __tablename__ = "auth_leaver"

    username: Mapped[str] = mapped_column(NAME, primary_key=True)
    left_at: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime] = mapped_column(UtcDateTime)


class EmergencyLogin(Base):
    """One try of the emergency login."""

    __tablename__ = "auth_emergency"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    username: Mapped[str] = mapped_column(NAME)
    address: Mapped[str] = mapped_column(String(64))
    """Keyed hash of the address that it came from: two tries can be compared, the address cannot be read."""
    reason: Mapped[str] = mapped_column(NAME)
    outcome: Mapped[str] = mapped_column(String(32))
