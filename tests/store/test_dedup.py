"""Exactly once: across batches, restarts, processes, back ends, and when hashes collide."""

import random
from typing import Any

import numpy as np
import pytest
import xxhash

from store import ingest
from store.dedup import HashIndex, hash_ids
from store.opening import Store


def test_repeats_count_once_wherever_they_come(
    store: Store, event: Any, url: str, opening: Any
) -> None:
    body = b"\n".join(event(number) for number in range(5))
    assert store.ingest(body + b"\n" + event(0)).duplicates == 1
    report = store.ingest(event(9) + b"\n" + body)
    assert (report.accepted, report.duplicates, report.conflicts) == (1, 5, ())
    again = opening(url)
    assert again.ingest(body).duplicates == 5
    stats = again.stats()
    assert (stats.events, stats.duplicates, stats.last_position) == (6, 11, 6)


def test_two_stores_on_one_database_see_each_other(url: str, opening: Any, event: Any) -> None:
    one, two = opening(url), opening(url)
    for number in range(0, 30, 3):
        assert one.ingest(event(number)).accepted == 1
        assert two.ingest(event(number) + b"\n" + event(number + 1)).accepted == 1
        assert one.ingest(event(number + 1) + b"\n" + event(number + 2)).duplicates == 1
    assert one.stats().events == 30


def test_the_same_id_with_other_content_is_reported(store: Store, event: Any) -> None:
    store.ingest(event(1))
    other = event(1, props={"path": "/other"})
    report = store.ingest(b"\n".join([event(2), other, event(3), event(3, session="x")]))
    assert (report.accepted, report.duplicates) == (2, 0)
    assert [(p.line, p.field) for p in report.conflicts] == [(2, "id"), (4, "id")]
    assert "other content" in report.conflicts[0].reason
    assert store.stats().conflicts == 2
    assert b"/other" not in store.read(0)[0].data


def test_order_of_keys_and_spelling_of_time_are_not_content(store: Store, event: Any) -> None:
    store.ingest(
        event(1, time="2026-03-02T11:00:00Z", dims={"a": "1", "b": "2"}, props={"x": 1, "y": 2})
    )
    report = store.ingest(
        event(
            1,
            time="2026-03-02T12:00:00.000+01:00",
            dims={"b": "2", "a": "1"},
            props={"y": 2, "x": 1},
        )
    )
    assert (report.duplicates, report.conflicts) == (1, ())


def test_ids_whose_hashes_collide_are_still_told_apart(
    store: Store, event: Any, monkeypatch: pytest.MonkeyPatch, url: str, opening: Any
) -> None:
    def weak(ids: list[str]) -> Any:
        return np.array([int(text[1:]) % 3 for text in ids], dtype=np.uint64)

    monkeypatch.setattr(ingest, "hash_ids", weak)
    body = b"\n".join(event(number) for number in range(30))
    assert store.ingest(body).accepted == 30
    report = store.ingest(b"\n".join([event(5), event(30), event(31), event(30)]))
    assert (report.accepted, report.duplicates, report.conflicts) == (2, 2, ())
    assert opening(url).ingest(body).duplicates == 30


def test_a_batch_that_fails_leaves_no_trace_in_the_index(
    store: Store, event: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(store.ingestor, "_count", fail)
        with pytest.raises(MemoryError):
            store.ingest(event(1, user="ann"))
    assert store.ingest(event(1, user="ann")).accepted == 1
    assert store.ingest(event(1, user="ann")).duplicates == 1


def test_the_index_finds_what_was_added_and_nothing_else() -> None:
    index = HashIndex()
    chance = random.Random(1)
    home: dict[int, int] = {}
    first = 1
    for _ in range(300):
        size = chance.choice([1, 7, 500])
        hashes = np.array([chance.getrandbits(64) for _ in range(size)], dtype=np.uint64)
        home.update(dict.fromkeys(hashes.tolist(), first))
        index.add(hashes, first)
        first += size
    assert len(index) == len(home)
    known = np.array(chance.sample(sorted(home), 2000), dtype=np.uint64)
    unknown = np.array([chance.getrandbits(64) for _ in range(2000)], dtype=np.uint64)
    assert dict(index.find(known)) == {i: home[int(h)] for i, h in enumerate(known)}
    assert index.find(unknown) == []


def test_the_index_is_the_same_when_it_is_rebuilt_at_once() -> None:
    chance = random.Random(2)
    blocks = [
        (n * 100, np.array([chance.getrandbits(64) for _ in range(100)], dtype=np.uint64))
        for n in range(50)
    ]
    one, two = HashIndex(), HashIndex()
    for first, hashes in blocks:
        one.add(hashes, first)
    two.add_blocks(blocks)
    wanted = np.concatenate([hashes for _, hashes in blocks[::7]])
    assert one.find(wanted) == two.find(wanted) != []


def test_memory_of_the_index_stays_within_its_promise() -> None:
    index = HashIndex()
    chance = np.random.default_rng(0)
    for number in range(200):
        index.add(chance.integers(0, 2**63, 5000, dtype=np.uint64), number * 5000 + 1)
    assert len(index) == 1_000_000
    assert index.nbytes <= 20_000_000


def test_the_hash_is_the_one_that_is_stored() -> None:
    """It stands beside each block for ever: another hash would forget every id."""
    assert hash_ids(["e1", "é"]).tolist() == [
        xxhash.xxh3_64_intdigest(b"e1"),
        xxhash.xxh3_64_intdigest("é".encode()),
    ]
    assert hash_ids(["recoup"]).tolist() == [HASH_OF_RECOUP]


HASH_OF_RECOUP = 13052301377812005474
