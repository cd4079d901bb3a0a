"""Ingest: from bodies to a block in the log, exactly once, durable before anybody is told.

Decoding happens outside the lock. Under the head's lock the writer catches up with what other
processes appended, replaces people by pseudonyms, sorts out repeats and appends the rest.
"""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
import numpy as np
from sqlalchemy import Connection, select

from recoup.domain.base import to_ms
from recoup.domain.clock import Clock
from recoup.domain.series import EventBlock, IngestReport, LineProblem
from store import tables as t
from store.blocks import MAX_BLOCK_EVENTS, append_block, read_block
from store.database import Database, upsert
from store.decoding import Decoded, EventDecoder, EventLine
from store.dedup import Hashes, HashIndex, hash_ids
from store.head import Head, appending
from store.people import was_erased
from store.pseudonyms import Privacy, Pseudonyms
from store.sealing import lines_of_sealed

EARLY_LIMIT = timedelta(minutes=10)
"""An event further ahead of this clock is refused: its time cannot be right."""
LATE_AFTER = timedelta(hours=24)
"""An older event is kept and counted as late."""
RUNAWAY_VALUES = 500
"""A dimension with more values is named in the statistics; the detector folds from there on."""
_CACHED_BLOCKS = 64
_OTHER_CONTENT = "this id came before with other content"


@dataclass
class _Batch:
    """One body on its way into the log."""

    decoded: Decoded
    problems: list[LineProblem]
    fresh: list[EventLine] = field(default_factory=list)
    duplicates: int = 0
    conflicts: list[LineProblem] = field(default_factory=list)

    def report(self, last_position: int) -> IngestReport:
        return IngestReport(
            accepted=len(self.fresh),
            duplicates=self.duplicates,
            rejected=tuple(sorted(self.problems)),
            conflicts=tuple(self.conflicts),
            last_position=last_position,
        )


