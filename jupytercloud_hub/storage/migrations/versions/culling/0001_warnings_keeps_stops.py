"""Warnings, "keep it", reports of activity, stops and the culler's own state."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from jupytercloud_hub.storage.base import UtcDateTime

revision = "culling_0001"
down_revision = None
branch_labels = ("culling",)
depends_on = None

NAME = sa.String(255)


def _start() -> list[sa.Column[Any]]:
    return [
        sa.Column("user", NAME, primary_key=True),
        sa.Column("server", NAME, primary_key=True),
        sa.Column("started", UtcDateTime, primary_key=True),
    ]


def upgrade() -> None:
    op.create_table(
        "culling_warning",
        *_start(),
        sa.Column("asker", sa.String(16), primary_key=True),
        sa.Column("warned_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "culling_kept",
        *_start(),
        sa.Column("times", sa.Integer, nullable=False),
        sa.Column("until", UtcDateTime, nullable=False),
    )
    op.create_table(
        "culling_activity",
        *_start(),
        sa.Column("reported_at", UtcDateTime, nullable=False),
        sa.Column("active_at", UtcDateTime, nullable=False),
        sa.Column("busy", sa.JSON, nullable=False),
    )
    op.create_table(
        "culling_stopped",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("user", NAME, nullable=False),
        sa.Column("server", NAME, nullable=False),
        sa.Column("started", UtcDateTime, nullable=False),
        sa.Column("stopped_at", UtcDateTime, nullable=False),
        sa.Column("cause", sa.String(16), nullable=False),
        sa.Column("rule", sa.String(63), nullable=False),
        sa.Column("reason", sa.JSON, nullable=False),
    )
    op.create_index("ix_culling_stopped_user_stopped_at", "culling_stopped", ["user", "stopped_at"])
    op.create_index("ix_culling_stopped_stopped_at", "culling_stopped", ["stopped_at"])
    op.create_table(
        "culling_state",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    for table in ("state", "stopped", "activity", "kept", "warning"):
        op.drop_table(f"culling_{table}")
