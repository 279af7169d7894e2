"""Invitations and the guests they let in, people who left and may still fetch their files, emergency logins."""

import sqlalchemy as sa
from alembic import op

from jupytercloud_hub.storage.base import UtcDateTime

revision = "auth_0002"
down_revision = "auth_0001"
branch_labels = None
depends_on = None

NAME = sa.String(255)


def upgrade() -> None:
    op.create_table(
        "auth_guest",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("sponsor", NAME, nullable=False),
        sa.Column("note", NAME, nullable=False),
        sa.Column("groups", sa.JSON, nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.Column("open_until", UtcDateTime, nullable=False),
        sa.Column("ends_at", UtcDateTime, nullable=False),
        sa.Column("issuer", NAME),
        sa.Column("sub", NAME),
        sa.Column("username", NAME),
        sa.Column("accepted_at", UtcDateTime),
        sa.Column("revoked_at", UtcDateTime),
        sa.Column("ended_at", UtcDateTime),
        sa.UniqueConstraint("digest", name="uq_auth_guest_digest"),
    )
    op.create_index("ix_auth_guest_issuer_sub", "auth_guest", ["issuer", "sub"])
    op.create_index("ix_auth_guest_username", "auth_guest", ["username"])
    op.create_table(
        "auth_leaver",
        sa.Column("username", NAME, primary_key=True),
        sa.Column("left_at", UtcDateTime, nullable=False),
        sa.Column("until", UtcDateTime, nullable=False),
    )
    op.create_table(
        "auth_emergency",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("username", NAME, nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("reason", NAME, nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
    )
    op.create_index("ix_auth_emergency_at", "auth_emergency", ["at"])


def downgrade() -> None:
    for name in ("emergency", "leaver", "guest"):
        op.drop_table(f"auth_{name}")