class Ingestor:
    """Appends storefront events; one per process and database."""

    def __init__(
        self, database: Database, clock: Clock, privacy: Privacy, pseudonyms: Pseudonyms
    ) -> None:
        self._database = database
        self._clock = clock
        self._privacy = privacy
        self._pseudonyms = pseudonyms
        self.decoder = EventDecoder()
        self.index = HashIndex()
        self._indexed_until = 0
        self.runaway_values = RUNAWAY_VALUES
        self._stored: dict[int, dict[str, bytes]] = {}
        self._mutex = threading.Lock()

    def ingest(self, bodies: Sequence[bytes]) -> list[IngestReport]:
        """Append bodies in one transaction; a report for each, durable when they are returned."""
        return self.append([self.decoder.decode(body) for body in bodies])

    def append(self, decoded: Sequence[Decoded]) -> list[IngestReport]:
        """Append decoded bodies in one transaction.

        Raises StorageUnavailable when nothing of them was stored.
        """
        now = self._clock.now()
        batches = [self._limit(one, now) for one in decoded]
        if not any(batch.decoded.events or batch.problems for batch in batches):
            with self._database.reading() as connection:
                last = connection.execute(select(t.head.c.position)).scalar_one()
            return [batch.report(last) for batch in batches]
        with self._mutex:
            try:
                return self._append(batches, now)
            except BaseException:
                # What was learned inside the transaction may not have become true.
                self._pseudonyms.forget()
                raise

    def _append(self, batches: list[_Batch], now: datetime) -> list[IngestReport]:
        added: list[tuple[int, Hashes]] = []
        ends: list[int] = []
        with appending(self._database) as head:
            self._catch_up(head)
            self._protect(head, batches)
            fresh, hashes = self._part(head.connection, batches)
            start = head.position + 1
            for low in range(0, len(fresh), MAX_BLOCK_EVENTS):
                part = slice(low, low + MAX_BLOCK_EVENTS)
                first = append_block(head, fresh[part], hashes[part], to_ms(now))
                added.append((first, hashes[part]))
            self._count(head, batches, fresh, now)
            ends = _ends(batches, start)
        for first, of_block in added:
            self.index.add(of_block, first)
        self._indexed_until = max(self._indexed_until, head.position)
        return [batch.report(end) for batch, end in zip(batches, ends, strict=True)]

    def _limit(self, decoded: Decoded, now: datetime) -> _Batch:
        """Refuse what claims to come from the future."""
        latest = now + EARLY_LIMIT
        if max((event.time for event in decoded.events), default=now) <= latest:
            return _Batch(decoded, list(decoded.problems))
        reason = f"more than {EARLY_LIMIT.seconds // 60} minutes ahead of the clock here"
        kept = Decoded([], [], [])
        problems = list(decoded.problems)
        for event, line in zip(decoded.events, decoded.lines, strict=True):
            if event.time > latest:
                problems.append(LineProblem(line, "time", reason))
            else:
                kept.events.append(event)
                kept.lines.append(line)
        return _Batch(kept, problems)

    def _catch_up(self, head: Head) -> None:
        """Index the blocks that other processes, or an earlier run, appended."""
        if self._indexed_until == head.position:
            return
        wanted = (
            select(t.blocks.c.first_position, t.blocks.c.id_hashes)
            .where(t.blocks.c.first_position > self._indexed_until)
            .order_by(t.blocks.c.first_position)
        )
        found = [
            (first, np.frombuffer(bytes(hashes), dtype=np.uint64))
            for first, hashes in head.connection.execute(wanted)
        ]
        self.index.add_blocks(found)
        self._indexed_until = head.position

    def _protect(self, head: Head, batches: list[_Batch]) -> None:
        """Replace people by pseudonyms, and leave out the props that nobody asked to keep."""
        events = [event for batch in batches for event in batch.decoded.events]
        kept = self._privacy.kept_props
        if kept:
            for event in events:
                if event.type in kept:
                    names = kept[event.type]
                    event.props = {k: v for k, v in event.props.items() if k in names}
        identifying = [
            (event, name)
            for name in self._privacy.pseudonymised_props
            for event in events
            if isinstance(event.props.get(name), str)
        ]
        subjects = {event.user for event in events if event.user is not None}
        subjects.update([event.props[name] for event, name in identifying])
        if not subjects:
            return
        known = self._pseudonyms.of(head.connection, subjects, head.erasures)
        for event in events:
            if event.user is not None:
                event.user = known[event.user]
        for event, name in identifying:
            event.props[name] = known[event.props[name]]

    def _part(
        self, connection: Connection, batches: list[_Batch]
    ) -> tuple[list[EventLine], Hashes]:
        """Part what is new from what repeats the log or an earlier line of these bodies."""
        events = [event for batch in batches for event in batch.decoded.events]
        hashes = hash_ids([event.id for event in events])
        suspects = self.index.find(hashes)
        ordered = np.sort(hashes)
        if not suspects and not (ordered[1:] == ordered[:-1]).any():
            for batch in batches:
                batch.fresh = batch.decoded.events
            return events, hashes
        places: dict[int, list[int]] = {}
        for index, first in suspects:
            places.setdefault(index, []).append(first)
        keep = np.zeros(len(events), dtype=bool)
        met: dict[str, EventLine | bytes] = {}
        number = 0
        for batch in batches:
            for event, line in zip(batch.decoded.events, batch.decoded.lines, strict=True):
                before = met.get(event.id) or self._find(connection, event.id, places.get(number))
                if before is None:
                    met[event.id] = event
                    batch.fresh.append(event)
                    keep[number] = True
                elif self._is_same(connection, before, event):
                    batch.duplicates += 1
                else:
                    batch.conflicts.append(LineProblem(line, "id", _OTHER_CONTENT))
                number += 1
        return [event for event, is_new in zip(events, keep, strict=True) if is_new], hashes[keep]

    def _find(
        self, connection: Connection, event_id: str, blocks: list[int] | None
    ) -> bytes | None:
        """Return the stored line with this very id, looking where its hash was seen."""
        for first in blocks or ():
            lines = self._stored.get(first)
            if lines is None:
                if len(self._stored) >= _CACHED_BLOCKS:
                    self._stored.clear()
                lines = self._stored[first] = _by_id(connection, first)
            if event_id in lines:
                return lines[event_id]
        return None

    def _is_same(self, connection: Connection, before: EventLine | bytes, event: EventLine) -> bool:
        """Tell whether an event says what the one before it with its id said."""
        line = before if isinstance(before, bytes) else msgspec.json.encode(before)
        again = msgspec.json.encode(event)
        if line == again:
            return True
        one, two = msgspec.json.decode(line), msgspec.json.decode(again)
        if one == two:
            return True
        # The sender of a person who was erased since cannot know of the new pseudonym.
        stored_user = one.pop("user")
        two.pop("user")
        return one == two and stored_user is not None and was_erased(connection, stored_user)

    def _count(
        self, head: Head, batches: list[_Batch], fresh: list[EventLine], now: datetime
    ) -> None:
        head.counts["events"] += len(fresh)
        head.counts["duplicates"] += sum(batch.duplicates for batch in batches)
        head.counts["conflicts"] += sum(len(batch.conflicts) for batch in batches)
        head.counts["rejected"] += sum(len(batch.problems) for batch in batches)
        oldest = now - LATE_AFTER
        times = [event.time for event in fresh]
        head.counts["early"] += sum(map(now.__lt__, times))
        head.counts["late"] += sum(map(oldest.__gt__, times))
        news = self.decoder.census.news(self.runaway_values)
        if news:
            _note_runaways(head.connection, news)


def _note_runaways(connection: Connection, news: dict[str, int]) -> None:
    """Keep, for dimensions with very many values, the most that any process has counted."""
    table = t.dimension_counts
    known = {row.dimension: row.values_seen for row in connection.execute(select(table))}
    rows = [
        {"dimension": name, "values_seen": max(count, known.get(name, 0))}
        for name, count in news.items()
    ]
    upsert(connection, table, rows)


def _ends(batches: list[_Batch], start: int) -> list[int]:
    """Return the position up to which each body's events stand."""
    ends = []
    for batch in batches:
        start += len(batch.fresh)
        ends.append(start - 1)
    return ends


def _by_id(connection: Connection, first_position: int) -> dict[str, bytes]:
    """Return the stored lines of a block by id, wherever retention has put it."""
    wanted = select(t.blocks.c.sealed_in, t.blocks.c.count.label("size")).where(
        t.blocks.c.first_position == first_position
    )
    place = connection.execute(wanted).first()
    if place is not None and place.sealed_in:
        lines = lines_of_sealed(place.sealed_in, first_position, place.size)
    else:
        lines = read_block(connection, first_position).data.splitlines()
    return {_decode_id(line).id: line for line in lines}


class _OnlyId(msgspec.Struct):
    id: str


_decode_id = msgspec.json.Decoder(_OnlyId).decode


def ids_of(block: EventBlock) -> Iterator[str]:
    """Return the ids of a block's events, in order."""
    return (_decode_id(line).id for line in block.data.splitlines())
