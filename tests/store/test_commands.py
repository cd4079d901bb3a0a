"""The commands, as a person types them."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from recoup.cli import main
from recoup.domain.changes import Change, ChangeKind
from recoup.domain.clock import SystemClock
from store.opening import open_store

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with a little shop in it."""
    folder = tmp_path / "data"
    store = open_store(f"sqlite:///{folder}/recoup.db", SystemClock())
    start = datetime.now(UTC) - timedelta(days=3)  # noqa: TID251 - commands use the real clock
    for number in range(40):
        event = {
            "id": f"e{number}",
            "type": "page_viewed",
            "time": (start + timedelta(minutes=number)).isoformat(),
            "session": f"s{number}",
            "user": f"u{number % 4}",
        }
        store.ingest(json.dumps(event).encode())
    store.record_change(Change(id="c1", kind=ChangeKind.FLAG, time=start, title="on"))
    store.close()
    return folder


@pytest.fixture
def run(data: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def one(*words: str, folder: Path = data) -> tuple[int, str]:
        code = main([*words, "--data", str(folder)])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return one


def test_stats_have_the_fields_of_the_contract(run: Run) -> None:
    code, out = run("log", "stats", "--json")
    stats = json.loads(out)
    assert code == 0
    assert stats["events"] == stats["blocks"] == 40
    assert stats["last_position"] == 41
    assert {"duplicates", "rejected", "bytes_per_event", "first_time", "last_time"} <= set(stats)


def test_a_person_is_exported_and_forgotten(run: Run) -> None:
    code, out = run("privacy", "export", "u1")
    assert code == 0
    assert [json.loads(line)["id"] for line in out.splitlines()][:2] == ["e1", "e5"]
    code, out = run("privacy", "erase", "u1", "--yes", "--by", "dpo")
    receipt = json.loads(out)
    assert (code, receipt["by"]) == (0, "dpo")
    assert receipt["receipt_id"].startswith("erasure_")
    code, out = run("privacy", "export", "u1")
    assert (code, out) == (1, "recoup: nothing is kept under this subject\n")
    assert run("audit", "verify")[0] == 0


def test_audit_fails_loudly(run: Run, data: Path) -> None:
    assert run("audit", "verify")[0] == 0
    store = open_store(f"sqlite:///{data}/recoup.db", SystemClock())
    with store.database.writing() as connection:
        connection.execute(text("UPDATE facts SET actor = 'eve'"))
    store.close()
    code, out = run("audit", "verify")
    assert (code, "'change:c1': the chain of hashes breaks here" in out) == (1, True)
    code, out = run("audit", "verify", "--json")
    assert json.loads(out)["is_whole"] is False


def test_backup_and_restore_are_one_command_each(run: Run, tmp_path: Path) -> None:
    code, out = run("backup", str(tmp_path / "b.db"))
    assert (code, "master key" in out) == (0, True)
    code, out = run("restore", str(tmp_path / "b.db"), folder=tmp_path / "new")
    assert (code, "position 41" in out) == (0, True)
    assert run("audit", "verify", folder=tmp_path / "new")[0] == 0
    assert run("log", "heal", str(tmp_path / "b.db"))[0] == 0
    assert run("restore", str(tmp_path / "b.db"))[0] == 1


def test_old_blocks_are_sealed_and_dropped(run: Run, data: Path) -> None:
    assert run("log", "seal", "--older-than-days", "2") == (0, "sealed 40 blocks\n")
    assert len(list((data / "sealed").iterdir())) == 1
    assert run("log", "drop", "--older-than-days", "2", "--yes") == (0, "dropped 40 blocks\n")


def test_the_lake_is_one_command(run: Run, tmp_path: Path) -> None:
    code, out = run("export", "--format", "parquet", "--out", str(tmp_path / "lake"))
    assert code == 0
    assert [line.split()[-1] for line in out.splitlines()] == ["40", "0", "1", "1"]


def test_replay_agrees_with_the_past(run: Run) -> None:
    code, out = run("replay", "--projection", "changes")
    assert (code, "changes: 1 facts folded" in out) == (0, True)
    code, out = run("replay")
    assert (code, "detector: positions 1 to 0" in out) == (0, True)
    assert run("replay", "--projection", "nothing")[0] == 2


def test_the_page_about_events_is_printed(capsys: pytest.CaptureFixture[str]) -> Any:
    assert main(["log", "contract"]) == 0
    assert capsys.readouterr().out.startswith("# The storefront event")
