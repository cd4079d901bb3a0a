"""People are pseudonyms; a forgotten person stays forgotten while log, replay and audit hold."""

import base64
import hmac
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from recoup.domain.clock import FixedClock
from recoup.domain.errors import ConfigurationError, NotFound
from recoup.domain.facts import SubjectErased
from store.audit import verify
from store.opening import Store, open_store
from store.people import erase_subject, export_subject
from store.pseudonyms import SUBJECTS_AT_ONCE, Privacy, _pseudonyms


def users(store: Store) -> list[str | None]:
    lines = b"".join(block.data for block in store.read(0) if hasattr(block, "data")).splitlines()
    return [json.loads(line)["user"] for line in lines]


def export(store: Store, subject: str) -> list[str]:
    found = export_subject(store.database, store.pseudonyms, subject)
    return [event["id"] for event in found]


def erase(store: Store, subject: str) -> SubjectErased:
    fact = erase_subject(store.database, store.pseudonyms, store.clock, subject, "dpo").fact
    assert isinstance(fact, SubjectErased)
    return fact


def test_a_person_is_one_pseudonym_everywhere(
    store: Store, event: Any, url: str, opening: Any
) -> None:
    store.ingest(event(1, user="ann@shop") + b"\n" + event(2, user="bob"))
    opening(url).ingest(event(3, user="ann@shop"))
    ann, bob, again = users(store)
    assert ann == again != bob
    assert str(ann).startswith("p_")
    assert "ann" not in str(ann)


def test_more_people_than_are_looked_up_at_once(url: str, opening: Any, event: Any) -> None:
    """Known ones and new ones in one body, as after a restart."""
    people = [f"person-{number}" for number in range(SUBJECTS_AT_ONCE + 100)]
    first = opening(url)
    first.ingest(b"\n".join(event(f"a{who}", user=who) for who in people[::2]))
    second = opening(url)
    second.ingest(b"\n".join(event(f"b{who}", user=who) for who in people))
    named = users(second)
    known = dict(zip(people[::2], named, strict=False))
    again = dict(zip(people, named[len(known) :], strict=True))
    assert len(set(again.values())) == len(people)
    assert again.items() >= known.items()


def test_the_pseudonym_of_a_key_never_changes() -> None:
    """It stands in the log for ever: another spelling would cut every person from their past."""
    digest = hmac.digest(b"k" * 32, b"ann", "sha256")
    expected = "p_" + base64.b32encode(digest[:15]).decode().lower()
    assert _pseudonyms([b"k" * 32], ["ann"]) == [expected] == [PSEUDONYM_OF_ANN]


def test_nothing_in_the_database_names_the_person(
    sqlite_url: str, opening: Any, event: Any, tmp_path: Path
) -> None:
    store = opening(sqlite_url, pseudonymised_props=("email",))
    store.ingest(event(1, user="annabella", props={"email": "annabella@shop.example"}))
    store.close()
    everything = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"annabella" not in everything
    raw = sqlite3.connect(tmp_path / "recoup.db")
    packed = raw.execute("SELECT data FROM blocks").fetchone()[0]
    raw.close()
    import zstandard

    assert b"annabella" not in zstandard.ZstdDecompressor().decompress(packed)


def test_identifying_props_become_the_same_pseudonym(url: str, opening: Any, event: Any) -> None:
    store = opening(url, pseudonymised_props=("email", "count"))
    store.ingest(event(1, user="ann", props={"email": "ann", "count": 3}))
    [block] = store.read(0)
    kept = json.loads(block.data)
    assert kept["props"] == {"email": kept["user"], "count": 3}


def test_a_person_gets_what_is_kept_of_them(store: Store, event: Any) -> None:
    for number in range(6):
        store.ingest(event(number, user=["ann", "bob"][number % 2]))
    assert export(store, "ann") == ["e0", "e2", "e4"]
    with pytest.raises(NotFound):
        export(store, "carl")


def test_a_forgotten_person_cannot_be_found_again(
    store: Store, event: Any, url: str, opening: Any
) -> None:
    other = opening(url)
    body = event(1, user="ann")
    store.ingest(body)
    other.ingest(event(2, user="ann"))
    before = store.read(0)
    receipt = erase(store, "ann")
    with pytest.raises(NotFound):
        export(other, "ann")
    with pytest.raises(NotFound):
        erase(other, "ann")
    assert store.read(0)[:2] == before
    # The other process still remembered the old pseudonym; it must not use it any more.
    other.ingest(event(3, user="ann"))
    store.ingest(event(4, user="ann"))
    old, old_too, new, new_too = users(store)
    assert old == old_too == receipt.pseudonym
    assert new == new_too != old
    assert export(store, "ann") == ["e3", "e4"]
    assert verify(store.database).is_whole


def test_a_repeat_of_a_forgotten_persons_event_is_a_repeat(store: Store, event: Any) -> None:
    body = event(1, user="ann")
    store.ingest(body)
    erase(store, "ann")
    report = store.ingest(body)
    assert (report.accepted, report.duplicates, report.conflicts) == (0, 1, ())


def test_an_event_that_names_another_person_is_no_repeat(store: Store, event: Any) -> None:
    store.ingest(event(1, user="ann"))
    of_bob = event(2, user="bob")
    store.ingest(of_bob)
    erase(store, "bob")
    for body, conflicts in ((event(1, user="bob"), 1), (of_bob, 0)):
        report = store.ingest(body)
        assert (report.accepted, len(report.conflicts)) == (0, conflicts)


def test_the_receipt_stands_in_the_chain(store: Store, event: Any) -> None:
    store.ingest(event(1, user="ann"))
    receipt = erase(store, "ann")
    [entry] = store.read_stream("privacy")
    assert entry.fact == receipt
    assert entry.actor == "dpo"
    assert verify(store.database).facts == 1


def test_another_master_key_is_noticed(url: str, opening: Any, event: Any) -> None:
    opening(url).ingest(event(1, user="ann"))
    wrong = SecretStr(base64.b64encode(b"w" * 32).decode())
    other = opening(url, master_key=wrong)
    with pytest.raises(NotFound):
        export(other, "ann")


def test_postgres_wants_a_master_key_before_it_keeps_people(
    postgres_url: str, opening: Any, event: Any
) -> None:
    store = opening(postgres_url, master_key=None)
    assert store.ingest(event(1)).accepted == 1
    with pytest.raises(ConfigurationError, match="RECOUP_MASTER_KEY"):
        store.ingest(event(2, user="ann"))
    assert store.stats().events == 1


@pytest.mark.parametrize("bad", ["short", "!!!", base64.b64encode(b"x" * 31).decode()])
def test_a_malformed_master_key_is_named(
    sqlite_url: str, opening: Any, event: Any, bad: str
) -> None:
    store = opening(sqlite_url, master_key=SecretStr(bad))
    with pytest.raises(ConfigurationError, match="RECOUP_MASTER_KEY"):
        store.ingest(event(1, user="ann"))


def test_sqlite_keeps_its_own_key_and_keeps_it_private(
    sqlite_url: str, clock: FixedClock, event: Any, tmp_path: Path
) -> None:
    for number in range(2):
        store = open_store(sqlite_url, clock, privacy=Privacy())
        store.ingest(event(number, user="ann"))
        store.close()
    key_file = tmp_path / "recoup.key"
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert len(base64.b64decode(key_file.read_text())) == 32
    store = open_store(sqlite_url, clock)
    assert export(store, "ann") == ["e0", "e1"]
    store.close()


PSEUDONYM_OF_ANN = "p_rlpogc6h6azxh2tcu6bsby3p"
