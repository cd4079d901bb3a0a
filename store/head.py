"""The head of the log: the one row whose lock makes the order of everything."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, select, update

from store import tables as t
from store.database import Database

FIRST_CHAIN = "0" * 64
"""What the first fact is chained to."""


@dataclass
class Head:
    """The end of the log, held by one writing transaction."""

    connection: Connection
    position: int
    chain: str
    facts: int
    erasures: int
    counts: Counter[str] = field(default_factory=Counter)

    def take(self, count: int) -> int:
        """Take the next ``count`` positions and return the first of them."""
        first = self.position + 1
        self.position += count
        return first


@contextmanager
def appending(database: Database) -> Iterator[Head]:
    """Give the head of the log; what was appended is durable once the block has ended."""
    with database.writing() as connection:
        row = connection.execute(select(t.head).with_for_update()).one()
        head = Head(connection, row.position, row.chain, row.facts, row.erasures)
        yield head
        counted = {name: t.head.c[name] + count for name, count in head.counts.items() if count}
        connection.execute(
            update(t.head).values(
                position=head.position,
                chain=head.chain,
                facts=head.facts,
                erasures=head.erasures,
                **counted,
            )
        )


def position_of(connection: Connection) -> int:
    """Return the last committed position; everything up to it can be read by now."""
    return int(connection.execute(select(t.head.c.position)).scalar_one())
