"""``recoup keys`` as an operator runs it."""

import json
from pathlib import Path

import pytest

from recoup.cli import main


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["keys", *arguments]) == 0, capsys.readouterr().err
    return capsys.readouterr().out.strip()


def test_a_key_is_made_listed_rotated_and_revoked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    data = ("--data", str(tmp_path))
    assert "only this machine is served" in run(capsys, "list", *data)
    text = run(capsys, "create", "CI", "--scope", "changes:write", "--days", "30", *data)
    key_id = text.split("_")[1]
    rotated = json.loads(run(capsys, "rotate", key_id, "--grace-hours", "0", "--json", *data))
    rows = {row["key_id"]: row for row in json.loads(run(capsys, "list", "--json", *data))}
    assert (rows[key_id]["valid"], rows[rotated["key_id"]]["valid"]) == (False, True)
    assert rows[key_id]["scopes"] == ["changes:write"]
    assert "digest" not in str(rows)
    assert "revoked" in run(capsys, "revoke", rotated["key_id"], "--reason", "test", *data)


def test_an_unknown_role_or_key_says_what_would_be_right(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    data = ("--data", str(tmp_path))
    assert main(["keys", "link", "anna", "--role", "boss", *data]) == 1
    assert "is not one of viewer, responder" in capsys.readouterr().err
    assert main(["keys", "revoke", "nope", *data]) == 1
    assert "recoup keys list" in capsys.readouterr().err


def test_a_link_leads_to_the_public_address(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECOUP_PUBLIC_URL", "https://recoup.example/")
    link = run(capsys, "link", "anna", "--role", "approver", "--data", str(tmp_path))
    assert link.startswith("https://recoup.example/signin/link?token=")
