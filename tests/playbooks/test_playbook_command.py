"""``recoup playbook`` as people call it."""

import json
from pathlib import Path

import pytest

from recoup.cli import main


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["playbook", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_list_names_the_shipped_ones(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _err = run(capsys, "list", "--json")
    assert code == 0
    names = [each["name"] for each in json.loads(out)]
    assert names[0] == "flag_rollback"
    assert names[-1] == "notify_only"


def test_lint_says_where_and_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("name: own\ntitle: Own\nwen: 'true'\n")
    code, _out, err = run(capsys, "lint", str(file))
    assert code == 1
    assert f"{file}:3: wen: there is no such field (did you mean 'when'?)" in err
    file.write_text("name: own\ntitle: Own\nwhen: 'true'\n")
    assert run(capsys, "lint", str(file))[0] == 0


def test_dry_run_shows_what_would_be_proposed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change = tmp_path / "change.json"
    undo = {"action": "flag_rollback", "flag": "new_payment", "project": "p", "environment": "e"}
    change.write_text(json.dumps({"kind": "flag", "undo": undo}))
    code, out, _err = run(capsys, "dry-run", str(change), "--json")
    assert code == 0
    first, last = json.loads(out)
    assert first["playbook"] == "flag_rollback"
    assert first["calls"][0]["params"]["flag"] == "new_payment"
    assert last["calls"] == []


def test_the_examples_hold(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _err = run(capsys, "test")
    assert code == 0
    assert "hold" in out
    assert run(capsys, "test", "unheard_of")[0] == 1


def test_the_schema_is_for_editors(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _err = run(capsys, "schema")
    assert code == 0
    assert set(json.loads(out)["required"]) == {"name", "title", "when"}
