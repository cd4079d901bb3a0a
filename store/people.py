"""What a person may ask for: everything that is kept of them, or to be forgotten."""

from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from recoup.domain.clock import Clock
from recoup.domain.errors import NotFound
from recoup.domain.facts import NewFact, Recorded, SubjectErased
from recoup.domain.ids import derive_id
from store import tables as t
from store.blocks import all_blocks
from store.database import Database
from store.facts import append_facts
from store.head import appending
from store.pseudonyms import Pseudonyms
from store.sealing import files_of, sealed_lines

ERASURES = "privacy"


def export_subject(
    database: Database, pseudonyms: Pseudonyms, subject: str
) -> Iterator[dict[str, Any]]:
    """Return every event of a person, in the order of the log.

    Raises NotFound for a person who is unknown, or was erased.
    """
    with database.reading() as connection:
        pseudonym = pseudonyms.find(connection, subject)
        if pseudonym is None:
            raise NotFound("nothing is kept under this subject")
        yield from _events_of(connection, pseudonym)


def _events_of(connection: Connection, pseudonym: str) -> Iterator[dict[str, Any]]:
    needle = f'"{pseudonym}"'.encode()
    for position, line in _lines(connection, needle):
        if needle in line:
            yield {"position": position, **msgspec.json.decode(line)}


def _lines(connection: Connection, needle: bytes) -> Iterator[tuple[int, bytes]]:
    for file in files_of(connection):
        yield from sealed_lines(file)
    for block in all_blocks(connection):
        if needle in block.data:
            yield from enumerate(block.data.splitlines(), block.first_position)


def erase_subject(
    database: Database, pseudonyms: Pseudonyms, clock: Clock, subject: str, by: str
) -> Recorded:
    """Forget a person: delete their key, and write a receipt into the chain of facts.

    Their events stay, under a pseudonym that nobody can tie to them any more; replays and the
    audit see no difference. Raises NotFound for a person who is unknown, or was erased.
    """
    now = clock.now()
    with appending(database) as head:
        pseudonym = pseudonyms.find(head.connection, subject)
        if pseudonym is None:
            raise NotFound("nothing is kept under this subject")
        head.connection.execute(
            t.subject_keys.delete().where(
                t.subject_keys.c.subject == pseudonyms.master.lookup(subject)
            )
        )
        head.erasures += 1
        receipt = _receipt(pseudonym)
        new = NewFact(
            fact_id=receipt,
            fact=SubjectErased(receipt_id=receipt, pseudonym=pseudonym, by=by),
            occurred_at=now,
            actor=by,
        )
        [entry] = append_facts(head, ERASURES, [new], now)
    return entry


def was_erased(connection: Connection, pseudonym: str) -> bool:
    """Tell whether a pseudonym stands for a person who was erased."""
    wanted = select(t.facts.c.position).where(t.facts.c.fact_id == _receipt(pseudonym))
    return connection.execute(wanted).first() is not None


def _receipt(pseudonym: str) -> str:
    return derive_id("erasure", pseudonym)
