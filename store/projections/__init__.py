"""Read models made from the log, each brought up to date in the transaction of the append."""

from sqlalchemy import Connection

from recoup.domain.facts import ChangeRecorded, Recorded
from store.projections import changes, incidents

READ_MODELS = ("incidents", "changes")


def project(connection: Connection, entry: Recorded) -> None:
    """Bring the read models up to date with one more fact."""
    if isinstance(entry.fact, ChangeRecorded):
        changes.save(connection, entry.fact.change)
    elif getattr(entry.fact, "incident_id", None) == entry.stream:
        incidents.advance(connection, entry)


def empty(connection: Connection, name: str) -> None:
    """Empty a read model, before it is made anew."""
    {"incidents": incidents.empty, "changes": changes.empty}[name](connection)
