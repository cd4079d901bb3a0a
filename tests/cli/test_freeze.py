"""``recoup freeze`` as people call it."""

import json
from pathlib import Path

import pytest

from recoup.cli import main


def test_the_switch_is_turned_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def freeze(*words: str) -> str:
        assert main(["freeze", *words, "--data", str(tmp_path)]) == 0
        return capsys.readouterr().out

    assert json.loads(freeze("status", "--json"))["frozen"] is False
    assert "does nothing" in freeze("on", "--reason", "sale", "--by", "cleo")
    found = json.loads(freeze("status", "--json"))
    assert (found["frozen"], found["by"], found["reason"]) == (True, "cleo", "sale")
    assert "cleo" in freeze("status")
    freeze("off", "--by", "ben")
    found = json.loads(freeze("status", "--json"))
    assert (found["frozen"], found["by"]) == (False, "ben")
