"""The read model of incidents: the state folded from each incident's facts."""

from sqlalchemy import Connection, select

from recoup.domain.facts import Recorded
from recoup.domain.incident import Incident, Status, apply
from store import tables as t
from store.database import Database, upsert
from store.moments import to_us


class StoredIncidents:
    """The incidents of the log, as they stand."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, incident_id: str) -> Incident | None:
        """Return one incident, or None."""
        with self._database.reading() as connection:
            return _load(connection, incident_id)

    def list(self, *, open_only: bool = False, limit: int = 100) -> list[Incident]:
        """Return incidents, the latest first."""
        wanted = select(t.incidents.c.state).order_by(
            t.incidents.c.opened_us.desc(), t.incidents.c.id
        )
        if open_only:
            wanted = wanted.where(t.incidents.c.is_open)
        with self._database.reading() as connection:
            rows = connection.execute(wanted.limit(limit))
            return [Incident.model_validate_json(row.state) for row in rows]


def advance(connection: Connection, entry: Recorded) -> None:
    """Fold one more fact into the state of its incident."""
    state = apply(_load(connection, entry.stream), entry)
    if state is None:
        return
    row = {
        "id": state.id,
        "opened_us": to_us(state.opened_at),
        "is_open": state.status is not Status.CLOSED,
        "state": state.model_dump_json(),
    }
    upsert(connection, t.incidents, [row])


def empty(connection: Connection) -> None:
    """Drop every row, before the read model is made anew."""
    connection.execute(t.incidents.delete())


def _load(connection: Connection, incident_id: str) -> Incident | None:
    wanted = select(t.incidents.c.state).where(t.incidents.c.id == incident_id)
    state = connection.execute(wanted).scalar()
    return Incident.model_validate_json(state) if state else None
