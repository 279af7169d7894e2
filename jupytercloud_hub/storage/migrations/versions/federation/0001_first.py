"""Home sites, registered sites with their keys, orders, history, audit trail, used heartbeat tokens."""

import sqlalchemy as sa
from alembic import op

from jupytercloud_hub.storage.base import UtcDateTime

revision = "federation_0001"
down_revision = None
branch_labels = ("federation",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "federation_home_site",
        sa.Column("key", sa.String(300), primary_key=True),
        sa.Column("person", sa.String(255), index=True),
        sa.Column("username", sa.String(255), index=True),
        sa.Column("site", sa.String(64), nullable=False, index=True),
        sa.Column("set_at", UtcDateTime, nullable=False),
        sa.Column("set_by", sa.String(255), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("last_seen", UtcDateTime, nullable=False, index=True),
    )
    op.create_table(
        "federation_site",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("added_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "federation_site_key",
        sa.Column("key", sa.String(80), primary_key=True),
        sa.Column("site", sa.String(64), nullable=False, index=True),
        sa.Column("added_at", UtcDateTime, nullable=False),
        sa.Column("ends_at", UtcDateTime),
    )
    op.create_table(
        "federation_join",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("site", sa.String(64), nullable=False),
        sa.Column("expires", UtcDateTime, nullable=False),
    )
    op.create_table(
        "federation_order",
        sa.Column("site", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("message", sa.Text),
        sa.Column("until", UtcDateTime),
        sa.Column("set_at", UtcDateTime, nullable=False),
        sa.Column("set_by", sa.String(255), nullable=False),
    )
    op.create_table(
        "federation_transition",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("site", sa.String(64), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
    )
    op.create_index("ix_federation_transition_site_at", "federation_transition", ["site", "at"])
    op.create_table(
        "federation_audit",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", UtcDateTime, nullable=False, index=True),
        sa.Column("who", sa.String(255), nullable=False, index=True),
        sa.Column("what", sa.String(64), nullable=False),
        sa.Column("target", sa.String(300), nullable=False),
        sa.Column("why", sa.String(500), nullable=False),
    )
    op.create_table(
        "federation_seen_token",
        sa.Column("site", sa.String(64), primary_key=True),
        sa.Column("jti", sa.String(64), primary_key=True),
        sa.Column("expires", UtcDateTime, nullable=False, index=True),
    )


def downgrade() -> None:
    for table in ("seen_token", "audit", "transition", "order", "join", "site_key", "site", "home_site"):
        op.drop_table(f"federation_{table}")
