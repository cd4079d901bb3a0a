"""The read model of changes."""

from datetime import datetime

from sqlalchemy import Connection, select

from recoup.domain.changes import Change
from store import tables as t
from store.database import Database, upsert
from store.moments import to_us


class StoredChanges:
    """The changes of the log, by id and by time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def between(self, start: datetime, end: datetime, limit: int = 500) -> list[Change]:
        """Return the changes with ``start <= time <= end``, in order of time."""
        wanted = (
            select(t.changes.c.body)
            .where(t.changes.c.time_us.between(to_us(start), to_us(end)))
            .order_by(t.changes.c.time_us, t.changes.c.id)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [Change.model_validate_json(row.body) for row in connection.execute(wanted)]

    def get(self, change_id: str) -> Change | None:
        """Return one change, or None."""
        wanted = select(t.changes.c.body).where(t.changes.c.id == change_id)
        with self._database.reading() as connection:
            body = connection.execute(wanted).scalar()
        return Change.model_validate_json(body) if body else None


def save(connection: Connection, change: Change) -> None:
    """Write one change."""
    row = {"id": change.id, "time_us": to_us(change.time), "body": change.model_dump_json()}
    upsert(connection, t.changes, [row])


def empty(connection: Connection) -> None:
    """Drop every row, before the read model is made anew."""
    connection.execute(t.changes.delete())
