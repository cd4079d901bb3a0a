"""The read model of changes."""

from datetime import datetime

from sqlalchemy import Connection, func, select

from recoup.domain.changes import Change
from store import tables as t
from store.database import Database, upsert
from store.moments import from_us, to_us


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

    def latest(self, until: datetime) -> datetime | None:
        """Return the time of the latest change up to a moment, or None."""
        wanted = select(func.max(t.changes.c.time_us)).where(t.changes.c.time_us <= to_us(until))
        with self._database.reading() as connection:
            found = connection.execute(wanted).scalar()
        return from_us(found) if found is not None else None

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
