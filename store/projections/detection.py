"""What the detector keeps here: evidence of open incidents, ticks, checkpoints and snapshots."""

from collections.abc import Sequence
from datetime import datetime

import structlog
import xxhash
import zstandard
from sqlalchemy import Connection, select

from recoup.domain.ports import EvidenceRecord
from recoup.domain.series import TickRow
from store import tables as t
from store.database import Database, upsert

SNAPSHOTS_KEPT = 3
MOMENTS = "history:"
"""Checkpoints of this beginning are moments (milliseconds), not positions of the log."""

_log = structlog.get_logger()


class StoredEvidence:
    """The latest evidence of each incident."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, incident_id: str) -> EvidenceRecord | None:
        """Return the latest evidence of an incident, or None."""
        wanted = select(t.evidence).where(t.evidence.c.incident_id == incident_id)
        with self._database.reading() as connection:
            row = connection.execute(wanted).first()
        if row is None:
            return None
        return EvidenceRecord(
            incident_id=row.incident_id,
            until=datetime.fromisoformat(row.until),
            payload=bytes(row.payload),
        )

    def put(self, record: EvidenceRecord) -> None:
        """Replace the evidence of an incident."""
        with self._database.writing() as connection:
            save_evidence(connection, [record])


def save_evidence(connection: Connection, records: Sequence[EvidenceRecord]) -> None:
    """Replace the evidence of incidents; of several records of one incident the last counts."""
    latest = {record.incident_id: record for record in records}
    rows = [
        {"incident_id": name, "until": record.until.isoformat(), "payload": record.payload}
        for name, record in latest.items()
    ]
    upsert(connection, t.evidence, rows)


def save_ticks(connection: Connection, rows: Sequence[TickRow]) -> None:
    """Write ticks; the same tick written again is replaced."""
    latest = {(row.metric, row.cohort, row.tick_ms): row for row in rows}
    upsert(connection, t.ticks, [row._asdict() for row in latest.values()])


def ticks(
    connection: Connection, metric: str, cohort: str, start_ms: int, end_ms: int
) -> list[TickRow]:
    """Return what was watched of one metric and cohort, in order of time."""
    table = t.ticks.c
    wanted = (
        select(*(table[name] for name in TickRow._fields))
        .where(table.metric == metric, table.cohort == cohort)
        .where(table.tick_ms.between(start_ms, end_ms))
        .order_by(table.tick_ms)
    )
    return [TickRow(*row) for row in connection.execute(wanted)]


def tick_metrics(connection: Connection) -> list[tuple[str, str]]:
    """Return the metrics and cohorts that have ticks."""
    wanted = select(t.ticks.c.metric, t.ticks.c.cohort).distinct()
    return sorted((row.metric, row.cohort) for row in connection.execute(wanted))


def checkpoint(connection: Connection, name: str) -> int:
    """Return how far a reader has come; 0 for an unknown one."""
    wanted = select(t.checkpoints.c.position).where(t.checkpoints.c.name == name)
    return connection.execute(wanted).scalar() or 0


def save_checkpoint(connection: Connection, name: str, position: int) -> None:
    """Note how far a reader has come."""
    upsert(connection, t.checkpoints, [{"name": name, "position": position}])


def save_snapshot(connection: Connection, projection: str, position: int, payload: bytes) -> None:
    """Keep a snapshot and forget all but the last few.

    Those beyond ``position`` go too: they belong to a run that was taken back to an earlier place.
    """
    packed = zstandard.ZstdCompressor(level=1).compress(payload)
    table = t.snapshots.c
    mine = table.projection == projection
    row = {
        "projection": projection,
        "position": position,
        "checksum": _checksum(projection, position, packed),
        "payload": packed,
    }
    upsert(connection, t.snapshots, [row])
    latest = (
        select(table.position)
        .where(mine, table.position <= position)
        .order_by(table.position.desc())
        .limit(SNAPSHOTS_KEPT)
    )
    kept = [row.position for row in connection.execute(latest)]
    connection.execute(t.snapshots.delete().where(mine, table.position.not_in(kept)))


def latest_snapshot(
    connection: Connection, projection: str, until: int | None = None
) -> tuple[int, bytes] | None:
    """Return the newest snapshot whose checksum holds; a damaged one is passed over, loudly."""
    wanted = (
        select(t.snapshots)
        .where(t.snapshots.c.projection == projection)
        .order_by(t.snapshots.c.position.desc())
    )
    if until is not None:
        wanted = wanted.where(t.snapshots.c.position <= until)
    for row in connection.execute(wanted):
        packed = bytes(row.payload)
        if _checksum(projection, row.position, packed) == row.checksum:
            return row.position, zstandard.ZstdDecompressor().decompress(packed)
        _log.warning(
            "snapshot.damaged",
            projection=projection,
            position=row.position,
            way_on="an earlier snapshot, or the log from its start, is used instead",
        )
    return None


def _checksum(projection: str, position: int, packed: bytes) -> str:
    return xxhash.xxh3_128_hexdigest(b"%s %d " % (projection.encode(), position) + packed)
