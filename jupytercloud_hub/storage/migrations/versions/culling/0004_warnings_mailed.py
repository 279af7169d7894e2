"""Which warnings were sent by e-mail; those of before are left as they are."""

import sqlalchemy as sa
from alembic import op

revision = "culling_0004"
down_revision = "culling_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("culling_warning") as table:
        table.add_column(sa.Column("mailed", sa.Boolean, nullable=False, server_default=sa.true()))


def downgrade() -> None:
    with op.batch_alter_table("culling_warning") as table:
        table.drop_column("mailed")
