"""Proof that the log is whole: the chain of facts, the bytes of blocks, the row of positions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Column, Connection, Table, select

from recoup.domain.errors import LogDamaged
from store import tables as t
from store.blocks import COLUMNS, SEALED, unpack
from store.database import Database
from store.dedup import hash_ids
from store.facts import link
from store.head import FIRST_CHAIN
from store.ingest import ids_of

Progress = Callable[[int, int], None]
_STEP = 500


@dataclass(frozen=True)
class AuditReport:
    """What was verified; ``problems`` is empty when the log is whole, else the first comes first.

    ``sealed_blocks`` left the log for Parquet files and were not read.
    """

    facts: int
    blocks: int
    sealed_blocks: int
    last_position: int
    chain: str
    problems: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is broken, missing or altered."""
        return not self.problems


class _Audit:
    def __init__(self, connection: Connection, progress: Progress) -> None:
        self.connection = connection
        self.progress = progress
        self.head = connection.execute(select(t.head)).one()
        self.problems: list[tuple[int, str]] = []
        self.spans: list[tuple[int, int]] = []
        self.facts = self.blocks = self.sealed = 0

    def find(self, position: int, problem: str) -> None:
        self.problems.append((position, problem))

    def check_facts(self) -> None:
        """Follow the chain; after the first broken link nothing behind it can be trusted."""
        chain, versions, broken = FIRST_CHAIN, dict[str, int](), False
        for row in self._pages(t.facts, t.facts.c.position):
            self.facts += 1
            self.spans.append((row.position, 1))
            self.progress(row.position, self.head.position)
            if broken:
                continue
            chain = link(chain, dict(row._mapping))
            versions[row.stream] = versions.get(row.stream, 0) + 1
            if chain != row.chain:
                broken = True
                self.find(row.position, f"fact {row.fact_id!r}: the chain of hashes breaks here")
            elif versions[row.stream] != row.version:
                self.find(row.position, f"fact {row.fact_id!r}: wrong version in {row.stream!r}")
        if not broken and (chain, self.facts) != (self.head.chain, self.head.facts):
            missing = self.head.facts - self.facts
            self.find(self.head.position, f"the chain ends early: {missing} facts are missing")

    def check_blocks(self) -> None:
        """Verify the bytes, the number and the ids of every block."""
        for row in self._pages(t.blocks, t.blocks.c.first_position):
            self.spans.append((row.first_position, row._mapping[t.blocks.c.count]))
            self.progress(row.first_position, self.head.position)
            if row.sealed_in:
                self.sealed += 1
        wanted = select(*COLUMNS).where(~SEALED).order_by(t.blocks.c.first_position)
        for row in self.connection.execution_options(yield_per=8).execute(wanted):
            self.blocks += 1
            self.progress(row.first_position, self.head.position)
            try:
                block = unpack(row)
            except LogDamaged as error:
                self.find(row.first_position, str(error))
                continue
            hashes = hash_ids(list(ids_of(block)))
            stored = np.frombuffer(bytes(row.id_hashes), dtype=np.uint64)
            if len(hashes) != block.count or not np.array_equal(hashes, stored):
                self.find(row.first_position, f"the block at {row.first_position} lost events")

    def check_positions(self) -> None:
        """Every position up to the head belongs to exactly one record."""
        expected = 1
        for first, count in sorted(self.spans):
            if first != expected:
                self.find(min(first, expected), f"positions {expected} to {first - 1} are missing")
                return
            expected = first + count
        if expected != self.head.position + 1:
            self.find(expected, f"positions {expected} to {self.head.position} are missing")

    def _pages(self, table: Table, key: Column[Any]) -> Iterator[t.StoredRow]:
        columns = [column for column in table.columns if column.name not in ("data", "id_hashes")]
        after = 0
        while True:
            wanted = select(*columns).where(key > after, key <= self.head.position)
            rows = self.connection.execute(wanted.order_by(key).limit(_STEP)).all()
            if not rows:
                return
            yield from rows
            after = rows[-1]._mapping[key]


def verify(database: Database, progress: Progress = lambda _done, _all: None) -> AuditReport:
    """Verify the whole log as it stands now; writers may go on meanwhile."""
    with database.reading() as connection:
        audit = _Audit(connection, progress)
        audit.check_facts()
        audit.check_blocks()
        audit.check_positions()
    return AuditReport(
        facts=audit.facts,
        blocks=audit.blocks,
        sealed_blocks=audit.sealed,
        last_position=audit.head.position,
        chain=audit.head.chain,
        problems=tuple(problem for _, problem in sorted(audit.problems)),
    )
