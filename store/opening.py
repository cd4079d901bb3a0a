"""Opening the store, and the one class through which everything reaches it."""

import hashlib
import json
import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
import xxhash
import zstandard
from sqlalchemy import Connection, Engine, create_engine, event, func, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from recoup.domain.base import from_ms, to_ms
from recoup.domain.changes import Change
from recoup.domain.clock import Clock
from recoup.domain.errors import ContentConflict, StorageUnavailable, VersionConflict
from recoup.domain.facts import ChangeRecorded, NewFact, Recorded
from recoup.domain.incident import Incident, Status, apply
from recoup.domain.ports import EvidenceRecord
from recoup.domain.series import EventBlock, IngestReport, LineProblem, TickRow
from recoup.domain.upcasts import read_fact
from store import schema as t
from store.decoding import EventDecoder, EventLine
from store.dedup import Hashes, HashIndex, hash_ids

SNAPSHOTS_KEPT = 3


@dataclass(frozen=True)
class LogStats:
    """What is in the log, and what was refused."""

    events: int
    facts: int
    duplicates: int
    conflicts: int
    rejected: int
    blocks: int
    bytes_per_event: float
    first_time: datetime | None
    last_time: datetime | None
    last_position: int


def open_store(url: str, clock: Clock) -> "Store":
    """Open (and make, if need be) the store at an SQLAlchemy URL."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    try:
        t.metadata.create_all(engine)
        with engine.begin() as connection:
            if connection.execute(select(t.head.c.id)).first() is None:
                connection.execute(t.head.insert().values(id=1, position=0))
    except OperationalError as error:
        raise StorageUnavailable(f"cannot open the store at {url}: {error.orig}") from error
    return Store(engine, clock)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.info.get("write") else "BEGIN")


class Store:
    """The log and everything derived from it; thread-safe, and shared by several processes."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.engine = engine
        self.clock = clock
        self.incidents = StoredIncidents(engine)
        self.changes = StoredChanges(engine)
        self.evidence = StoredEvidence(self)
        self._decoder = EventDecoder()
        self._index = HashIndex()
        self._indexed_until = 0
        self._ingesting = threading.Lock()

    def close(self) -> None:
        """Give back the connections."""
        self.engine.dispose()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A write transaction that holds the head of the log; durable once it ends."""
        try:
            with self.engine.connect() as connection:
                connection.info["write"] = True
                try:
                    with connection.begin():
                        yield connection
                finally:
                    connection.info["write"] = False
        except OperationalError as error:
            raise StorageUnavailable(f"the store cannot be written: {error.orig}") from error

    def head(self) -> int:
        """Return the last position of the log."""
        with self.engine.connect() as connection:
            return int(connection.execute(select(t.head.c.position)).scalar_one())

    def _take(self, connection: Connection, count: int) -> int:
        """Take ``count`` positions; return the first of them."""
        bumped = (
            update(t.head).values(position=t.head.c.position + count).returning(t.head.c.position)
        )
        return int(connection.execute(bumped).scalar_one()) - count + 1

    # Storefront events

    def ingest(self, body: bytes) -> IngestReport:
        """Decode, validate, de-duplicate and append a body; durable when it returns."""
        with self._ingesting:
            decoded = self._decoder.decode(body)
            return self._append_events(decoded.events, decoded.lines, decoded.problems)

    def appender(self) -> "Appender":
        """Return the group commit for many small requests."""
        return Appender(self)

    def _append_events(
        self, events: list[EventLine], lines: list[int], problems: list[LineProblem]
    ) -> IngestReport:
        hashes = None
        with self.writing() as connection:
            last = self._take(connection, 0) - 1
            self._catch_up(connection, last)
            fresh, duplicates, conflicts = self._sort_out(connection, events, lines)
            if fresh:
                last, hashes = self._append_block(connection, fresh)
            self._count(connection, "duplicates", duplicates)
            self._count(connection, "conflicts", len(conflicts))
            self._count(connection, "rejected", len(problems))
        if hashes is not None:
            self._index.add(hashes, last - len(fresh) + 1)
            self._indexed_until = last
        return IngestReport(len(fresh), duplicates, tuple(problems), tuple(conflicts), last)

    def _catch_up(self, connection: Connection, head: int) -> None:
        if self._indexed_until >= head:
            return
        wanted = select(t.block.c.first_position, t.block.c.id_hashes).where(
            t.block.c.first_position > self._indexed_until
        )
        for first, blob in connection.execute(wanted.order_by(t.block.c.first_position)):
            self._index.add(np.frombuffer(blob, dtype=np.int64), first)
        self._indexed_until = head

    def _sort_out(
        self, connection: Connection, events: list[EventLine], lines: list[int]
    ) -> tuple[list[EventLine], int, list[LineProblem]]:
        """Part new events from repeated ones, in the batch and in the log."""
        first_seen: dict[str, EventLine] = {}
        conflicts: list[LineProblem] = []
        duplicates = 0
        line_of: dict[str, int] = {}
        for event_line, number in zip(events, lines, strict=True):
            before = first_seen.setdefault(event_line.id, event_line)
            if before is event_line:
                line_of[event_line.id] = number
                continue
            duplicates += 1
            if before != event_line:
                conflicts.append(LineProblem(number, "id", "this id came with other content"))
        fresh = list(first_seen.values())
        if not fresh:
            return fresh, duplicates, conflicts
        known: set[str] = set()
        for index, position in self._index.find(hash_ids([item.id for item in fresh])):
            stored = self._line_at(connection, position)
            candidate = fresh[index]
            if msgspec.json.decode(stored)["id"] == candidate.id:
                known.add(candidate.id)
                if stored != msgspec.json.encode(candidate):
                    conflicts.append(
                        LineProblem(
                            line_of[candidate.id], "id", "this id came before with other content"
                        )
                    )
        return (
            [item for item in fresh if item.id not in known],
            duplicates + len(known),
            conflicts,
        )

    def _line_at(self, connection: Connection, position: int) -> bytes:
        wanted = (
            select(t.block.c.first_position, t.block.c.data)
            .where(t.block.c.first_position <= position)
            .order_by(t.block.c.first_position.desc())
            .limit(1)
        )
        first, data = connection.execute(wanted).one()
        line: bytes = _unpack(data).split(b"\n")[position - first]
        return line

    def _append_block(self, connection: Connection, events: list[EventLine]) -> tuple[int, Hashes]:
        data = msgspec.json.Encoder().encode_lines(events)
        packed = zstandard.ZstdCompressor(level=1).compress(data)
        hashes = hash_ids([item.id for item in events])
        first = self._take(connection, len(events))
        times = [to_ms(item.time) for item in events]
        connection.execute(
            t.block.insert().values(
                first_position=first,
                count=len(events),
                received_at_ms=to_ms(self.clock.now()),
                first_ms=min(times),
                last_ms=max(times),
                checksum=_checksum(packed),
                id_hashes=hashes.tobytes(),
                data=packed,
            )
        )
        return first + len(events) - 1, hashes

    def _count(self, connection: Connection, name: str, more: int) -> None:
        if not more:
            return
        changed = connection.execute(
            update(t.counter).where(t.counter.c.name == name).values(value=t.counter.c.value + more)
        )
        if not changed.rowcount:
            connection.execute(t.counter.insert().values(name=name, value=more))

    # Facts

    def append(
        self, stream: str, facts: Sequence[NewFact], expected_version: int | None = None
    ) -> list[Recorded]:
        """Append facts to a stream; see ``recoup.domain.ports.FactLog``."""
        with self.writing() as connection:
            return self._append_facts(connection, stream, facts, expected_version)

    def _append_facts(
        self,
        connection: Connection,
        stream: str,
        facts: Sequence[NewFact],
        expected_version: int | None,
    ) -> list[Recorded]:
        self._take(connection, 0)
        version = connection.execute(
            select(func.coalesce(func.max(t.fact.c.version), 0)).where(t.fact.c.stream == stream)
        ).scalar_one()
        if expected_version is not None and version != expected_version:
            raise VersionConflict(f"{stream} is at version {version}, not {expected_version}")
        recorded = []
        for new in facts:
            stored = connection.execute(
                select(t.fact).where(t.fact.c.fact_id == new.fact_id)
            ).first()
            if stored is not None:
                recorded.append(_recorded(stored))
                continue
            version += 1
            entry = Recorded(
                position=self._take(connection, 1),
                stream=stream,
                version=version,
                recorded_at=self.clock.now(),
                **{name: getattr(new, name) for name in NewFact.model_fields},
            )
            self._insert_fact(connection, entry)
            self._project(connection, entry)
            recorded.append(entry)
        return recorded

    def _insert_fact(self, connection: Connection, entry: Recorded) -> None:
        before = connection.execute(
            select(t.fact.c.digest).order_by(t.fact.c.position.desc()).limit(1)
        ).scalar()
        row = {
            "position": entry.position,
            "stream": entry.stream,
            "version": entry.version,
            "fact_id": entry.fact_id,
            "type": entry.fact.type_name,
            "schema_version": entry.fact.schema_version,
            "occurred_at_ms": to_ms(entry.occurred_at),
            "recorded_at_ms": to_ms(entry.recorded_at),
            "actor": entry.actor,
            "correlation_id": entry.correlation_id,
            "causation_id": entry.causation_id,
            "payload": entry.fact.model_dump_json(),
        }
        chained = json.dumps([before or "", *row.values()], ensure_ascii=False)
        row["digest"] = hashlib.sha256(chained.encode()).hexdigest()
        connection.execute(t.fact.insert().values(**row))

    def _project(self, connection: Connection, entry: Recorded) -> None:
        if isinstance(entry.fact, ChangeRecorded):
            change = entry.fact.change
            connection.execute(
                t.change.insert().values(
                    id=change.id, time_ms=to_ms(change.time), body=change.model_dump_json()
                )
            )
        elif getattr(entry.fact, "incident_id", None):
            present = self.incidents.load(connection, entry.stream)
            state = apply(present, entry)
            if state is not None:
                self.incidents.save(connection, state, new=present is None)

    def record_change(self, change: Change) -> bool:
        """Record a change; tell whether it is new. Raises ContentConflict for another content."""
        known = self.changes.get(change.id)
        if known is not None:
            if known != change:
                raise ContentConflict(f"change {change.id!r} came before with other content")
            return False
        now = self.clock.now()
        new = NewFact(
            fact_id=f"change:{change.id}", fact=ChangeRecorded(change=change), occurred_at=now
        )
        try:
            self.append(f"change-{change.id}", [new], expected_version=0)
        except (VersionConflict, IntegrityError):
            return False
        return True

    def read_stream(self, stream: str) -> list[Recorded]:
        """Return the facts of one stream in order of version."""
        wanted = select(t.fact).where(t.fact.c.stream == stream).order_by(t.fact.c.version)
        with self.engine.connect() as connection:
            return [_recorded(row) for row in connection.execute(wanted)]

    def read_facts(
        self, after: int = 0, limit: int = 1000, types: Iterable[str] = ()
    ) -> list[Recorded]:
        """Return facts with a position above ``after``, in order."""
        wanted = select(t.fact).where(t.fact.c.position > after)
        names = list(types)
        if names:
            wanted = wanted.where(t.fact.c.type.in_(names))
        with self.engine.connect() as connection:
            rows = connection.execute(wanted.order_by(t.fact.c.position).limit(limit))
            return [_recorded(row) for row in rows]

    def read(self, after: int, max_events: int = 5000) -> list[EventBlock | Recorded]:
        """Return the log after a position, blocks and facts in order; blocks are never cut."""
        found: list[EventBlock | Recorded] = []
        blocks = (
            select(t.block.c.first_position, t.block.c.count)
            .where(t.block.c.first_position > after)
            .order_by(t.block.c.first_position)
            .limit(max_events)
        )
        with self.engine.connect() as connection, connection.begin():
            until, total = None, 0
            for first, count in connection.execute(blocks):
                total += count
                until = first + count - 1
                if total >= max_events:
                    break
            else:
                until = None
            found = self._read_between(connection, after, until)
        return found

    def _read_between(
        self, connection: Connection, after: int, until: int | None
    ) -> list[EventBlock | Recorded]:
        blocks = select(t.block).where(t.block.c.first_position > after)
        facts = select(t.fact).where(t.fact.c.position > after)
        if until is not None:
            blocks = blocks.where(t.block.c.first_position <= until)
            facts = facts.where(t.fact.c.position <= until)
        entries: list[tuple[int, EventBlock | Recorded]] = [
            (row.first_position, _block(row)) for row in connection.execute(blocks)
        ]
        entries += [(row.position, _recorded(row)) for row in connection.execute(facts)]
        return [entry for _, entry in sorted(entries, key=lambda item: item[0])]

    # Projections

    def checkpoint(self, projection: str) -> int:
        """Return the position a projection has reached, 0 for an unknown one."""
        with self.engine.connect() as connection:
            wanted = select(t.checkpoint.c.position).where(t.checkpoint.c.name == projection)
            return int(connection.execute(wanted).scalar() or 0)

    def note_position(self, reader: str, position: int) -> None:
        """Keep the position a reader has reached."""
        with self.writing() as connection:
            self._note(connection, reader, position)

    def _note(self, connection: Connection, reader: str, position: int) -> None:
        changed = connection.execute(
            update(t.checkpoint).where(t.checkpoint.c.name == reader).values(position=position)
        )
        if not changed.rowcount:
            connection.execute(t.checkpoint.insert().values(name=reader, position=position))

    def commit_projection(
        self,
        projection: str,
        position: int,
        *,
        facts: Sequence[tuple[str, NewFact]] = (),
        evidence: Sequence[EvidenceRecord] = (),
        ticks: Sequence[TickRow] = (),
        snapshot: bytes | None = None,
    ) -> list[Recorded]:
        """Store what a projection made of the log up to a position, all in one transaction."""
        with self.writing() as connection:
            self._take(connection, 0)
            recorded = [
                entry
                for stream, new in facts
                for entry in self._append_facts(connection, stream, [new], None)
            ]
            for record in evidence:
                self.evidence.save(connection, record)
            if ticks:
                rows = {(row.metric, row.cohort, row.tick_ms): row for row in ticks}
                _upsert(connection, t.tick, [row._asdict() for row in rows.values()])
            if snapshot is not None:
                self._save_snapshot(connection, projection, position, snapshot)
            self._note(connection, projection, position)
        return recorded

    def _save_snapshot(
        self, connection: Connection, projection: str, position: int, payload: bytes
    ) -> None:
        packed = zstandard.ZstdCompressor(level=1).compress(payload)
        row = {
            "projection": projection,
            "position": position,
            "checksum": _checksum(packed),
            "payload": packed,
        }
        _upsert(connection, t.snapshot, [row])
        kept = (
            select(t.snapshot.c.position)
            .where(t.snapshot.c.projection == projection)
            .order_by(t.snapshot.c.position.desc())
            .limit(SNAPSHOTS_KEPT)
        )
        positions = [row.position for row in connection.execute(kept)]
        connection.execute(
            t.snapshot.delete()
            .where(t.snapshot.c.projection == projection)
            .where(t.snapshot.c.position.not_in(positions))
        )

    def latest_snapshot(self, projection: str) -> tuple[int, bytes] | None:
        """Return the position and payload of the latest snapshot that verifies."""
        wanted = (
            select(t.snapshot)
            .where(t.snapshot.c.projection == projection)
            .order_by(t.snapshot.c.position.desc())
        )
        with self.engine.connect() as connection:
            for row in connection.execute(wanted):
                if _checksum(row.payload) == row.checksum:
                    return row.position, zstandard.ZstdDecompressor().decompress(row.payload)
        return None

    def ticks(self, metric: str, cohort: str, start_ms: int, end_ms: int) -> list[TickRow]:
        """Return what was watched of one metric and cohort, in order of time."""
        wanted = (
            select(t.tick)
            .where(t.tick.c.metric == metric, t.tick.c.cohort == cohort)
            .where(t.tick.c.tick_ms.between(start_ms, end_ms))
            .order_by(t.tick.c.tick_ms)
        )
        with self.engine.connect() as connection:
            return [
                TickRow(**{name: getattr(row, name) for name in TickRow._fields})
                for row in connection.execute(wanted)
            ]

    def tick_metrics(self) -> list[tuple[str, str]]:
        """Return the metrics and cohorts that ``ticks`` can be asked for."""
        wanted = select(t.tick.c.metric, t.tick.c.cohort).distinct()
        with self.engine.connect() as connection:
            return sorted((row.metric, row.cohort) for row in connection.execute(wanted))

    def stats(self) -> LogStats:
        """Return the counts of the log."""
        with self.engine.connect() as connection:
            blocks, events, size, first, last = connection.execute(
                select(
                    func.count(),
                    func.coalesce(func.sum(t.block.c.count), 0),
                    func.coalesce(func.sum(func.length(t.block.c.data)), 0),
                    func.min(t.block.c.first_ms),
                    func.max(t.block.c.last_ms),
                )
            ).one()
            counters = {row.name: row.value for row in connection.execute(select(t.counter))}
            facts = connection.execute(select(func.count()).select_from(t.fact)).scalar_one()
        return LogStats(
            events=events,
            facts=facts,
            duplicates=counters.get("duplicates", 0),
            conflicts=counters.get("conflicts", 0),
            rejected=counters.get("rejected", 0),
            blocks=blocks,
            bytes_per_event=round(size / events, 1) if events else 0.0,
            first_time=from_ms(first) if first is not None else None,
            last_time=from_ms(last) if last is not None else None,
            last_position=self.head(),
        )


class StoredIncidents:
    """The read model of incidents."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, incident_id: str) -> Incident | None:
        """Return one incident, or None."""
        with self._engine.connect() as connection:
            return self.load(connection, incident_id)

    def list(self, *, open_only: bool = False, limit: int = 100) -> list[Incident]:
        """Return incidents, the latest first."""
        wanted = select(t.incident.c.state).order_by(t.incident.c.opened_ms.desc())
        if open_only:
            wanted = wanted.where(t.incident.c.closed == 0)
        with self._engine.connect() as connection:
            rows = connection.execute(wanted.limit(limit))
            return [Incident.model_validate_json(row.state) for row in rows]

    def load(self, connection: Connection, incident_id: str) -> Incident | None:
        """Return one incident as a transaction sees it."""
        wanted = select(t.incident.c.state).where(t.incident.c.id == incident_id)
        state = connection.execute(wanted).scalar()
        return Incident.model_validate_json(state) if state else None

    def save(self, connection: Connection, state: Incident, *, new: bool) -> None:
        """Write one incident in a transaction."""
        row = {
            "opened_ms": to_ms(state.opened_at),
            "closed": int(state.status is Status.CLOSED),
            "state": state.model_dump_json(),
        }
        if new:
            connection.execute(t.incident.insert().values(id=state.id, **row))
        else:
            connection.execute(update(t.incident).where(t.incident.c.id == state.id).values(**row))


