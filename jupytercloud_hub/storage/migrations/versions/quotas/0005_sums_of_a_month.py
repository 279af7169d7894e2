"""Sums by month, made of those by day: a window of a year is read from a dozen rows."""

import sqlalchemy as sa
from alembic import op

revision = "quotas_0005"
down_revision = "quotas_0004"
branch_labels = None
depends_on = None

TABLE = "quotas_by_month"
KEYS = ("hub", "kind", "name", "month", "gpu_type")
SUMS = ("seconds", "cpu", "memory", "gpu", "cost", "starts")
FIRST_DAY = {"sqlite": "strftime('%Y-%m-01', day)", "postgresql": "CAST(date_trunc('month', day) AS DATE)"}


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("hub", sa.String(63), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("month", sa.Date, nullable=False),
        sa.Column("gpu_type", sa.String(64), nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in SUMS[:-1]),
        sa.Column("starts", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint(*KEYS, name=op.f(f"pk_{TABLE}")),
    )
    op.create_index(f"ix_{TABLE}_month", TABLE, ["hub", "month"])
    first_day = FIRST_DAY[op.get_context().dialect.name]
    op.execute(
        f"INSERT INTO {TABLE} ({', '.join((*KEYS, *SUMS))}) "  # noqa: S608
        f"SELECT hub, kind, name, {first_day}, gpu_type, {', '.join(f'SUM({name})' for name in SUMS)} "
        f"FROM quotas_by_day GROUP BY hub, kind, name, {first_day}, gpu_type"
    )


def downgrade() -> None:
    op.drop_index(f"ix_{TABLE}_month", table_name=TABLE)
    op.drop_table(TABLE)
