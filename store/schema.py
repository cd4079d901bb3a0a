"""The tables, the same for SQLite and PostgreSQL."""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

head = Table(
    "head",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("position", BigInteger, nullable=False),
)
block = Table(
    "block",
    metadata,
    Column("first_position", BigInteger, primary_key=True, autoincrement=False),
    Column("count", Integer, nullable=False),
    Column("received_at_ms", BigInteger, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("checksum", BigInteger, nullable=False),
    Column("id_hashes", LargeBinary, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
fact = Table(
    "fact",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("stream", String(300), nullable=False),
    Column("version", Integer, nullable=False),
    Column("fact_id", String(300), nullable=False, unique=True),
    Column("type", String(100), nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("occurred_at_ms", BigInteger, nullable=False),
    Column("recorded_at_ms", BigInteger, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("correlation_id", String(300), nullable=False),
    Column("causation_id", String(300), nullable=False),
    Column("payload", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    UniqueConstraint("stream", "version"),
    Index("fact_type", "type", "position"),
)
incident = Table(
    "incident",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("opened_ms", BigInteger, nullable=False, index=True),
    Column("closed", Integer, nullable=False),
    Column("state", Text, nullable=False),
)
change = Table(
    "change",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("time_ms", BigInteger, nullable=False, index=True),
    Column("body", Text, nullable=False),
)
evidence = Table(
    "evidence",
    metadata,
    Column("incident_id", String(100), primary_key=True),
    Column("until_ms", BigInteger, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)
tick = Table(
    "tick",
    metadata,
    Column("metric", String(300), primary_key=True),
    Column("cohort", String(700), primary_key=True),
    Column("tick_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("trials", Float, nullable=False),
    Column("observed", Float, nullable=False),
    Column("expected", Float, nullable=False),
    Column("variance", Float, nullable=False),
)
checkpoint = Table(
    "checkpoint",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("position", BigInteger, nullable=False),
)
snapshot = Table(
    "snapshot",
    metadata,
    Column("projection", String(100), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("checksum", BigInteger, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)
counter = Table(
    "counter",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("value", BigInteger, nullable=False),
)
