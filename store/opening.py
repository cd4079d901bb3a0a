"""Opening the store, and the one class through which everything reaches it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from recoup.domain.base import from_ms, to_ms
from recoup.domain.changes import Change
from recoup.domain.clock import Clock
from recoup.domain.errors import ContentConflict
from recoup.domain.facts import ChangeRecorded, NewFact, Recorded
from recoup.domain.ports import EvidenceRecord
from recoup.domain.series import EventBlock, IngestReport, LineProblem, SliceRow, TickRow
from store import head, rejections
from store.appender import Appender
from store.blocks import read_blocks
from store.database import Database
from store.facts import append_facts, read_facts, read_stream
from store.ingest import Ingestor
from store.migrating import bring_up_to_date
from store.projections import detection
from store.projections.changes import StoredChanges
from store.projections.detection import StoredEvidence
from store.projections.incidents import StoredIncidents
from store.projections.pictures import StoredPictures, save_slices
from store.projections.trail import FactTrail
from store.pseudonyms import MasterKey, Privacy, Pseudonyms
from store.rejections import Rejection
from store.stats import LogStats, read_stats

if TYPE_CHECKING:
    from recoup.settings import Settings

_FACTS_AT_ONCE = 2_000


def open_store(url: str, clock: Clock, *, privacy: Privacy | None = None) -> "Store":
    """Open the store at a database URL; a new one is made, an older one is migrated.

    Raises ConfigurationError for a URL or a schema that cannot be used, StorageUnavailable when
    the database cannot be reached or written.
    """
    database = Database(url)
    try:
        bring_up_to_date(database)
    except BaseException:
        database.close()
        raise
    return Store(database, clock, privacy or Privacy())


def open_from(settings: "Settings", clock: Clock | None = None) -> "Store":
    """Open the store that the settings name, with their clock and their privacy rules."""
    privacy = Privacy(
        master_key=settings.master_key,
        pseudonymised_props=settings.privacy.pseudonymised_props,
        kept_props=settings.privacy.kept_props,
    )
    store = open_store(settings.store_url, clock or settings.clock.clock(), privacy=privacy)
    store.ingestor.runaway_values = settings.detect.max_values_per_dimension
    return store


class Store:
    """The log and everything derived from it; thread-safe, and shared by several processes."""

    def __init__(self, database: Database, clock: Clock, privacy: Privacy) -> None:
        self.database = database
        self.clock = clock
        self.privacy = privacy
        self.key_file = database.path.with_suffix(".key") if database.path else None
        self.master_key = MasterKey(privacy.master_key, self.key_file)
        self.pseudonyms = Pseudonyms(self.master_key)
        self.incidents = StoredIncidents(database)
        self.changes = StoredChanges(database)
        self.evidence = StoredEvidence(database)
        self.pictures = StoredPictures(database)
        self.trail = FactTrail(database)
        self.ingestor = Ingestor(database, clock, privacy, self.pseudonyms)
        self._appenders: list[Appender] = []

    def close(self) -> None:
        """Finish what was submitted and give back the connections."""
        for appender in self._appenders:
            appender.close()
        self.database.close()

    # Storefront events

    def ingest(self, body: bytes) -> IngestReport:
        """Take in NDJSON, a JSON array or one object; durable when it returns.

        Raises InvalidInput when the body is too large, StorageUnavailable when nothing was stored.
        """
        return self.ingestor.ingest([body])[0]

    def appender(self) -> Appender:
        """Return a group commit for many small requests; ``start`` it, and ``close`` it."""
        appender = Appender(self.ingestor)
        self._appenders.append(appender)
        return appender

    def note_rejected(self, source: str, problems: Iterable[LineProblem]) -> None:
        """Count what was refused of a body, by field and reason."""
        rejections.note(self.database, source, problems, self.clock.now())

    def rejected(self) -> list[Rejection]:
        """Return what was refused, by source and reason, the most frequent first."""
        with self.database.reading() as connection:
            return rejections.read(connection)

    # The one order

    def head(self) -> int:
        """Return the last position of the log; everything up to it can be read by now."""
        with self.database.reading() as connection:
            return head.position_of(connection)

    def read(self, after: int, max_events: int = 5000) -> list[EventBlock | Recorded]:
        """Return what stands behind ``after``, in order: blocks of events, and facts.

        At most ``max_events`` events, but at least one block if there is one. Nothing that is
        appended later can have a position below the last one returned.
        """
        with self.database.reading() as connection:
            # Reading the head first bounds both queries by what was complete before either ran.
            until = head.position_of(connection)
            if after >= until:
                return []
            found, until = read_blocks(connection, after, until, max_events)
            entries = read_facts(connection, after, _FACTS_AT_ONCE, until=until)
        if len(entries) == _FACTS_AT_ONCE:
            found = [block for block in found if block.first_position < entries[-1].position]
        records: list[EventBlock | Recorded] = [*found, *entries]
        return sorted(records, key=_place)

    # Facts

    def append(
        self, stream: str, facts: Sequence[NewFact], expected_version: int | None = None
    ) -> list[Recorded]:
        """Append facts to a stream; see ``recoup.domain.ports.FactLog``."""
        with head.appending(self.database) as end:
            return append_facts(end, stream, facts, self.clock.now(), expected_version)

    def read_stream(self, stream: str) -> list[Recorded]:
        """Return the facts of one stream in order of version."""
        with self.database.reading() as connection:
            return read_stream(connection, stream)

    def read_facts(
        self, after: int = 0, limit: int = 1000, types: Iterable[str] = ()
    ) -> list[Recorded]:
        """Return facts with a position above ``after``, in order, at most ``limit`` of them."""
        with self.database.reading() as connection:
            until = head.position_of(connection)
            return read_facts(connection, after, limit, types, until=until)

    def record_change(self, change: Change, actor: str = "recoup") -> bool:
        """Record a change; tell whether it is new. Raises ContentConflict for another content."""
        new = NewFact(
            fact_id=f"change:{change.id}",
            fact=ChangeRecorded(change=change),
            occurred_at=change.time,
            actor=actor,
        )
        with head.appending(self.database) as end:
            before = end.position
            entry = append_facts(end, f"change-{change.id}", [new], self.clock.now())[0]
        if isinstance(entry.fact, ChangeRecorded) and entry.fact.change != change:
            raise ContentConflict(f"change {change.id!r} came before with other content")
        return entry.position > before

    # Projections

    def checkpoint(self, projection: str) -> int:
        """Return how far a projection or a reader has come."""
        with self.database.reading() as connection:
            return detection.checkpoint(connection, projection)

    def note_position(self, reader: str, position: int) -> None:
        """Note how far a reader has come."""
        with self.database.writing() as connection:
            detection.save_checkpoint(connection, reader, position)

    def looked_until(self, history: str) -> datetime | None:
        """Return up to which moment a vendor's history was read; None when it never was."""
        position = self.checkpoint(f"{detection.MOMENTS}{history}")
        return from_ms(position) if position else None

    def note_look(self, history: str, until: datetime) -> None:
        """Note up to which moment a vendor's history was read."""
        self.note_position(f"{detection.MOMENTS}{history}", to_ms(until))

    def commit_projection(
        self,
        projection: str,
        position: int,
        *,
        facts: Sequence[tuple[str, NewFact]] = (),
        evidence: Sequence[EvidenceRecord] = (),
        ticks: Sequence[TickRow] = (),
        slices: Sequence[SliceRow] = (),
        snapshot: bytes | None = None,
    ) -> list[Recorded]:
        """Store what a projection made of the log up to a position, all in one transaction."""
        now = self.clock.now()
        recorded: list[Recorded] = []
        with head.appending(self.database) as end:
            for stream, new in facts:
                recorded += append_facts(end, stream, [new], now)
            detection.save_evidence(end.connection, evidence)
            detection.save_ticks(end.connection, ticks)
            save_slices(end.connection, slices)
            if snapshot is not None:
                detection.save_snapshot(end.connection, projection, position, snapshot)
            detection.save_checkpoint(end.connection, projection, position)
        return recorded

    def latest_snapshot(
        self, projection: str, *, until: int | None = None
    ) -> tuple[int, bytes] | None:
        """Return position and payload of the newest snapshot (up to a position) that verifies."""
        with self.database.reading() as connection:
            return detection.latest_snapshot(connection, projection, until)

    def ticks(self, metric: str, cohort: str, start_ms: int, end_ms: int) -> list[TickRow]:
        """Return what was watched of one metric and cohort, ``start_ms <= tick_ms <= end_ms``."""
        with self.database.reading() as connection:
            return detection.ticks(connection, metric, cohort, start_ms, end_ms)

    def tick_metrics(self) -> list[tuple[str, str]]:
        """Return the (metric, cohort label) pairs that ``ticks`` can be asked for."""
        with self.database.reading() as connection:
            return detection.tick_metrics(connection)

    def stats(self) -> LogStats:
        """Return the counts of the log."""
        with self.database.reading() as connection:
            return read_stats(connection)


def _place(record: EventBlock | Recorded) -> int:
    return record.first_position if isinstance(record, EventBlock) else record.position
