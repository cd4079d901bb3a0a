"""Stored histories replay: a new version goes on with the incidents that an old one began."""

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from workflows.incident import IncidentWorkflow

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))


TEXTS = {path: path.read_text() for path in HISTORIES}


def replayer() -> Replayer:
    return Replayer(workflows=[IncidentWorkflow], data_converter=pydantic_data_converter)


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_stored_history_replays(path: Path) -> None:
    history = WorkflowHistory.from_json("inc_0123456789abcdef0123", TEXTS[path])
    result = await replayer().replay_workflow(history, raise_on_replay_failure=False)
    assert result.replay_failure is None


def test_there_are_histories() -> None:
    assert {path.stem for path in HISTORIES} >= {"recovered", "next_hypothesis", "escalated"}


async def test_the_replay_notices_a_workflow_that_decides_otherwise() -> None:
    path = next(each for each in HISTORIES if each.stem == "recovered")
    story = json.loads(TEXTS[path])
    changed = [
        event
        for event in story["events"]
        if "activityTaskScheduledEventAttributes" in event
        and event["activityTaskScheduledEventAttributes"]["activityType"]["name"] == "propose"
    ]
    changed[0]["activityTaskScheduledEventAttributes"]["activityType"]["name"] = "apply_action"
    history = WorkflowHistory.from_json("inc_0123456789abcdef0123", json.dumps(story))
    result = await replayer().replay_workflow(history, raise_on_replay_failure=False)
    assert "Nondeterminism" in str(result.replay_failure)
