"""The tables, the same for SQLite and PostgreSQL.

Row-shaped things are SQLModel classes; what is written in bulk or as bytes is a Core table. Both
hang on one metadata, which the migrations build up and a test compares.
"""

from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    Text,
)
from sqlalchemy import UniqueConstraint as Unique
from sqlmodel import Field, SQLModel

metadata = SQLModel.metadata
StoredRow = Row[*tuple[Any, ...]]

head = Table(
    "head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("chain", String(64), nullable=False),
    Column("facts", BigInteger, nullable=False),
    Column("erasures", BigInteger, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("duplicates", BigInteger, nullable=False),
    Column("conflicts", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("early", BigInteger, nullable=False),
    Column("late", BigInteger, nullable=False),
)
"""One row. Whoever holds its lock is the one who appends; nothing is visible out of order."""

COUNTERS = ("events", "duplicates", "conflicts", "rejected", "early", "late")

blocks = Table(
    "blocks",
    metadata,
    Column("first_position", BigInteger, primary_key=True, autoincrement=False),
    Column("count", Integer, nullable=False),
    Column("received_at_ms", BigInteger, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("raw_bytes", BigInteger, nullable=False),
    Column("checksum", String(32), nullable=False),
    Column("sealed_in", String(500), nullable=False, default=""),
    Column("id_hashes", LargeBinary, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("projection", String(100), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("checksum", String(32), nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

subject_keys = Table(
    "subject_keys",
    metadata,
    Column("subject", String(64), primary_key=True),
    Column("pseudonym", String(40), nullable=False),
    Column("sealed_key", LargeBinary, nullable=False),
)
"""The key of each subject, encrypted by the master key; erasing a person deletes the row."""

dimension_counts = Table(
    "dimension_counts",
    metadata,
    Column("dimension", String(200), primary_key=True),
    Column("values_seen", BigInteger, nullable=False),
)
"""Dimensions with very many values, and at least how many."""

rejections = Table(
    "rejections",
    metadata,
    Column("source", String(40), primary_key=True),
    Column("field", String(200), primary_key=True),
    Column("reason", String(300), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
)
"""What was refused at the door, counted by source and reason."""


class FactRow(SQLModel, table=True):
    """One domain event in the log."""

    __tablename__: ClassVar[str] = "facts"
    __table_args__ = (Unique("stream", "version"), Index("facts_by_type", "type", "position"))

    position: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    stream: str = Field(max_length=300)
    version: int
    fact_id: str = Field(max_length=300, unique=True)
    type: str = Field(max_length=100)
    schema_version: int
    occurred_at: str = Field(max_length=40)
    recorded_at: str = Field(max_length=40)
    actor: str = Field(max_length=200)
    correlation_id: str = Field(max_length=300)
    causation_id: str = Field(max_length=300)
    payload: str = Field(sa_column=Column(Text, nullable=False))
    chain: str = Field(max_length=64)


class IncidentRow(SQLModel, table=True):
    """The read model of one incident: its folded state as JSON."""

    __tablename__: ClassVar[str] = "incidents"

    id: str = Field(max_length=300, primary_key=True)
    opened_us: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    is_open: bool
    state: str = Field(sa_column=Column(Text, nullable=False))


class ChangeRow(SQLModel, table=True):
    """The read model of one change."""

    __tablename__: ClassVar[str] = "changes"

    id: str = Field(max_length=200, primary_key=True)
    time_us: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    body: str = Field(sa_column=Column(Text, nullable=False))


class CheckpointRow(SQLModel, table=True):
    """How far a reader has come."""

    __tablename__: ClassVar[str] = "checkpoints"

    name: str = Field(max_length=100, primary_key=True)
    position: int = Field(sa_column=Column(BigInteger, nullable=False))


class EvidenceRow(SQLModel, table=True):
    """What the detector last knew of an incident."""

    __tablename__: ClassVar[str] = "evidence"

    incident_id: str = Field(max_length=300, primary_key=True)
    until: str = Field(max_length=40)
    payload: bytes


class TickStored(SQLModel, table=True):
    """One metric of one cohort in one tick."""

    __tablename__: ClassVar[str] = "ticks"
    __table_args__ = (Index("ticks_by_time", "tick_ms"),)

    metric: str = Field(max_length=300, primary_key=True)
    cohort: str = Field(max_length=2000, primary_key=True)
    tick_ms: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    trials: float
    observed: float
    expected: float
    variance: float


class SliceStored(SQLModel, table=True):
    """Ten minutes of every cohort, packed, for the pages."""

    __tablename__: ClassVar[str] = "slices"

    start_ms: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    payload: bytes


facts = metadata.tables["facts"]
incidents = metadata.tables["incidents"]
changes = metadata.tables["changes"]
checkpoints = metadata.tables["checkpoints"]
evidence = metadata.tables["evidence"]
ticks = metadata.tables["ticks"]
slices = metadata.tables["slices"]
