"""The log, its read models and what protects people in it."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table, and the head of an empty log."""
    _make_blocks()
    _make_changes()
    _make_checkpoints()
    _make_dimension_counts()
    _make_evidence()
    _make_facts()
    _make_head()
    _make_incidents()
    _make_snapshots()
    _make_subject_keys()
    _make_ticks()
    op.execute("INSERT INTO head VALUES (1, 0, '" + "0" * 64 + "', 0, 0, 0, 0, 0, 0, 0, 0)")


def _make_blocks() -> None:
    op.create_table(
        "blocks",
        sa.Column("first_position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.Column("raw_bytes", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.String(length=32), nullable=False),
        sa.Column("sealed_in", sa.String(length=500), nullable=False),
        sa.Column("id_hashes", sa.LargeBinary(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("first_position"),
    )


def _make_changes() -> None:
    op.create_table(
        "changes",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("time_us", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_changes_time_us"), "changes", ["time_us"], unique=False)


def _make_checkpoints() -> None:
    op.create_table(
        "checkpoints",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _make_dimension_counts() -> None:
    op.create_table(
        "dimension_counts",
        sa.Column("dimension", sa.String(length=200), nullable=False),
        sa.Column("values_seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("dimension"),
    )


def _make_evidence() -> None:
    op.create_table(
        "evidence",
        sa.Column("incident_id", sa.String(length=300), nullable=False),
        sa.Column("until", sa.String(length=40), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id"),
    )


def _make_facts() -> None:
    op.create_table(
        "facts",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stream", sa.String(length=300), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("fact_id", sa.String(length=300), nullable=False),
        sa.Column("type", sa.String(length=100), nullable=False),
        sa.Column("schema_version", sa.Integer(), nullable=False),
        sa.Column("occurred_at", sa.String(length=40), nullable=False),
        sa.Column("recorded_at", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("correlation_id", sa.String(length=300), nullable=False),
        sa.Column("causation_id", sa.String(length=300), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("chain", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("position"),
        sa.UniqueConstraint("fact_id"),
        sa.UniqueConstraint("stream", "version"),
    )
    op.create_index("facts_by_type", "facts", ["type", "position"], unique=False)


def _make_head() -> None:
    op.create_table(
        "head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("chain", sa.String(length=64), nullable=False),
        sa.Column("facts", sa.BigInteger(), nullable=False),
        sa.Column("erasures", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("duplicates", sa.BigInteger(), nullable=False),
        sa.Column("conflicts", sa.BigInteger(), nullable=False),
        sa.Column("rejected", sa.BigInteger(), nullable=False),
        sa.Column("early", sa.BigInteger(), nullable=False),
        sa.Column("late", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _make_incidents() -> None:
    op.create_table(
        "incidents",
        sa.Column("id", sa.String(length=300), nullable=False),
        sa.Column("opened_us", sa.BigInteger(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_incidents_opened_us"), "incidents", ["opened_us"], unique=False)


def _make_snapshots() -> None:
    op.create_table(
        "snapshots",
        sa.Column("projection", sa.String(length=100), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("checksum", sa.String(length=32), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("projection", "position"),
    )


def _make_subject_keys() -> None:
    op.create_table(
        "subject_keys",
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("pseudonym", sa.String(length=40), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("subject"),
    )
    op.create_index(op.f("ix_subject_keys_pseudonym"), "subject_keys", ["pseudonym"], unique=False)


def _make_ticks() -> None:
    op.create_table(
        "ticks",
        sa.Column("metric", sa.String(length=300), nullable=False),
        sa.Column("cohort", sa.String(length=2000), nullable=False),
        sa.Column("tick_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("trials", sa.Float(), nullable=False),
        sa.Column("observed", sa.Float(), nullable=False),
        sa.Column("expected", sa.Float(), nullable=False),
        sa.Column("variance", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("metric", "cohort", "tick_ms"),
    )
    op.create_index("ticks_by_time", "ticks", ["tick_ms"], unique=False)
