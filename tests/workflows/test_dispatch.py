"""The dispatcher against a real server: each incident gets one workflow, and its news once."""

import asyncio
from datetime import timedelta
from typing import Any

from temporalio.testing import WorkflowEnvironment

from recoup.dispatch import Dispatcher
from recoup.domain.cohort import Cohort
from recoup.domain.facts import (
    CohortRecovered,
    FeedbackGiven,
    IncidentUpdated,
    Resolution,
    Severity,
)
from tests.workflows.conftest import Response, working
from tests.workflows.ports import INCIDENT, MONEY, START, World
from workflows.messages import ResponsePolicy


def dispatcher(environment: WorkflowEnvironment, world: World, queue: str) -> Dispatcher:
    policy = ResponsePolicy(reconsider_every_s=1)
    return Dispatcher(world.log, world.incidents, environment.client, queue, policy)


def respond_to(environment: WorkflowEnvironment, world: World) -> Response:
    return Response(environment, world, environment.client.get_workflow_handle(INCIDENT))


async def test_an_incident_gets_one_workflow_however_often_it_is_read(
    temporal: WorkflowEnvironment, world: World
) -> None:
    async with working(temporal, world) as queue:
        send = dispatcher(temporal, world, queue)
        position = await send.step(0)
        assert position == world.log.entries[-1].position
        assert await send.step(0) == position
        response = respond_to(temporal, world)
        await response.asked()
        first_run = (await response.handle.describe()).run_id
        world.append(
            INCIDENT,
            "back",
            CohortRecovered(incident_id=INCIDENT, at=START, observed=0.52, expected=0.52),
        )
        await send.step(position)
        await response.until(lambda: world.log.incident().resolution is not None)
        # Everything again, after the end: the server refuses a second workflow of that id.
        await send.step(0)
        assert (await response.handle.describe()).run_id == first_run
    assert world.log.incident().resolution is Resolution.RECOVERED_ON_ITS_OWN
    assert len(world.notifier.posts) == 1


async def test_feedback_from_the_page_closes_the_incident(
    temporal: WorkflowEnvironment, world: World
) -> None:
    async with working(temporal, world) as queue:
        send = dispatcher(temporal, world, queue)
        position = await send.step(0)
        response = respond_to(temporal, world)
        await response.asked()
        given = FeedbackGiven(incident_id=INCIDENT, label="false_positive", by="ben", reason="sale")
        world.append(INCIDENT, "feedback-1", given)
        await send.step(position)
        await response.until(lambda: world.log.incident().resolution is not None)
    assert world.log.incident().resolution is Resolution.FALSE_POSITIVE
    assert len(world.log.facts(FeedbackGiven)) == 1


async def test_a_change_reported_late_is_considered(
    temporal: WorkflowEnvironment, world: World
) -> None:
    world.analyst.rankings = [[("chg_flag", 0.5)], [("chg_late", 0.8), ("chg_flag", 0.2)]]
    async with working(temporal, world) as queue:
        send = dispatcher(temporal, world, queue)
        position = await send.step(0)
        response = respond_to(temporal, world)
        first = await response.asked()
        assert first.change_id == "chg_flag"
        world.flags.set("late", on=True)
        world.add_change("chg_late", {"action": "flag_rollback", "flag": "late"})
        await send.step(position)
        second = await response.asked(2, skip_s=2)
    assert second.change_id == "chg_late"


async def test_growing_evidence_is_told_once_a_batch(
    temporal: WorkflowEnvironment, world: World
) -> None:
    async with working(temporal, world) as queue:
        send = dispatcher(temporal, world, queue)
        position = await send.step(0)
        response = respond_to(temporal, world)
        await response.asked()
        for number in range(5):
            updated: Any = IncidentUpdated(
                incident_id=INCIDENT,
                severity=Severity.HIGH,
                cohort=Cohort({"os": "iOS 16"}),
                onset_at=START,
                expected=0.5,
                observed=0.3,
                trials=1000 + number,
                at_risk_per_hour=MONEY,
                until=START + timedelta(minutes=number),
            )
            world.append(INCIDENT, f"updated-{number}", updated)
        await send.step(position)
        # The server shows a signal once the workflow's task of that moment is over.
        signals = await _signals(response)
        while not signals:
            await asyncio.sleep(0.05)
            signals = await _signals(response)
    assert len(signals) == 1


async def _signals(response: Response) -> list[Any]:
    history = await response.handle.fetch_history()
    return [each for each in history.events if each.event_type == 26]
