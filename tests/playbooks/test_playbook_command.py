"""``recoup playbook`` as people call it."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from recoup.cli import main
from recoup.demo.standins.launchdarkly import LaunchDarklyStandIn
from recoup.demo.standins.running import Running
from recoup.domain.clock import SystemClock


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


def test_a_live_dry_run_asks_the_vendor_and_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = LaunchDarklyStandIn("p", "e", "secret", SystemClock().now)
    vendor.add("new_payment", on=True)
    change = tmp_path / "change.json"
    undo = {"action": "flag_rollback", "flag": "new_payment", "project": "p", "environment": "e"}
    change.write_text(json.dumps({"kind": "flag", "undo": undo}))
    with Running(vendor.app) as running:
        for name, value in (
            ("BASE_URI", running.url),
            ("API_TOKEN", "t"),
            ("PROJECT", "p"),
            ("ENVIRONMENT", "e"),
        ):
            monkeypatch.setenv(f"RECOUP_LAUNCHDARKLY_{name}", value)
        data = ("--data", str(tmp_path / "data"))
        code, out, _err = run(capsys, "dry-run", str(change), "--live", "--json", *data)
        assert code == 0
        [preview] = json.loads(out)[0]["previews"]
        assert preview["before"] == {"on": True, "version": 1}
        assert vendor.version("new_payment") == 1
        vendor.reviews.required = True
        _code, out, _err = run(capsys, "dry-run", str(change), "--live", "--json", *data)
        assert "its vendor's own approval" in json.loads(out)[0]["previews"][0]["summary"]
        undo["flag"] = "unheard_of"
        change.write_text(json.dumps({"kind": "flag", "undo": undo}))
        _code, out, _err = run(capsys, "dry-run", str(change), "--live", *data)
        assert "cannot be done" in out


def test_the_examples_hold(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _err = run(capsys, "test")
    assert code == 0
    assert "hold" in out
    assert run(capsys, "test", "unheard_of")[0] == 1


def test_lint_says_everything_that_is_wrong_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(
        "name: own\ntitle: Own\nwhen: chnge.kind == 'flag'\nactions:\n"
        "  - action: flag_rolback\n  - action: flag_rollback\n    params: {flag: x, projct: y}\n"
    )
    code, _out, err = run(capsys, "lint", str(file))
    assert code == 1
    assert f"{file}:3: when: there is no 'chnge' (did you mean 'change'?)" in err
    assert f"{file}:5: there is no action 'flag_rolback' (did you mean 'flag_rollback'?)" in err
    assert "has no parameter 'projct' (did you mean 'project'?)" in err
    assert "needs the parameter 'environment'" in err


SHIPPED = Path(__file__).parents[2] / "playbooks" / "playbook.schema.json"


def test_the_shipped_schema_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    """Run ``recoup playbook schema > playbooks/playbook.schema.json`` when this fails."""
    code, out, _err = run(capsys, "schema")
    assert code == 0
    assert SHIPPED.read_text() == out
    assert set(json.loads(out)["required"]) == {"name", "title", "when"}


def broken(old: str, new: str) -> dict[str, Any]:
    text = (SHIPPED.parent / "library" / "release_rollback.yaml").read_text()
    assert old in text
    changed: dict[str, Any] = YAML(typ="safe").load(text.replace(old, new, 1))
    return changed


@pytest.mark.parametrize("file", sorted((SHIPPED.parent / "library").glob("*.yaml")), ids=str)
def test_an_editor_finds_nothing_wrong_with_the_library(file: Path) -> None:
    jsonschema.validate(YAML(typ="safe").load(file.read_text()), json.loads(SHIPPED.read_text()))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("priority: 85", "priority: high"),
        ("action: release_rollback", "action: release_rolback"),
        ("      workflow:", "      workflw:"),
        ('      project: "{{ change.undo.project }}"\n', ""),
        ("undo: keep", "undo: never"),
    ],
)
def test_an_editor_finds_what_is_wrong(old: str, new: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken(old, new), json.loads(SHIPPED.read_text()))
