"""When the ground gives way: a clear error, nothing acknowledged lost, and a way on."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import text

from recoup.domain.clock import FixedClock
from recoup.domain.errors import ConfigurationError, LogDamaged, RecoupError, StorageUnavailable
from store.appender import MAX_WAITING
from store.audit import verify
from store.backup import back_up, heal
from store.opening import Store, open_store

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def is_on_the_page(words: str) -> bool:
    """Whether the operators' page has what an error really says, and what to do about it."""
    return words in " ".join(PAGE.read_text().split())


def run(code: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


FILL = """
    import json, resource, signal, sys
    from recoup.domain.clock import SystemClock
    from recoup.domain.errors import StorageUnavailable
    from store.opening import open_store
    store = open_store(sys.argv[1], SystemClock())
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    import random
    chance = random.Random(1)
    for number in range(100000):
        body = json.dumps({"id": f"e{number}", "type": "t", "time": "2026-03-02T00:00:00Z",
                           "session": "s", "props": {"noise": "%x" % chance.getrandbits(40000)}})
        try:
            assert store.ingest(body.encode()).accepted == 1
        except StorageUnavailable as error:
            print(number, error)
            break
"""


def test_a_full_disk_is_named_and_what_was_acknowledged_is_there(
    sqlite_url: str, opening: Any
) -> None:
    """A limit on file size stands for the disk: writes fail in the middle of a transaction."""
    done = run(FILL, sqlite_url, "1500000")
    assert done.returncode == 0, done.stderr
    acknowledged, _, words = done.stdout.partition(" ")
    assert "the store cannot be used now" in words
    assert "free some space, or mend the disk" in words
    assert is_on_the_page("free some space, or mend the disk")
    assert int(acknowledged) > 50
    store = opening(sqlite_url)
    assert store.stats().events == int(acknowledged)
    assert verify(store.database).is_whole
    whole = {"id": f"e{acknowledged}", "type": "t", "time": "2026-03-02T00:00:00Z", "session": "s"}
    assert store.ingest(json.dumps(whole).encode()).accepted == 1


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX users")
def test_a_read_only_folder_is_named(tmp_path: Path, event: Any, clock: FixedClock) -> None:
    """Root may write anywhere, so the writer runs as nobody."""
    folder = tmp_path / "data"
    store = open_store(f"sqlite:///{folder}/recoup.db", clock)
    store.ingest(event(1))
    store.close()
    for path in (*folder.iterdir(), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    for parent in [folder, *folder.parents][:4]:
        if parent.stat().st_uid == os.geteuid():
            parent.chmod(parent.stat().st_mode | 0o055)
    code = """
        import os, sys
        from recoup.domain.clock import SystemClock
        from recoup.domain.errors import RecoupError
        import store.opening
        if os.geteuid() == 0:
            os.setgid(65534); os.setuid(65534)
        try:
            store.opening.open_store(sys.argv[1], SystemClock()).ingest(b'{"id":"e"}')
        except RecoupError as error:
            print(type(error).__name__, error)
    """
    for place in (f"sqlite:///{folder}/recoup.db", f"sqlite:///{folder}/new/recoup.db"):
        done = run(code, place)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(("StorageUnavailable", "ConfigurationError")), done.stdout
        way_on = ("let the user of this process write the data folder", "cannot make the folder")
        assert any(words in done.stdout and is_on_the_page(words) for words in way_on), done.stdout
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o644)
    store = open_store(f"sqlite:///{folder}/recoup.db", clock)
    assert store.stats().events == 1
    assert store.ingest(event(2)).accepted == 1
    store.close()


def alter(store: Store, statement: str, **values: Any) -> None:
    with store.database.writing() as connection:
        connection.execute(text(statement), values)


def test_a_truncated_snapshot_gives_way_to_the_one_before(store: Store) -> None:
    for position in (1, 2, 3, 4):
        store.commit_projection("p", position, snapshot=b"state %d" % position)
    alter(store, "UPDATE snapshots SET payload = :half WHERE position = 4", half=b"(\xb5/\xfd")
    with structlog.testing.capture_logs() as logs:
        assert store.latest_snapshot("p") == (3, b"state 3")
    assert [(entry["event"], entry["position"]) for entry in logs] == [("snapshot.damaged", 4)]
    assert logs[0]["way_on"].startswith("an earlier snapshot, or the log from its start")
    assert is_on_the_page("snapshot.damaged")
    alter(store, "UPDATE snapshots SET payload = :nothing", nothing=b"")
    assert store.latest_snapshot("p") is None


def test_a_flipped_bit_in_a_block_is_found_and_healed_from_a_backup(
    store: Store, event: Any, tmp_path: Path
) -> None:
    for number in range(3):
        store.ingest(event(number))
    back_up(store.database, tmp_path / "b.db")
    before = store.read(0)
    with store.database.reading() as connection:
        data = connection.execute(
            text("SELECT data FROM blocks WHERE first_position = 2")
        ).scalar_one()
    flipped = bytearray(data)
    flipped[len(flipped) // 2] ^= 4
    alter(store, "UPDATE blocks SET data = :data WHERE first_position = 2", data=bytes(flipped))
    with pytest.raises(LogDamaged, match=r"positions 2 to 2 does not verify; `recoup log heal"):
        store.read(0)
    assert is_on_the_page("does not verify")
    [problem] = verify(store.database).problems
    assert "positions 2 to 2" in problem
    assert store.ingest(event(9)).accepted == 1
    assert heal(store.database, tmp_path / "b.db") == [2]
    assert store.read(0)[:3] == before
    assert verify(store.database).is_whole
    assert heal(store.database, tmp_path / "b.db") == []


def test_a_damaged_database_file_is_named(
    sqlite_url: str, clock: FixedClock, tmp_path: Path
) -> None:
    (tmp_path / "recoup.db").write_bytes(b"this is no database" * 1000)
    with pytest.raises(LogDamaged, match="the database file is damaged .* restore a backup"):
        open_store(sqlite_url, clock)
    assert is_on_the_page("the database file is damaged")


def test_a_lost_postgres_connection_is_named_and_the_next_call_works(
    postgres_url: str, opening: Any, event: Any, clock: FixedClock
) -> None:
    store = opening(postgres_url)
    store.ingest(event(1))
    killer = opening(postgres_url)
    kill = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    def lose_it(*_: Any) -> None:
        with killer.database.engine.connect() as connection:
            connection.execute(text(kill))

    count = store.ingestor._count
    store.ingestor._count = lose_it
    with pytest.raises(StorageUnavailable, match="is the database server up"):
        store.ingest(event(2))
    assert is_on_the_page("is the database server up? the next call connects anew")
    store.ingestor._count = count
    assert store.ingest(event(2)).accepted == 1
    lose_it()
    assert store.head() == 2
    lose_it()
    assert store.ingest(event(2)).duplicates == 1
    appender = store.appender()
    appender.start()
    assert appender.submit(event(3)).result(30).accepted == 1
    assert verify(store.database).is_whole


def test_an_unreachable_postgres_is_named(clock: FixedClock) -> None:
    with pytest.raises(StorageUnavailable, match="is the database server up"):
        open_store("postgresql://nobody@127.0.0.1:1/none?connect_timeout=2", clock)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, clock: FixedClock) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot make the folder"):
        open_store(f"sqlite:///{tmp_path}/file/recoup.db", clock)


def test_the_appender_hands_failures_to_those_who_wait(
    store: Store, event: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise StorageUnavailable("the disk is on fire")

    appender = store.appender()
    with monkeypatch.context() as patch:
        patch.setattr(store.ingestor, "_append", fail)
        futures = [appender.submit(event(number)) for number in range(3)]
        appender.start()
        for future in futures:
            with pytest.raises(RecoupError, match="fire"):
                future.result(30)
    assert appender.submit(event(1)).result(30).accepted == 1


def test_a_full_queue_says_so(store: Store, event: Any) -> None:
    appender = store.appender()
    for number in range(MAX_WAITING):
        appender.submit(event(number))
    with pytest.raises(StorageUnavailable, match="too many requests"):
        appender.submit(event(0))
    appender.start()
