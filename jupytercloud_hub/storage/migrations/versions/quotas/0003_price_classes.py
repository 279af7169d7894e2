"""The class of the tariff that an interval is priced by; those of before have none."""

import sqlalchemy as sa
from alembic import op

revision = "quotas_0003"
down_revision = "quotas_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("quotas_interval") as table:
        table.add_column(sa.Column("price_class", sa.String(42), nullable=False, server_default=""))


def downgrade() -> None:
    with op.batch_alter_table("quotas_interval") as table:
        table.drop_column("price_class")