class StoredChanges:
    """The read model of changes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def between(self, start: datetime, end: datetime, limit: int = 500) -> list[Change]:
        """Return the changes of a span of time, in order."""
        wanted = (
            select(t.change.c.body)
            .where(t.change.c.time_ms.between(to_ms(start), to_ms(end)))
            .order_by(t.change.c.time_ms)
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [Change.model_validate_json(row.body) for row in connection.execute(wanted)]

    def get(self, change_id: str) -> Change | None:
        """Return one change, or None."""
        wanted = select(t.change.c.body).where(t.change.c.id == change_id)
        with self._engine.connect() as connection:
            body = connection.execute(wanted).scalar()
        return Change.model_validate_json(body) if body else None


class StoredEvidence:
    """Where the detector leaves what it knows of each open incident."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, incident_id: str) -> EvidenceRecord | None:
        """Return the latest evidence of an incident, or None."""
        wanted = select(t.evidence).where(t.evidence.c.incident_id == incident_id)
        with self._store.engine.connect() as connection:
            row = connection.execute(wanted).first()
        if row is None:
            return None
        return EvidenceRecord(
            incident_id=row.incident_id, until=from_ms(row.until_ms), payload=row.payload
        )

    def put(self, record: EvidenceRecord) -> None:
        """Replace the evidence of an incident."""
        with self._store.writing() as connection:
            self.save(connection, record)

    def save(self, connection: Connection, record: EvidenceRecord) -> None:
        """Replace the evidence of an incident in a transaction."""
        row = {
            "incident_id": record.incident_id,
            "until_ms": to_ms(record.until),
            "payload": record.payload,
        }
        _upsert(connection, t.evidence, [row])


