"""``recoup explain``: causes, evidence on both sides, money with intervals, and the steps."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from recoup.cli import main
from recoup.domain.changes import ChangeKind
from recoup.domain.cohort import Cohort
from recoup.domain.facts import (
    CausesRanked,
    Fact,
    IncidentOpened,
    InvestigationStepTaken,
    NewFact,
)
from recoup.domain.hypotheses import UNKNOWN_CAUSE, Attribution, Finding, Hypothesis, Onset
from recoup.domain.money import Impact, MoneyRange
from recoup.settings import load
from store.opening import open_from
from tests.workflows.ports import INCIDENT, START, World

FOUND = Attribution(
    roots=(Cohort({"os": "iOS 16", "country": "DE"}),),
    hypotheses=(
        Hypothesis(
            change_id="chg",
            kind=ChangeKind.FLAG,
            title="new payment \x1b[31mform\x07 on",
            probability=0.86,
            findings=(
                Finding(kind="time", weight=0.4, text="It was made 2 minutes before the onset."),
                Finding(kind="scope", weight=2.1, text="Only those it touches are hit."),
                Finding(kind="dose", weight=-0.7, text="The share that has it did not grow."),
            ),
            indistinguishable_from=("chg_twin",),
        ),
        Hypothesis(change_id=UNKNOWN_CAUSE, title="none of the known changes", probability=0.14),
    ),
    sentences=("Checkout fails for iOS 16 in DE.", "The flag was turned on shortly before."),
    impact=Impact(
        at_risk_per_hour=MoneyRange(low=900, mid=1200, high=1500),
        lost_so_far=MoneyRange(low=300, mid=400, high=520),
    ),
    evidence_until=START,
    onset=Onset(at=START, earliest=START, latest=START),
)
STEP = InvestigationStepTaken(
    incident_id=INCIDENT, step="changes", summary="Three changes in the six hours before."
)
RANKED = CausesRanked(incident_id=INCIDENT, version=1, attribution=FOUND)


def explained(folder: Path, facts: Sequence[Fact], *more: str) -> int:
    store = open_from(load(data_dir=folder))
    opened = World().log.facts(IncidentOpened)[0]
    for number, fact in enumerate((opened, *facts)):
        store.append(INCIDENT, [NewFact(fact_id=f"f{number}", fact=fact, occurred_at=START)])
    store.close()
    return main(["explain", INCIDENT, "--data", str(folder), *more])


def test_everything_that_was_found_is_said_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert explained(tmp_path, [STEP, RANKED]) == 0
    said = capsys.readouterr().out
    for words in (
        "country=DE, os=iOS 16",
        "EUR 400 (300 to 520)",
        "86%",
        "14%",
        "Only those it touches are hit.",
        "The share that has it did not grow.",
        "cannot be told from chg_twin",
        "Checkout fails for iOS 16 in DE.",
        "Three changes in the six hours before.",
    ):
        assert words in said, words
    assert said.index("Only those it") < said.index("It was made 2 minutes"), "weightiest first"
    assert "\x1b" not in said


def test_the_same_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explained(tmp_path, [STEP, RANKED], "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["cohorts"] == [{"country": "DE", "os": "iOS 16"}]
    first = said["causes"][0]
    assert first["probability"] == 0.86
    assert first["for"][0] == "Only those it touches are hit."
    assert first["against"] == ["The share that has it did not grow."]
    assert said["lost_so_far"]["low"] == 300
    assert [step["step"] for step in said["steps"]] == ["changes", "ranked"]


def test_before_the_investigation_it_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explained(tmp_path, []) == 0
    said = capsys.readouterr().out
    assert "has not come to a ranking yet" in said
    assert "No step of the investigation yet" in said
    assert main(["explain", INCIDENT, "--data", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["causes"] == []


def test_an_unknown_incident_is_told_where_to_look(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", "inc_x", "--data", str(tmp_path)]) == 1
    assert "recoup incidents list" in capsys.readouterr().err
