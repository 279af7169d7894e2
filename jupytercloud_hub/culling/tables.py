"""The culler's tables. A server is named with its start: what was said of one start holds for no other."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Float, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from ..storage import Base
from ..storage.base import UtcDateTime

NAME = String(255)  # as long as JupyterHub's own user and server names


class Warning_(Base):  # noqa: N801 - `Warning` is Python's
    """A warning in force: removed when it is withdrawn, kept when the server is stopped."""

    __tablename__ = "culling_warning"

    user: Mapped[str] = mapped_column(NAME, primary_key=True)
    server: Mapped[str] = mapped_column(NAME, primary_key=True)
    started: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    asker: Mapped[str] = mapped_column(String(16), primary_key=True)
    warned_at: Mapped[datetime] = mapped_column(UtcDateTime)
    told: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether the operator's webhook has it."""
    mailed: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether its owner was written to, or nobody could be."""


class Kept(Base):
    """How often and until when a person put a stop off."""

    __tablename__ = "culling_kept"

    user: Mapped[str] = mapped_column(NAME, primary_key=True)
    server: Mapped[str] = mapped_column(NAME, primary_key=True)
    started: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    times: Mapped[int] = mapped_column(Integer)
    until: Mapped[datetime] = mapped_column(UtcDateTime)


class Activity(Base):
    """The last report of our extension in a server."""

    __tablename__ = "culling_activity"

    user: Mapped[str] = mapped_column(NAME, primary_key=True)
    server: Mapped[str] = mapped_column(NAME, primary_key=True)
    started: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    reported_at: Mapped[datetime] = mapped_column(UtcDateTime)
    active_at: Mapped[datetime] = mapped_column(UtcDateTime)
    busy: Mapped[list[str]] = mapped_column(JSON)


class Stopped(Base):
    """A stop that was done, for the person's page: when, and why."""

    __tablename__ = "culling_stopped"
    __table_args__ = (
        Index("ix_culling_stopped_user_stopped_at", "user", "stopped_at"),
        Index("ix_culling_stopped_stopped_at", "stopped_at"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    user: Mapped[str] = mapped_column(NAME)
    server: Mapped[str] = mapped_column(NAME)
    started: Mapped[datetime] = mapped_column(UtcDateTime)
    stopped_at: Mapped[datetime] = mapped_column(UtcDateTime)
    cause: Mapped[str] = mapped_column(String(16))
    rule: Mapped[str] = mapped_column(String(63))
    reason: Mapped[dict[str, str]] = mapped_column(JSON)
    cpu: Mapped[float] = mapped_column(Float, default=0.0)
    memory: Mapped[int] = mapped_column(BigInteger, default=0)
    gpu: Mapped[int] = mapped_column(Integer, default=0)


class State(Base):
    """What the culler itself remembers: when it last read the hub, who runs a pass, a maintenance."""

    __tablename__ = "culling_state"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[dict[str, Any]] = mapped_column(JSON)
