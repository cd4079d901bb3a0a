"""Counts of the log, for people and for checks."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, func, select

from recoup.domain.base import from_ms
from store import tables as t


@dataclass(frozen=True)
class LogStats:
    """What is in the log, and what was refused.

    ``early`` events were a little ahead of the clock here, ``late`` ones more than a day behind
    it; both were kept. ``runaway_dimensions`` says of dimensions with very many values how many
    there are at least.
    """

    events: int
    facts: int
    duplicates: int
    conflicts: int
    rejected: int
    early: int
    late: int
    blocks: int
    sealed_blocks: int
    bytes_per_event: float
    first_time: datetime | None
    last_time: datetime | None
    last_position: int
    runaway_dimensions: dict[str, int] = field(default_factory=dict)


def read_stats(connection: Connection) -> LogStats:
    """Count what is in the log."""
    head = connection.execute(select(t.head)).one()
    c = t.blocks.c
    blocks, events, size, first, last = connection.execute(
        select(
            func.count(),
            func.coalesce(func.sum(c.count), 0),
            func.coalesce(func.sum(func.length(c.data) + func.length(c.id_hashes)), 0),
            func.min(c.first_ms),
            func.max(c.last_ms),
        ).where(c.sealed_in == "")
    ).one()
    sealed = connection.execute(select(func.count()).where(c.sealed_in != "")).scalar_one()
    runaway = connection.execute(select(t.dimension_counts).order_by(t.dimension_counts.c[0]))
    return LogStats(
        events=head.events,
        facts=head.facts,
        duplicates=head.duplicates,
        conflicts=head.conflicts,
        rejected=head.rejected,
        early=head.early,
        late=head.late,
        blocks=blocks,
        sealed_blocks=sealed,
        bytes_per_event=round(float(size) / int(events), 2) if events else 0.0,
        first_time=from_ms(first) if first is not None else None,
        last_time=from_ms(last) if last is not None else None,
        last_position=head.position,
        runaway_dimensions={row.dimension: row.values_seen for row in runaway},
    )
