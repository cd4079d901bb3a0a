"""The operators' page is what the commands do: its commands and its example are run."""

import json
import re
import shlex
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from recoup.cli import main
from recoup.domain.clock import SystemClock
from store.lake import export_parquet
from store.opening import Store, open_store
from store.pseudonyms import MasterKey

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)


def lines_of(kind: str) -> list[str]:
    return [line for block in blocks(kind) for line in block.splitlines()]


@pytest.fixture
def filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store in the data folder with events of a hundred and of a thousand days ago."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECOUP_DATA_DIR", str(tmp_path / "data"))
    store = open_store(f"sqlite:///{tmp_path}/data/recoup.db", SystemClock())
    for age in (0, 100, 1000):
        moment = (store.clock.now() - timedelta(days=age)).isoformat()
        event = {"id": f"e{age}", "type": "t", "time": moment, "session": "s", "user": "ann"}
        store.ingest(json.dumps(event).encode())
    return store


def test_the_commands_on_the_page_run_in_order(
    filled: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    commands = [
        line.replace("/srv/", f"{tmp_path}/") for line in lines if line.startswith("recoup")
    ]
    said = []
    for command in commands:
        assert main(shlex.split(command)[1:]) == 0, command
        said.append(capsys.readouterr().out)
    assert [text.split(" ")[0] for text in said] == [
        *("backed", "restored", "whole:", "sealed", "dropped"),
    ]
    stats = filled.stats()
    # Both old ones are in one file, which stays until the youngest in it is beyond the horizon.
    assert (stats.events, stats.blocks, stats.sealed_blocks) == (3, 1, 2)
    filled.close()


def test_a_person_is_erased_in_a_backup_as_the_page_says(
    filled: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["backup", "backups/monday.db"]) == 0
    filled.close()
    [setting] = re.findall(r"`RECOUP_DATABASE_URL=(.*?)`", PAGE.read_text())
    monkeypatch.setenv("RECOUP_DATABASE_URL", setting)
    monkeypatch.setenv("RECOUP_MASTER_KEY", (tmp_path / "data" / "recoup.key").read_text().strip())
    assert main(["privacy", "export", "ann"]) == 0
    assert len(capsys.readouterr().out.splitlines()[-3:]) == 3
    assert main(["privacy", "erase", "ann", "--by", "dpo", "--yes"]) == 0
    assert main(["privacy", "export", "ann"]) == 1


def test_the_example_in_python_runs(filled: Store, tmp_path: Path) -> None:
    export_parquet(filled.database, tmp_path / "lake")
    filled.close()
    [code] = [block for block in blocks("python") if "read_parquet" in block]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "kind" in done.stdout or "Empty" in done.stdout


def test_the_key_that_the_page_makes_is_one() -> None:
    [line] = [line for line in lines_of("sh") if "token_bytes" in line]
    command = [sys.executable, *shlex.split(line)[1:]]
    key = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert len(MasterKey(SecretStr(key), None).read()) == 32
