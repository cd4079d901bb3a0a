"""The one order: what every back end promises, also to several writers at once."""

import json
import multiprocessing
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from recoup.domain.changes import Change, ChangeKind
from recoup.domain.clock import FixedClock, SystemClock
from recoup.domain.errors import ConfigurationError, ContentConflict, VersionConflict
from recoup.domain.facts import ChangeRecorded, FreezeSet, NewFact, Recorded
from recoup.domain.series import EventBlock, TickRow
from store.head import appending
from store.opening import Store, open_store

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def fact(number: object, *, by: str = "ann") -> NewFact:
    return NewFact(
        fact_id=f"f{number}", fact=FreezeSet(frozen=True, by=by), occurred_at=NOW, actor="test"
    )


def places(records: list[EventBlock | Recorded]) -> list[int]:
    """Every position in these records, one by one."""
    found: list[int] = []
    for record in records:
        if isinstance(record, EventBlock):
            found += range(record.first_position, record.first_position + record.count)
        else:
            found.append(record.position)
    return found


def read_all(store: Store, step: int = 5000) -> list[EventBlock | Recorded]:
    found: list[EventBlock | Recorded] = []
    while more := store.read(places(found)[-1] if found else 0, step):
        found += more
    return found


def test_events_and_facts_stand_in_one_order(store: Store, event: Any) -> None:
    store.ingest(b"\n".join([event(1), event(2)]))
    store.append("freeze", [fact(1)])
    store.ingest(event(3))
    records = store.read(0)
    assert places(records) == [1, 2, 3, 4]
    assert [type(record) for record in records] == [EventBlock, Recorded, EventBlock]
    assert store.head() == 4
    assert [json.loads(line)["id"] for line in records[0].data.splitlines()] == ["e1", "e2"]


def test_reading_goes_on_inside_a_block_and_in_steps_of_any_size(store: Store, event: Any) -> None:
    for start in range(0, 60, 6):
        store.ingest(b"\n".join(event(number) for number in range(start, start + 6)))
        store.append("freeze", [fact(start), fact(start + 1)])
    [tail, *_] = store.read(2, 1)
    assert isinstance(tail, EventBlock)
    assert (tail.first_position, tail.count) == (3, 4)
    assert [json.loads(line)["id"] for line in tail.data.splitlines()] == ["e2", "e3", "e4", "e5"]
    for step in (1, 7, 12, 1000):
        assert places(read_all(store, step)) == list(range(1, 81))
    assert store.read(80) == []


def test_a_body_larger_than_a_block_is_one_transaction(store: Store, event: Any) -> None:
    report = store.ingest(b"\n".join(event(number) for number in range(11_000)))
    assert report.accepted == report.last_position == 11_000
    assert [record.count for record in read_all(store, 4000)] == [5000, 5000, 1000]


def test_facts_come_back_as_they_were_appended(store: Store, clock: FixedClock) -> None:
    [stored] = store.append("freeze", [fact(1)])
    assert (stored.position, stored.stream, stored.version) == (1, "freeze", 1)
    assert (stored.recorded_at, stored.actor) == (clock.now(), "test")
    assert store.read_stream("freeze") == [stored] == store.read_facts()
    assert store.read_stream("unknown") == []
    assert store.read_facts(types=["change.recorded"]) == []
    assert store.read_facts(types=["freeze.set"], limit=1) == [stored]


def test_versions_are_expected_and_repeats_are_harmless(store: Store) -> None:
    first = store.append("freeze", [fact(1)], expected_version=0)
    assert store.append("freeze", [fact(1, by="bob")], expected_version=0) == first
    with pytest.raises(VersionConflict, match="freeze is at version 1, not 0"):
        store.append("freeze", [fact(2)], expected_version=0)
    [second] = store.append("freeze", [fact(2)], expected_version=1)
    assert (second.version, second.position) == (2, 2)
    assert [entry.version for entry in store.append("freeze", [fact(2), fact(3), fact(3)])] == [
        2,
        3,
        3,
    ]


def test_a_change_is_recorded_once_and_listed_by_time(store: Store) -> None:
    change = Change(id="c1", kind=ChangeKind.FLAG, time=NOW, title="on", scope={"os": ["a", "b"]})
    assert store.record_change(change)
    assert not store.record_change(change)
    with pytest.raises(ContentConflict, match="c1"):
        store.record_change(change.model_copy(update={"title": "off"}))
    assert store.changes.get("c1") == change
    assert store.changes.between(NOW, NOW) == [change]
    [entry] = store.read_stream("change-c1")
    assert entry.fact == ChangeRecorded(change=change)


