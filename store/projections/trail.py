"""The log of facts as an auditor pages through it: the latest first, narrowed down at will."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from recoup.domain.facts import Recorded
from store import tables as t
from store.database import Database
from store.facts import recorded


@dataclass(frozen=True)
class TrailEntry:
    """A fact with the hash that ties it to the one before."""

    entry: Recorded
    chain: str


class FactTrail:
    """Reads facts backwards."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def latest(
        self,
        *,
        before: int | None = None,
        limit: int = 100,
        type_name: str = "",
        stream: str = "",
        actor: str = "",
    ) -> list[TrailEntry]:
        """Return facts below a position, the latest first; empty texts narrow nothing."""
        table = t.facts.c
        wanted = select(t.facts).order_by(table.position.desc()).limit(limit)
        if before is not None:
            wanted = wanted.where(table.position < before)
        for column, value in (("type", type_name), ("stream", stream), ("actor", actor)):
            if value:
                wanted = wanted.where(table[column] == value)
        with self._database.reading() as connection:
            return [TrailEntry(recorded(row), row.chain) for row in connection.execute(wanted)]

    def since(self, moment: datetime, types: tuple[str, ...]) -> list[Recorded]:
        """Return the facts of some types that occurred since a moment, in order."""
        table = t.facts.c
        wanted = (
            select(t.facts)
            .where(table.type.in_(sorted(types)), table.occurred_at >= moment.isoformat())
            .order_by(table.position)
        )
        with self._database.reading() as connection:
            return [recorded(row) for row in connection.execute(wanted)]
