"""Read models made from the log, each brought up to date in the transaction of the append."""

from collections.abc import Sequence

from sqlalchemy import Connection

from recoup.domain.facts import ChangeRecorded, Recorded
from store.projections import changes, incidents

READ_MODELS = ("incidents", "changes")


def project(connection: Connection, entry: Recorded, names: Sequence[str] = READ_MODELS) -> None:
    """Bring read models up to date with one more fact."""
    if isinstance(entry.fact, ChangeRecorded):
        if "changes" in names:
            changes.save(connection, entry.fact.change)
    elif getattr(entry.fact, "incident_id", None) == entry.stream and "incidents" in names:
        incidents.advance(connection, entry)


def empty(connection: Connection, name: str) -> None:
    """Empty a read model, before it is made anew."""
    {"incidents": incidents.empty, "changes": changes.empty}[name](connection)
