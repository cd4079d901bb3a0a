"""The head of the log: the one row whose lock makes the order of everything."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, select, update

from store import tables as t
from store.database import Database

FIRST_CHAIN = "0" * 64
"""What the first fact is chained to."""

# Made once: building a statement takes longer than the database takes for this row.
_POSITION = select(t.head.c.position)
_LOCK = select(t.head).with_for_update()
_ADVANCE = update(t.head).values(
    **{name: bindparam(f"new_{name}") for name in ("position", "chain", "facts", "erasures")},
    **{name: t.head.c[name] + bindparam(f"more_{name}") for name in t.COUNTERS},
)


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
        row = connection.execute(_LOCK).one()
        head = Head(connection, row.position, row.chain, row.facts, row.erasures)
        yield head
        connection.execute(
            _ADVANCE,
            {
                "new_position": head.position,
                "new_chain": head.chain,
                "new_facts": head.facts,
                "new_erasures": head.erasures,
                **{f"more_{name}": head.counts[name] for name in t.COUNTERS},
            },
        )


def position_of(connection: Connection) -> int:
    """Return the last committed position; everything up to it can be read by now."""
    return int(connection.execute(_POSITION).scalar_one())
