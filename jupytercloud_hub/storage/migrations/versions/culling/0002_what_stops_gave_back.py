"""What each stopped server had held: cores, memory, GPUs."""

import sqlalchemy as sa
from alembic import op

revision = "culling_0002"
down_revision = "culling_0001"
branch_labels = None
depends_on = None

COLUMNS = (("cpu", sa.Float), ("memory", sa.BigInteger), ("gpu", sa.Integer))


def upgrade() -> None:
    with op.batch_alter_table("culling_stopped") as table:
        for name, kind in COLUMNS:
            table.add_column(sa.Column(name, kind, nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("culling_stopped") as table:
        for name, _ in COLUMNS:
            table.drop_column(name)