def test_a_projection_commits_everything_or_nothing(store: Store) -> None:
    row = TickRow(60_000, "m", "everyone", 10, 9, 9.5, 1)
    store.commit_projection("p", 7, facts=[("freeze", fact(1))], ticks=[row], snapshot=b"one")
    assert store.checkpoint("p") == 7
    assert store.ticks("m", "everyone", 0, 60_000) == [row]
    assert store.tick_metrics() == [("m", "everyone")]
    assert store.latest_snapshot("p") == (7, b"one")
    with pytest.raises(TypeError):
        store.commit_projection("p", 9, facts=[("freeze", fact(2))], snapshot="no bytes")  # type: ignore[arg-type]
    assert store.checkpoint("p") == 7
    assert [entry.fact_id for entry in store.read_facts()] == ["f1"]
    store.commit_projection("p", 8, ticks=[row._replace(trials=11)], snapshot=b"two")
    assert store.ticks("m", "everyone", 0, 60_000)[0].trials == 11
    assert store.latest_snapshot("p") == (8, b"two")


def test_a_reader_notes_where_it_is(store: Store) -> None:
    assert store.checkpoint("dispatcher") == 0
    store.note_position("dispatcher", 5)
    assert store.checkpoint("dispatcher") == 5


def _write_until_told(url: str, name: str, count: int) -> None:
    store = open_store(url, SystemClock())
    for number in range(count):
        try:
            with appending(store.database) as head:
                head.take(1)
                raise RuntimeError("a rollback between the writes of others")
        except RuntimeError:
            pass
        store.append(f"stream-{name}", [fact(f"{name}-{number}")])
        lines = (
            {
                "id": f"{name}-{number}-{index}",
                "type": "t",
                "time": SystemClock().now().isoformat(),
                "session": "s",
            }
            for index in range(5)
        )
        store.ingest(json.dumps(list(lines)).encode())
        store.ingest(_shared(number))
    store.close()


def _shared(number: int) -> bytes:
    whole = {"id": f"shared-{number}", "type": "t", "time": "2026-03-01T00:00:00Z", "session": "s"}
    return json.dumps(whole).encode()


def test_no_reader_skips_what_several_processes_write(url: str) -> None:
    """Processes append facts, events and rollbacks; the reader sees each position, in order."""
    reader = open_store(url, SystemClock())
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=_write_until_told, args=(url, name, 25)) for name in ("a", "b")
    ]
    for writer in writers:
        writer.start()
    seen: list[int] = []
    while True:
        running = any(writer.is_alive() for writer in writers)
        if records := reader.read(seen[-1] if seen else 0, 50):
            seen += places(records)
        elif not running:
            break
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    stats = reader.stats()
    reader.close()
    assert seen == list(range(1, stats.last_position + 1))
    assert (stats.events, stats.facts, stats.duplicates) == (2 * 25 * 5 + 25, 50, 25)


def test_threads_share_one_store(store: Store, event: Any) -> None:
    def work(name: str) -> None:
        for number in range(10):
            store.ingest(event(f"{name}-{number}"))
            store.append(name, [fact(f"{name}-{number}")])

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert places(read_all(store)) == list(range(1, 81))


def test_group_commit_answers_each_request_for_itself(store: Store, event: Any) -> None:
    appender = store.appender()
    futures = [appender.submit(event(number % 30)) for number in range(60)]
    bad = appender.submit(b"{")
    empty = appender.submit(b"")
    appender.start()
    reports = [future.result(30) for future in futures]
    assert [report.accepted for report in reports] == [1] * 30 + [0] * 30
    assert [report.duplicates for report in reports] == [0] * 30 + [1] * 30
    assert [report.last_position for report in reports[:30]] == list(range(1, 31))
    assert len(bad.result(30).rejected) == 1
    assert empty.result(30).accepted == 0
    appender.close()
    assert store.stats().blocks == 1
    with pytest.raises(Exception, match="stopping"):
        appender.submit(event(1))


@pytest.mark.parametrize("bad", ["mysql://x/y", "sqlite://", "not a url"])
def test_a_wrong_url_is_named(bad: str) -> None:
    with pytest.raises(ConfigurationError, match="database|sqlite:///FILE"):
        open_store(bad, SystemClock())
