"""Bindings, accounts of before, sessions at the provider, used logout tokens, retired usernames."""

import sqlalchemy as sa
from alembic import op

from jupytercloud_hub.storage.base import UtcDateTime

revision = "auth_0001"
down_revision = None
branch_labels = ("auth",)
depends_on = None

NAME = sa.String(255)


def upgrade() -> None:
    op.create_table(
        "auth_binding",
        sa.Column("username", NAME, primary_key=True),
        sa.Column("issuer", NAME, nullable=False),
        sa.Column("sub", NAME, nullable=False),
        sa.Column("organization", NAME),
        sa.Column("bound_at", UtcDateTime, nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("issuer", "sub", name="uq_auth_binding_issuer_sub"),
    )
    op.create_table(
        "auth_claimable",
        sa.Column("username", NAME, primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("value", sa.String(1024), nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_auth_claimable_value", "auth_claimable", ["value"])
    op.create_table(
        "auth_session",
        sa.Column("issuer", NAME, primary_key=True),
        sa.Column("sid", NAME, primary_key=True),
        sa.Column("username", NAME, nullable=False),
        sa.Column("begun_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_auth_session_username", "auth_session", ["username"])
    op.create_table(
        "auth_used_token",
        sa.Column("issuer", NAME, primary_key=True),
        sa.Column("jti", NAME, primary_key=True),
        sa.Column("ends_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_auth_used_token_ends_at", "auth_used_token", ["ends_at"])
    op.create_table(
        "auth_retired",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("retired_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "auth_retired_key",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.String(64), nullable=False),
    )


def downgrade() -> None:
    for name in ("retired_key", "retired", "used_token", "session", "claimable", "binding"):
        op.drop_table(f"auth_{name}")
