"""The sums of a day are found without reading all others: for a rebuild, an export, a manager's page."""

from alembic import op

revision = "quotas_0004"
down_revision = "quotas_0003"
branch_labels = None
depends_on = None

TABLES = ("quotas_by_day", "quotas_by_profile")


def upgrade() -> None:
    for table in TABLES:
        op.create_index(f"ix_{table}_day", table, ["hub", "day"])


def downgrade() -> None:
    for table in TABLES:
        op.drop_index(f"ix_{table}_day", table_name=table)
