"""Ten minutes of every cohort, packed, for the pages."""

import sqlalchemy as sa
from alembic import op

revision = "0002_slices"
down_revision = "0001"


def upgrade() -> None:
    """Make the table of slices."""
    op.create_table(
        "slices",
        sa.Column("start_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("start_ms"),
    )
