"""Codes, seats, what happened, what was purged, state."""

import sqlalchemy as sa
from alembic import op

from jupytercloud_hub.storage.base import UtcDateTime

revision = "events_0001"
down_revision = None
branch_labels = ("events",)
depends_on = None

ACCOUNT = sa.String(64)
WORD = sa.String(16)


def upgrade() -> None:
    op.create_table(
        "events_code",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("seat", ACCOUNT, nullable=True),
        sa.Column("pseudonym", sa.String(64), nullable=True),
        sa.Column("language", sa.String(2), nullable=True),
        sa.Column("queued_at", UtcDateTime, nullable=True),
        sa.Column("seen_at", UtcDateTime, nullable=True),
        sa.Column("entered_at", UtcDateTime, nullable=True),
        sa.UniqueConstraint("seat", name="uq_events_code_seat"),
    )
    op.create_table(
        "events_seat",
        sa.Column("name", ACCOUNT, primary_key=True),
        sa.Column("state", WORD, nullable=False),
        sa.Column("stuck_at", UtcDateTime, nullable=True),
        sa.Column("failed", sa.String(255), nullable=True),
    )
    op.create_table(
        "events_happened",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("what", WORD, nullable=False),
        sa.Column("seconds", sa.Float, nullable=True),
    )
    op.create_index("ix_events_happened_what_at", "events_happened", ["what", "at"])
    op.create_table(
        "events_purged",
        sa.Column("step", WORD, primary_key=True),
        sa.Column("subject", ACCOUNT, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("done_at", UtcDateTime, nullable=True),
    )
    op.create_table(
        "events_state",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    for table in ("state", "purged", "happened", "seat", "code"):
        op.drop_table(f"events_{table}")
