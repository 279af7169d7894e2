"""The usage ledger: intervals, sums by day, grants, notices."""

import sqlalchemy as sa
from alembic import op

revision = "quotas_0001"
down_revision = None
branch_labels = ("quotas",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "quotas_by_day",
        sa.Column("hub", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("gpu_type", sa.String(length=64), nullable=False),
        sa.Column("seconds", sa.BigInteger(), nullable=False),
        sa.Column("cpu", sa.BigInteger(), nullable=False),
        sa.Column("memory", sa.BigInteger(), nullable=False),
        sa.Column("gpu", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("starts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("hub", "kind", "name", "day", "gpu_type", name=op.f("pk_quotas_by_day")),
    )
    op.create_table(
        "quotas_by_profile",
        sa.Column("hub", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("profile", sa.String(length=63), nullable=False),
        sa.Column("gpu_type", sa.String(length=64), nullable=False),
        sa.Column("seconds", sa.BigInteger(), nullable=False),
        sa.Column("cpu", sa.BigInteger(), nullable=False),
        sa.Column("memory", sa.BigInteger(), nullable=False),
        sa.Column("gpu", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("starts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("hub", "kind", "name", "day", "profile", "gpu_type", name=op.f("pk_quotas_by_profile")),
    )
    op.create_table(
        "quotas_clock",
        sa.Column("hub", sa.String(length=63), nullable=False),
        sa.Column("boot", sa.String(length=64), nullable=False),
        sa.Column("offset_ms", sa.BigInteger(), nullable=False),
        sa.Column("right_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hub", "boot", name=op.f("pk_quotas_clock")),
    )
    op.create_table(
        "quotas_grant",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("hub", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("measure", sa.String(length=12), nullable=False),
        sa.Column("gpu_type", sa.String(length=64), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("granted_by", sa.String(length=255), nullable=False),
        sa.Column("granted_s", sa.BigInteger(), nullable=False),
        sa.Column("begins_s", sa.BigInteger(), nullable=False),
        sa.Column("ends_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quotas_grant")),
    )
    op.create_index("ix_quotas_grant_account", "quotas_grant", ["hub", "kind", "name"], unique=False)
    op.create_table(
        "quotas_horizon",
        sa.Column("hub", sa.String(length=63), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("hub", name=op.f("pk_quotas_horizon")),
    )
    op.create_table(
        "quotas_interval",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("hub", sa.String(length=63), nullable=False),
        sa.Column("user", sa.String(length=255), nullable=False),
        sa.Column("server", sa.String(length=255), nullable=False),
        sa.Column("started_us", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("profile", sa.String(length=63), nullable=False),
        sa.Column("cpu", sa.BigInteger(), nullable=False),
        sa.Column("memory", sa.BigInteger(), nullable=False),
        sa.Column("gpu", sa.Integer(), nullable=False),
        sa.Column("gpu_type", sa.String(length=64), nullable=False),
        sa.Column("rate", sa.BigInteger(), nullable=False),
        sa.Column("begin_s", sa.BigInteger(), nullable=False),
        sa.Column("counted_s", sa.BigInteger(), nullable=False),
        sa.Column("ended_s", sa.BigInteger(), nullable=True),
        sa.Column("expires_s", sa.BigInteger(), nullable=True),
        sa.Column("closed_by", sa.String(length=8), nullable=True),
        sa.Column("accounts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quotas_interval")),
        sa.UniqueConstraint(
            "hub", "user", "server", "started_us", name=op.f("uq_quotas_interval_hub_user_server_started_us")
        ),
    )
    op.create_index("ix_quotas_interval_begin", "quotas_interval", ["hub", "begin_s"], unique=False)
    op.create_index("ix_quotas_interval_ended", "quotas_interval", ["hub", "ended_s"], unique=False)
    op.create_index("ix_quotas_interval_open", "quotas_interval", ["hub", "state"], unique=False)
    op.create_table(
        "quotas_member",
        sa.Column("hub", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("user", sa.String(length=255), nullable=False),
        sa.Column("started_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hub", "kind", "name", "user", name=op.f("pk_quotas_member")),
    )
    op.create_index("ix_quotas_member_user", "quotas_member", ["hub", "user"], unique=False)
    op.create_table(
        "quotas_notice",
        sa.Column("hub", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("rule", sa.String(length=63), nullable=False),
        sa.Column("counts", sa.String(length=120), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("since_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hub", "kind", "name", "rule", "counts", "percent", name=op.f("pk_quotas_notice")),
    )
    op.create_table(
        "quotas_live",
        sa.Column("interval_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("hub", sa.String(length=63), nullable=False),
        sa.ForeignKeyConstraint(
            ["interval_id"],
            ["quotas_interval.id"],
            name=op.f("fk_quotas_live_interval_id_quotas_interval"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("interval_id", "kind", "name", name=op.f("pk_quotas_live")),
    )
    op.create_index("ix_quotas_live_account", "quotas_live", ["hub", "kind", "name"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_quotas_live_account", table_name="quotas_live")
    op.drop_table("quotas_live")
    op.drop_table("quotas_notice")
    op.drop_index("ix_quotas_member_user", table_name="quotas_member")
    op.drop_table("quotas_member")
    op.drop_index("ix_quotas_interval_open", table_name="quotas_interval")
    op.drop_index("ix_quotas_interval_ended", table_name="quotas_interval")
    op.drop_index("ix_quotas_interval_begin", table_name="quotas_interval")
    op.drop_table("quotas_interval")
    op.drop_table("quotas_horizon")
    op.drop_index("ix_quotas_grant_account", table_name="quotas_grant")
    op.drop_table("quotas_grant")
    op.drop_table("quotas_clock")
    op.drop_table("quotas_by_profile")
    op.drop_table("quotas_by_day")
