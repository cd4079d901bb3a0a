"""Backup, restore, healing, sealing, the lake, read models made anew, migrations."""

import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from recoup.domain.changes import Change, ChangeKind
from recoup.domain.clock import FixedClock
from recoup.domain.cohort import Cohort
from recoup.domain.errors import ConfigurationError, Conflict, InvalidInput, NotFound
from recoup.domain.facts import IncidentClosed, IncidentOpened, NewFact, Resolution
from recoup.domain.incident import Status, fold
from recoup.domain.money import MoneyRange
from recoup.domain.ports import EvidenceRecord
from store.audit import verify
from store.backup import back_up, restore
from store.lake import export_parquet
from store.migrating import HEAD_REVISION
from store.opening import Store, open_store
from store.people import erase_subject, export_subject
from store.rebuilding import rebuild
from store.sealing import drop, seal
from store.tables import metadata

DAY = 86_400.0


@pytest.fixture
def filled(store: Store, event: Any, clock: FixedClock) -> Store:
    for day in range(4):
        lines = [event(f"{day}-{n}", user=f"u{n}", at=-day * DAY + n) for n in range(20)]
        store.ingest(b"\n".join(lines))
    store.record_change(Change(id="c1", kind=ChangeKind.FLAG, time=clock.now(), title="on"))
    store.append("i1", [opened("i1", clock)])
    store.commit_projection("detector", store.head(), snapshot=b"state")
    store.evidence.put(EvidenceRecord(incident_id="i1", until=clock.now(), payload=b"e"))
    return store


def opened(incident_id: str, clock: FixedClock) -> NewFact:
    fact = IncidentOpened.model_validate(
        {
            "incident_id": incident_id,
            "kind": "business",
            "severity": "high",
            "metric": "m",
            "cohort": {"os": "iOS 16"},
            "direction": "drop",
            "onset_at": clock.now() - timedelta(hours=1),
            "opened_at": clock.now(),
            "expected": 0.5,
            "observed": 0.3,
            "trials": 100,
            "at_risk_per_hour": {name: 1 for name in MoneyRange.model_fields if name != "currency"}
            | {"currency": "EUR"},
            "alarm_id": "a1",
        }
    )
    return NewFact(fact_id=f"{incident_id}-opened", fact=fact, occurred_at=clock.now())


def test_incidents_are_folded_in_the_transaction_of_the_append(
    store: Store, clock: FixedClock
) -> None:
    closed = IncidentClosed(
        incident_id="i1", resolution=Resolution.RECOVERED, closed_at=clock.now()
    )
    store.append("i1", [opened("i1", clock)])
    assert [state.id for state in store.incidents.list(open_only=True)] == ["i1"]
    clock.advance(60)
    store.append("i2", [opened("i2", clock)])
    store.append("i1", [NewFact(fact_id="i1-closed", fact=closed, occurred_at=clock.now())])
    state = store.incidents.get("i1")
    assert state == fold(store.read_stream("i1"))
    assert state is not None
    assert (state.status, state.version, state.cohort) == (
        Status.CLOSED,
        2,
        Cohort({"os": "iOS 16"}),
    )
    assert [state.id for state in store.incidents.list()] == ["i2", "i1"]
    assert [state.id for state in store.incidents.list(open_only=True)] == ["i2"]
    assert store.incidents.get("i3") is None


def everything(store: Store) -> list[Any]:
    return [
        store.read(0, 10**6),
        store.stats(),
        store.incidents.list(),
        store.changes.get("c1"),
        store.evidence.get("i1"),
        store.latest_snapshot("detector"),
        verify(store.database),
        list(export_subject(store.database, store.pseudonyms, "u3")),
    ]


def test_a_backup_of_a_running_system_restores_into_either_kind(
    filled: Store, event: Any, tmp_path: Path, opening: Any, new_postgres: Any
) -> None:
    stop = threading.Event()

    def keep_writing() -> None:
        number = 0
        while not stop.is_set():
            filled.ingest(event(f"meanwhile-{number}"))
            number += 1

    writer = threading.Thread(target=keep_writing)
    before = filled.head()
    writer.start()
    try:
        back_up(filled.database, tmp_path / "b.db")
    finally:
        stop.set()
        writer.join()
    copies = [opening(f"sqlite:///{tmp_path}/new/recoup.db"), opening(new_postgres())]
    for copy in copies:
        restore(tmp_path / "b.db", copy.database)
        assert verify(copy.database).is_whole
        assert copy.head() >= before
    assert everything(copies[0]) == everything(copies[1])
    assert copies[0].ingest(event("0-1", user="u1", at=1)).duplicates == 1
    assert not list(tmp_path.glob(".b.db*"))


def test_backup_and_restore_refuse_to_overwrite(filled: Store, tmp_path: Path) -> None:
    back_up(filled.database, tmp_path / "b.db")
    with pytest.raises(Conflict, match="never replaces"):
        back_up(filled.database, tmp_path / "b.db")
    with pytest.raises(Conflict, match="not empty"):
        restore(tmp_path / "b.db", filled.database)
    with pytest.raises(NotFound):
        restore(tmp_path / "no.db", filled.database)


