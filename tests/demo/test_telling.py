"""The demo's story is told in words that people understand, once each."""

import json
from datetime import timedelta
from typing import Any

from recoup.demo.telling import Teller, timeline_of, words_of
from recoup.domain.facts import (
    AlarmRaised,
    CausesRanked,
    Fact,
    FeedbackGiven,
    InvestigationStepTaken,
)
from recoup.domain.hypotheses import UNKNOWN_CAUSE
from tests.workflows.ports import INCIDENT, START, World, attribution


def as_shown(fact: Fact) -> dict[str, Any]:
    """Return a fact as the API shows it."""
    content = json.loads(fact.model_dump_json())
    return {"type": fact.type_name, "occurred_at": START.isoformat(), "fact": content}


STEP = InvestigationStepTaken(incident_id=INCIDENT, step="root_cohort", summary="iOS 16 it is")
RANKED = CausesRanked(
    incident_id=INCIDENT,
    version=1,
    attribution=attribution([("the [flag]", 0.9), (UNKNOWN_CAUSE, 0.1)], START),
)
LABEL = FeedbackGiven(incident_id=INCIDENT, label="false_positive", by="anna")


def test_facts_are_told_in_words_and_machine_matters_not_at_all() -> None:
    opened = next(e.fact for e in World().log.entries if e.stream == INCIDENT)
    assert "fell out of its baseline for os=iOS 16" in words_of(as_shown(opened))
    assert words_of(as_shown(STEP)) == "  root cohort: iOS 16 it is"
    assert words_of(as_shown(RANKED)) == "Most likely cause: the [flag] (90%)."
    assert words_of(as_shown(LABEL)) == "Recoup learns: false positive."
    silent = {"type": AlarmRaised.type_name, "fact": {}}
    assert words_of(silent | {"fact": alarm()}) == ""


def alarm() -> dict[str, Any]:
    one = {
        "alarm_id": "a",
        "detector": "d",
        "metric": "m",
        "cohort": {},
        "direction": "drop",
        "onset_at": START.isoformat(),
        "raised_at": START.isoformat(),
        "expected": 1.0,
        "observed": 0.5,
        "trials": 10,
        "statistic": 9.0,
        "threshold": 8.0,
    }
    return {"incident_id": INCIDENT, "alarm": one}


def test_each_fact_is_said_once_and_steps_only_of_the_first_investigation() -> None:
    said: list[str] = []
    teller = Teller(said.append)
    facts = [as_shown(each) for each in (STEP, RANKED)]
    teller.tell(facts)
    teller.tell(facts)
    assert [line.split(" ", 1)[1] for line in said] == [
        "  root cohort: iOS 16 it is",
        "Most likely cause: the [flag] (90%).",
    ]
    teller.tell([*facts, *facts, as_shown(LABEL)])
    assert len(said) == 4, "the second investigation's result, and the label"


def test_the_table_tells_how_long_after_the_break() -> None:
    rows = timeline_of([as_shown(STEP), as_shown(RANKED)], START - timedelta(minutes=3), "broken")
    assert [(row["minutes"], row["what"]) for row in rows] == [
        (0.0, "broken"),
        (3.0, "Most likely cause: the [flag] (90%)."),
    ]
