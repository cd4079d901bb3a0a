"""Domain events in the log: appended with expected versions, chained by hash, read back."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Integer, bindparam, func, select

from recoup.domain.errors import LogDamaged, VersionConflict
from recoup.domain.facts import NewFact, Recorded
from recoup.domain.upcasts import read_fact
from store import tables as t
from store.head import Head
from store.projections import project
from store.tables import StoredRow

_CHAINED = (
    "position",
    "stream",
    "version",
    "fact_id",
    "type",
    "schema_version",
    "occurred_at",
    "recorded_at",
    "actor",
    "correlation_id",
    "causation_id",
    "payload",
)
# Made once: making a statement takes longer than the database takes for it.
_BEHIND = (
    select(t.facts)
    .where(t.facts.c.position > bindparam("after"))
    .order_by(t.facts.c.position)
    .limit(bindparam("at_most", type_=Integer))
)
_BETWEEN = _BEHIND.where(t.facts.c.position <= bindparam("until"))


def append_facts(
    head: Head,
    stream: str,
    facts: Sequence[NewFact],
    now: datetime,
    expected_version: int | None = None,
) -> list[Recorded]:
    """Append facts and update the read models; facts that are there already are returned as such.

    Raises VersionConflict when something has to be appended and the stream is at another version.
    """
    known = _stored(head.connection, [new.fact_id for new in facts])
    recorded: list[Recorded] = []
    version = _version(head.connection, stream)
    if expected_version not in (None, version) and any(new.fact_id not in known for new in facts):
        raise VersionConflict(f"{stream} is at version {version}, not {expected_version}")
    for new in facts:
        entry = known.get(new.fact_id)
        if entry is None:
            version += 1
            entry = _append(head, stream, version, new, now)
            known[new.fact_id] = entry
            project(head.connection, entry)
        recorded.append(entry)
    return recorded


def _append(head: Head, stream: str, version: int, new: NewFact, now: datetime) -> Recorded:
    row: dict[str, Any] = {
        "position": head.take(1),
        "stream": stream,
        "version": version,
        "fact_id": new.fact_id,
        "type": new.fact.type_name,
        "schema_version": new.fact.schema_version,
        "occurred_at": new.occurred_at.isoformat(),
        "recorded_at": now.astimezone(UTC).isoformat(),
        "actor": new.actor,
        "correlation_id": new.correlation_id,
        "causation_id": new.causation_id,
        "payload": new.fact.model_dump_json(),
    }
    head.chain = row["chain"] = link(head.chain, row)
    head.facts += 1
    head.connection.execute(t.facts.insert().values(row))
    return Recorded(
        **new.model_dump(include={"fact_id", "occurred_at", "actor"}),
        correlation_id=new.correlation_id,
        causation_id=new.causation_id,
        position=row["position"],
        stream=stream,
        version=version,
        recorded_at=now,
        fact=new.fact,
    )


def link(previous: str, row: dict[str, Any]) -> str:
    """Return the hash that ties a fact, envelope and payload, to the one before it."""
    body = json.dumps([row[name] for name in _CHAINED], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(f"{previous}\n{body}".encode()).hexdigest()


def _stored(connection: Connection, fact_ids: list[str]) -> dict[str, Recorded]:
    found: dict[str, Recorded] = {}
    for start in range(0, len(fact_ids), 500):
        wanted = select(t.facts).where(t.facts.c.fact_id.in_(fact_ids[start : start + 500]))
        found.update((row.fact_id, recorded(row)) for row in connection.execute(wanted))
    return found


def _version(connection: Connection, stream: str) -> int:
    wanted = select(func.max(t.facts.c.version)).where(t.facts.c.stream == stream)
    return connection.execute(wanted).scalar() or 0


def recorded(row: StoredRow) -> Recorded:
    """Return a stored fact with its envelope, brought up to the present shape."""
    try:
        payload = json.loads(row.payload)
    except ValueError as error:
        raise LogDamaged(f"the fact at position {row.position} is not JSON: {error}") from error
    return Recorded(
        position=row.position,
        stream=row.stream,
        version=row.version,
        fact_id=row.fact_id,
        occurred_at=datetime.fromisoformat(row.occurred_at),
        recorded_at=datetime.fromisoformat(row.recorded_at),
        actor=row.actor,
        correlation_id=row.correlation_id,
        causation_id=row.causation_id,
        fact=read_fact(row.type, row.schema_version, payload),
    )


def read_stream(connection: Connection, stream: str) -> list[Recorded]:
    """Return the facts of one stream in order of version."""
    wanted = select(t.facts).where(t.facts.c.stream == stream).order_by(t.facts.c.version)
    return [recorded(row) for row in connection.execute(wanted)]


def read_facts(
    connection: Connection,
    after: int,
    limit: int,
    types: Iterable[str] = (),
    *,
    until: int | None = None,
) -> list[Recorded]:
    """Return facts with ``after < position <= until``, in order."""
    wanted, bounds = _BEHIND, {"after": after, "at_most": limit}
    if until is not None:
        wanted, bounds = _BETWEEN, {**bounds, "until": until}
    names = sorted(types)
    if names:
        wanted = wanted.where(t.facts.c.type.in_(names))
    return [recorded(row) for row in connection.execute(wanted, bounds)]
