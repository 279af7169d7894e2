"""Which warnings the webhook was told."""

import sqlalchemy as sa
from alembic import op

revision = "culling_0003"
down_revision = "culling_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("culling_warning") as table:
        table.add_column(sa.Column("told", sa.Boolean, nullable=False, server_default=sa.false()))


def downgrade() -> None:
    with op.batch_alter_table("culling_warning") as table:
        table.drop_column("told")
