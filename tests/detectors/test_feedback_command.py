"""The commands of feedback that only read, as they are typed: preview, list, tolerated."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from recoup.cli import build
from recoup.domain.clock import SystemClock
from recoup.domain.facts import FeedbackGiven, NewFact
from store.opening import Store, open_store
from tests.detectors.test_sensitivity import opened

NIGHT = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
Run = Callable[..., Result]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_store(f"sqlite:///{tmp_path / 'recoup.db'}", SystemClock())
    for day in range(4):
        at = NIGHT + timedelta(days=day)
        fact = opened(f"inc_{day}", at=at)
        new = NewFact(fact_id=f"o{day}", fact=fact, occurred_at=at)
        store.append(f"inc_{day}", [new])
    label = FeedbackGiven(incident_id="inc_0", label="false_positive", by="anna")
    store.append("inc_0", [NewFact(fact_id="label", fact=label, occurred_at=NIGHT)])
    return store


@pytest.fixture
def run(tmp_path: Path, store: Store) -> Run:
    def typed(*words: str) -> Result:
        store.close()
        return CliRunner().invoke(build(), ["feedback", *words, "--data", str(tmp_path)])

    return typed


def test_a_preview_changes_nothing(run: Run) -> None:
    shown = run("preview", "inc_1", "--json")
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.output)
    assert sorted(found["removed"]) == ["inc_2", "inc_3"]
    assert found["hidden"] == []
    listed = json.loads(run("list", "--json").output)
    assert [each["incident_id"] for each in listed] == ["inc_0"]
    assert "kept 2 from opening" in run("preview", "inc_1").output


def test_a_preview_of_what_nobody_knows_is_refused(run: Run) -> None:
    assert run("preview", "inc_9").exit_code != 0


def test_alarms_that_were_let_pass_are_listed(run: Run, store: Store) -> None:
    assert "No alarm was let pass" in run("tolerated").output
