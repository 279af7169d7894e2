"""The tables of an event: codes, seats, who waits, who is stuck, what happened in figures, what was purged."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Float, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from ..storage import Base
from ..storage.base import UtcDateTime

ACCOUNT = String(64)
WORD = String(16)


class Code(Base):
    """A code that was handed out, as a keyed hash, and the seat that it opened."""

    __tablename__ = "events_code"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(WORD)
    seat: Mapped[str | None] = mapped_column(ACCOUNT, unique=True)
    """Account whose server it opens, from its first use on."""
    pseudonym: Mapped[str | None] = mapped_column(String(64))
    language: Mapped[str | None] = mapped_column(String(2))
    queued_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Since when a visitor waits for a seat."""
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the page of who waits was last asked for: who is gone holds nobody up."""
    entered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SeatRow(Base):
    """A seat of the event."""

    __tablename__ = "events_seat"

    name: Mapped[str] = mapped_column(ACCOUNT, primary_key=True)
    state: Mapped[str] = mapped_column(WORD)
    """``free``, ``held`` (a code has it), ``reset`` (its visitor is gone, it is being made new)."""
    stuck_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When its visitor asked for somebody to come."""
    failed: Mapped[str | None] = mapped_column(String(255))
    """Why its server did not start the last time."""


class Happened(Base):
    """Something for the report; never who."""

    __tablename__ = "events_happened"
    __table_args__ = (Index(None, "what", "at"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    what: Mapped[str] = mapped_column(WORD)
    seconds: Mapped[float | None] = mapped_column(Float)


class Purged(Base):
    """A step of the purge, noted before it is taken; names no person."""

    __tablename__ = "events_purged"

    step: Mapped[str] = mapped_column(WORD, primary_key=True)
    subject: Mapped[str] = mapped_column(ACCOUNT, primary_key=True)
    count: Mapped[int] = mapped_column(Integer)
    """What there was to remove when it began: so the counts are right after an interruption too."""
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class StateRow(Base):
    """What organizers set, and what the service remembers."""

    __tablename__ = "events_state"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[Any] = mapped_column(JSON)
