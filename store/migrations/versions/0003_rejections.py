"""What was refused, counted by source and reason."""

import sqlalchemy as sa
from alembic import op

revision = "0003_rejections"
down_revision = "0002_slices"


def upgrade() -> None:
    """Make the table of rejections."""
    op.create_table(
        "rejections",
        sa.Column("source", sa.String(40), nullable=False),
        sa.Column("field", sa.String(200), nullable=False),
        sa.Column("reason", sa.String(300), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "field", "reason"),
    )
