"""Which notices were sent by e-mail; those of before are left as they are."""

import sqlalchemy as sa
from alembic import op

revision = "quotas_0002"
down_revision = "quotas_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("quotas_notice") as table:
        table.add_column(sa.Column("mailed", sa.Boolean, nullable=False, server_default=sa.true()))


def downgrade() -> None:
    with op.batch_alter_table("quotas_notice") as table:
        table.drop_column("mailed")