def test_old_blocks_are_sealed_and_still_answer(
    filled: Store, event: Any, clock: FixedClock, tmp_path: Path
) -> None:
    before = list(export_subject(filled.database, filled.pseudonyms, "u3"))
    size = filled.stats().bytes_per_event
    assert seal(filled.database, tmp_path / "sealed", clock.now() - timedelta(days=1)) == 3
    assert seal(filled.database, tmp_path / "sealed", clock.now() - timedelta(days=1)) == 0
    stats = filled.stats()
    assert (stats.events, stats.blocks, stats.sealed_blocks) == (80, 1, 3)
    assert size > 0
    assert list(export_subject(filled.database, filled.pseudonyms, "u3")) == sorted(
        before, key=lambda found: found["position"] if found["position"] > 20 else 10**9
    )
    assert [r.first_position for r in filled.read(0)[:1]] == [1]
    assert filled.ingest(event("2-4", user="u4", at=-2 * DAY + 4)).duplicates == 1
    assert len(filled.ingest(event("2-5", user="u5", at=7)).conflicts) == 1
    assert verify(filled.database).is_whole


def test_nothing_is_sealed_that_a_projection_still_needs(
    store: Store, event: Any, clock: FixedClock, tmp_path: Path
) -> None:
    store.ingest(event(1, at=-9 * DAY))
    store.ingest(event(2, at=-9 * DAY))
    store.commit_projection("detector", 1)
    assert seal(store.database, tmp_path / "sealed", clock.now()) == 1


def test_nothing_is_sealed_that_a_restart_would_read_again(
    store: Store, event: Any, clock: FixedClock, tmp_path: Path
) -> None:
    for number in range(1, 4):
        store.ingest(event(number, at=-9 * DAY))
    store.commit_projection("detector", 1, snapshot=b"one")
    store.commit_projection("detector", 3)
    assert seal(store.database, tmp_path / "sealed", clock.now()) == 1
    assert [block.first_position for block in store.read(1)] == [2, 3]


def test_beyond_the_horizon_events_and_ids_go(
    filled: Store, event: Any, clock: FixedClock, tmp_path: Path
) -> None:
    seal(filled.database, tmp_path / "sealed", clock.now() - timedelta(days=1))
    assert drop(filled.database, clock.now() - timedelta(days=2)) == 0
    assert drop(filled.database, clock.now()) == 3
    assert list((tmp_path / "sealed").iterdir()) == []
    assert filled.ingest(event("2-4", user="u4", at=-2 * DAY + 4)).accepted == 1
    assert verify(filled.database).is_whole


def test_the_lake_is_what_the_log_is(filled: Store, tmp_path: Path, clock: FixedClock) -> None:
    seal(filled.database, tmp_path / "sealed", clock.now() - timedelta(days=2))
    counts = export_parquet(filled.database, tmp_path / "lake")
    assert counts == {"events": 80, "incidents": 1, "changes": 1, "facts": 2}
    query = (
        "SELECT time::DATE AS day, dims['os'] AS os, count(*) AS n, count(DISTINCT session) "
        f"FROM '{tmp_path}/lake/events.parquet' GROUP BY 1, 2 ORDER BY 1"
    )
    with duckdb.connect() as lake:
        lake.execute("SET TimeZone = 'UTC'")
        assert [row[1:] for row in lake.execute(query).fetchall()] == [("iOS 16", 20, 20)] * 4
        incidents = f"SELECT id, cohort, status FROM '{tmp_path}/lake/incidents.parquet'"
        assert lake.execute(incidents).fetchall() == [("i1", "os=iOS 16", "opened")]


def test_read_models_can_be_made_anew(filled: Store) -> None:
    before = (filled.incidents.list(), filled.changes.get("c1"))
    with filled.database.writing() as connection:
        connection.execute(text("UPDATE incidents SET state = '{}'"))
        connection.execute(text("DELETE FROM changes"))
    assert rebuild(filled.database, ["incidents", "changes"]) == 2
    assert (filled.incidents.list(), filled.changes.get("c1")) == before
    with pytest.raises(InvalidInput, match="no read model 'x'"):
        rebuild(filled.database, ["x"])


def test_the_migrations_make_the_tables_of_the_code(store: Store) -> None:
    with store.database.reading() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == HEAD_REVISION
        assert compare_metadata(context, metadata) == []


def test_the_newest_migration_is_the_one_the_code_knows() -> None:
    config = Config()
    config.set_main_option("script_location", "store/migrations")
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [HEAD_REVISION]


def test_a_schema_from_the_future_is_refused(store: Store, url: str, clock: FixedClock) -> None:
    with store.database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match="newer Recoup"):
        open_store(url, clock)


def test_many_may_open_a_new_store_at_once(url: str, clock: FixedClock) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            store = open_store(url, clock)
            store.append("s", [opened("s", clock)])
            store.close()
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_erased_people_stay_in_old_backups_only(
    filled: Store, tmp_path: Path, opening: Any
) -> None:
    erase_subject(filled.database, filled.pseudonyms, filled.clock, "u3", "dpo")
    back_up(filled.database, tmp_path / "b.db")
    copy = opening(f"sqlite:///{tmp_path}/new.db")
    restore(tmp_path / "b.db", copy.database)
    with pytest.raises(NotFound):
        list(export_subject(copy.database, copy.pseudonyms, "u3"))
    assert json.loads(copy.read_stream("privacy")[0].fact.model_dump_json())["by"] == "dpo"
