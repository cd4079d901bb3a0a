"""What was refused at the door, counted by source, field and reason.

The refused lines themselves are not kept: they may hold anything, also what must not be stored.
Counts tell an operator which sender is wrong and how, and take no more room however many come.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from recoup.domain.base import from_ms, to_ms
from recoup.domain.series import LineProblem
from store import tables as t
from store.database import Database, upsert

MOST_REASONS = 200
"""Reasons kept of each source; a reason may quote what a stranger sent, so they have to end."""
OTHER = "(another reason)"


@dataclass(frozen=True)
class Rejection:
    """How often something was refused for a reason, and when first and last."""

    source: str
    field: str
    reason: str
    count: int
    first_at: datetime
    last_at: datetime


def note(database: Database, source: str, problems: Iterable[LineProblem], now: datetime) -> None:
    """Count what was refused of one body."""
    counted = Counter((_clean(one.field, 200), _clean(one.reason, 300)) for one in problems)
    if not counted:
        return
    c = t.rejections.c
    at = to_ms(now)
    with database.writing() as connection:
        known = {
            (row.field, row.reason): (row._mapping["count"], row.first_ms)
            for row in connection.execute(select(t.rejections).where(c.source == source))
        }
        rows: dict[tuple[str, str], tuple[int, int]] = {}
        for key, times in counted.items():
            place = key if key in known or len(known) < MOST_REASONS else ("", OTHER)
            before, first = known.get(place, (0, at))
            known[place] = rows[place] = (before + times, first)
        upsert(
            connection,
            t.rejections,
            [
                {
                    "source": source,
                    "field": field,
                    "reason": reason,
                    "count": count,
                    "first_ms": first,
                    "last_ms": at,
                }
                for (field, reason), (count, first) in rows.items()
            ],
        )


def read(connection: Connection) -> list[Rejection]:
    """Return what was refused, the most frequent first."""
    c = t.rejections.c
    ordered = select(t.rejections).order_by(c["count"].desc(), c.source, c.field, c.reason)
    return [
        Rejection(
            row.source,
            row.field,
            row.reason,
            row._mapping["count"],
            from_ms(row.first_ms),
            from_ms(row.last_ms),
        )
        for row in connection.execute(ordered)
    ]


def _clean(text: str, longest: int) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)[:longest]