class Appender:
    """Group commit: requests that wait together are made durable together, on one thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: queue.SimpleQueue[tuple[bytes, Future[IngestReport]] | None]
        self._waiting = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="appender", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, body: bytes) -> "Future[IngestReport]":
        """Queue a body; the future is done when it is durable, or failed."""
        future: Future[IngestReport] = Future()
        self._waiting.put((body, future))
        return future

    def close(self) -> None:
        """Finish what waits and end the thread."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            body, future = item
            try:
                future.set_result(self._store.ingest(body))
            except Exception as error:  # noqa: BLE001 - the waiting request gets every failure
                future.set_exception(error)


def _upsert(connection: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    from sqlalchemy.dialects import postgresql, sqlite

    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table)
    keys = [column.name for column in table.primary_key]
    others = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if column.name not in keys
    }
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=others), rows)


def _recorded(row: Any) -> Recorded:
    return Recorded(
        position=row.position,
        stream=row.stream,
        version=row.version,
        fact_id=row.fact_id,
        occurred_at=from_ms(row.occurred_at_ms),
        recorded_at=from_ms(row.recorded_at_ms),
        actor=row.actor,
        correlation_id=row.correlation_id,
        causation_id=row.causation_id,
        fact=read_fact(row.type, row.schema_version, json.loads(row.payload)),
    )


def _block(row: Any) -> EventBlock:
    return EventBlock(row.first_position, row.count, row.received_at_ms, _unpack(row.data))


def _unpack(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(data)


def _checksum(payload: bytes) -> int:
    return xxhash.xxh3_64_intdigest(payload) >> 1
