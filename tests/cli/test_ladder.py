"""The ladder on the command line: every playbook of the library with its rung."""

import json
from pathlib import Path

from typer.testing import CliRunner

from playbooks.loader import load_library
from recoup.cli import build


def test_every_playbook_has_its_rung(tmp_path: Path) -> None:
    done = CliRunner().invoke(build(), ["ladder", "--data", str(tmp_path), "--json"])
    found = json.loads(done.stdout)
    assert set(found) == set(load_library())
    assert {each["rung"] for each in found.values()} == {"approve"}
    shown = CliRunner().invoke(build(), ["ladder", "--data", str(tmp_path)])
    assert "flag_rollback" in shown.stdout
