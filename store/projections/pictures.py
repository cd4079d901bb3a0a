"""What the pages draw: packed slices of every cohort, and the ticks of a stretch of time."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from recoup.domain.series import SliceRow, TickRow
from store import tables as t
from store.database import Database, upsert

KEPT_MS = 40 * 86_400_000
"""Slices older than this, counted back from the newest, are dropped."""


class StoredPictures:
    """Slices and ticks by time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def slices(self, start_ms: int, end_ms: int) -> list[bytes]:
        """Return the packed slices with ``start_ms <= start < end_ms``, in order of time."""
        table = t.slices.c
        wanted = (
            select(table.payload)
            .where(table.start_ms >= start_ms, table.start_ms < end_ms)
            .order_by(table.start_ms)
        )
        with self._database.reading() as connection:
            return [bytes(row.payload) for row in connection.execute(wanted)]

    def newest_slice(self) -> int | None:
        """Return the start of the newest slice, or None while there is none."""
        with self._database.reading() as connection:
            return connection.execute(select(func.max(t.slices.c.start_ms))).scalar()

    def ticks(self, cohort: str, start_ms: int, end_ms: int) -> list[TickRow]:
        """Return the ticks of every metric of a cohort, in order of metric and time."""
        table = t.ticks.c
        wanted = (
            select(*(table[name] for name in TickRow._fields))
            .where(table.tick_ms.between(start_ms, end_ms), table.cohort == cohort)
            .order_by(table.metric, table.tick_ms)
        )
        with self._database.reading() as connection:
            return [TickRow(*row) for row in connection.execute(wanted)]


def save_slices(connection: Connection, rows: Sequence[SliceRow]) -> None:
    """Write slices; one cut again is replaced, and those beyond keeping are dropped."""
    if not rows:
        return
    upsert(connection, t.slices, [row._asdict() for row in rows])
    oldest = max(row.start_ms for row in rows) - KEPT_MS
    connection.execute(t.slices.delete().where(t.slices.c.start_ms < oldest))
