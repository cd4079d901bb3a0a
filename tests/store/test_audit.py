"""Whoever alters, removes or slips in anything is found out, and where is said."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from recoup.domain.facts import FreezeSet, NewFact
from store.audit import verify
from store.opening import Store

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def filled(store: Store, event: Any) -> Store:
    for number in range(5):
        store.ingest(b"\n".join(event(f"{number}-{i}") for i in range(3)))
        fact = FreezeSet(frozen=True, by="ann", reason=f"r{number}")
        store.append("freeze", [NewFact(fact_id=f"f{number}", fact=fact, occurred_at=NOW)])
    return store


def alter(store: Store, statement: str) -> None:
    with store.database.writing() as connection:
        connection.execute(text(statement))


def test_a_whole_log_verifies(filled: Store) -> None:
    report = verify(filled.database)
    assert (report.is_whole, report.facts, report.blocks, report.last_position) == (
        True,
        5,
        5,
        20,
    )


ALTERATIONS = {
    "payload": ("UPDATE facts SET payload = replace(payload, 'r2', 'r9')", "'f2': the chain"),
    "actor": ("UPDATE facts SET actor = 'eve' WHERE version = 4", "'f3': the chain"),
    "time": ("UPDATE facts SET occurred_at = '2020-01-01' WHERE version = 1", "'f0': the chain"),
    "removed": ("DELETE FROM facts WHERE version = 2", "'f2': the chain"),
    "cut off": ("DELETE FROM facts WHERE version = 5", "1 facts are missing"),
    "all gone": ("DELETE FROM facts", "5 facts are missing"),
    "block removed": ("DELETE FROM blocks WHERE first_position = 5", "positions 5 to 7"),
    "last block removed": ("DELETE FROM blocks WHERE first_position = 17", "positions 17 to 19"),
    "wrong count": ("UPDATE blocks SET count = 4 WHERE first_position = 5", "lost events"),
}


@pytest.mark.parametrize("name", ALTERATIONS)
def test_alterations_are_found_and_placed(filled: Store, name: str) -> None:
    statement, words = ALTERATIONS[name]
    alter(filled, statement)
    report = verify(filled.database)
    assert not report.is_whole
    assert any(words in problem for problem in report.problems), report.problems


def test_the_first_broken_link_comes_first(filled: Store) -> None:
    alter(filled, "UPDATE facts SET actor = 'eve' WHERE version IN (2, 4)")
    [problem] = verify(filled.database).problems
    assert "'f1'" in problem
