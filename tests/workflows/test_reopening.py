"""Open incidents that Temporal does not know are opened again; every other is left alone."""

import socket
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from recoup.app import App, build
from recoup.domain.facts import (
    CausesRanked,
    IncidentClosed,
    IncidentOpened,
    NewFact,
    Recorded,
    Resolution,
    ResponseResumed,
)
from recoup.domain.hypotheses import UNKNOWN_CAUSE
from recoup.reopening import Patience, Reopener
from recoup.settings import Settings, TemporalSettings
from recoup.temporal import connect, is_known, server_binary, start_response
from tests.workflows.ports import INCIDENT, START, World, attribution
from workflows.incident import IncidentWorkflow
from workflows.messages import SEARCH_ATTRIBUTES, IncidentInput, ResponsePolicy

LATER = 100.0
PATIENCE = Patience(look_every_s=60, unknown_for_s=LATER)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    app = build(Settings(data_dir=tmp_path))
    yield app
    app.store.close()


def opened(app: App, incident_id: str = INCIDENT) -> Recorded:
    """Record an incident and a first ranking, so that the response has begun."""
    (fact,) = [each.fact for each in World().log.entries if isinstance(each.fact, IncidentOpened)]
    causes = attribution([("chg_flag", 0.9), (UNKNOWN_CAUSE, 0.1)], START)
    facts = (
        fact.model_copy(update={"incident_id": incident_id}),
        CausesRanked(incident_id=incident_id, version=1, attribution=causes),
    )
    new = [
        NewFact(fact_id=f"{incident_id}:{number}", fact=each, occurred_at=app.clock.now())
        for number, each in enumerate(facts)
    ]
    return app.store.append(incident_id, new)[0]


def reopener(app: App, environment: WorkflowEnvironment) -> Reopener:
    return Reopener(app, environment.client, ResponsePolicy(), PATIENCE)


def resumptions(app: App) -> list[str]:
    entries = app.store.read_stream(INCIDENT)
    return [each.fact.phase for each in entries if isinstance(each.fact, ResponseResumed)]


async def test_what_is_unknown_for_a_while_is_opened_again_once(
    temporal: WorkflowEnvironment, app: App
) -> None:
    position = opened(app).position
    one, other = reopener(app, temporal), reopener(app, temporal)
    assert await one.look(position, 0.0) == []
    assert await other.look(position, 0.0) == []
    assert not await is_known(temporal.client, INCIDENT)
    assert await one.look(position, LATER) == [INCIDENT]
    assert await other.look(position, LATER) == [], "another process was faster"
    assert await one.look(position, 2 * LATER) == []
    assert resumptions(app) == ["investigating"]
    described = await temporal.client.get_workflow_handle(INCIDENT).describe()
    assert described.workflow_type == IncidentWorkflow.__name__


async def test_two_that_open_it_at_the_same_moment_start_one_workflow(
    temporal: WorkflowEnvironment, app: App
) -> None:
    entries = [opened(app), *app.store.read_stream(INCIDENT)[1:]]
    for each in (reopener(app, temporal), reopener(app, temporal)):
        assert await each._reopen(INCIDENT, entries[0].position, ResponsePolicy())
    assert len(resumptions(app)) == 1


async def test_what_is_known_closed_or_still_to_be_dispatched_is_left_alone(
    temporal: WorkflowEnvironment, app: App
) -> None:
    position = opened(app).position
    known = opened(app, "inc_known")
    closed = opened(app, "inc_closed")
    end = IncidentClosed(
        incident_id="inc_closed", resolution=Resolution.NOTED, closed_at=app.clock.now()
    )
    app.store.append("inc_closed", [NewFact(fact_id="end", fact=end, occurred_at=START)])
    opened(app, "inc_fresh")
    request = IncidentInput(
        incident_id="inc_known", kind=known.fact.kind, severity=known.fact.severity
    )
    assert await start_response(temporal.client, "recoup", request)
    looking = reopener(app, temporal)
    await looking.look(closed.position, 0.0)
    assert await looking.look(closed.position, LATER) == [INCIDENT]
    assert position < closed.position
    for other in ("inc_closed", "inc_fresh"):
        assert not await is_known(temporal.client, other)


async def test_what_ended_is_not_begun_anew(temporal: WorkflowEnvironment, app: App) -> None:
    position = opened(app).position
    request = IncidentInput(incident_id=INCIDENT, kind="business", severity="high")
    assert await start_response(temporal.client, "recoup", request)
    await temporal.client.get_workflow_handle(INCIDENT).terminate()
    assert not await start_response(temporal.client, "recoup", request)
    looking = reopener(app, temporal)
    await looking.look(position, 0.0)
    assert await looking.look(position, LATER) == []
    assert resumptions(app) == []


async def test_it_looks_at_once_and_then_now_and_then(
    temporal: WorkflowEnvironment, app: App
) -> None:
    position = opened(app).position
    patience = Patience(look_every_s=3600, unknown_for_s=0.0)
    looking = Reopener(app, temporal.client, ResponsePolicy(), patience)
    assert await looking.look_if_due(position) == [INCIDENT]
    opened(app, "inc_other")
    assert await looking.look_if_due(10**9) == [], "only after an hour"


def test_moments_of_the_shop_become_moments_of_timers(
    temporal: WorkflowEnvironment, app: App
) -> None:
    wall = Reopener(app, temporal.client, ResponsePolicy(), PATIENCE)._wall_moment(60.0)
    now = app.clock.now()
    ahead = wall(now + timedelta(minutes=30)) - wall(now)
    assert ahead == timedelta(seconds=30)


@pytest.fixture
def bare_server() -> Iterator[Settings]:
    """A server that knows none of Recoup's search attributes."""
    command = [str(server_binary()), "server", "start-dev", "--headless", "--ip", "127.0.0.1"]
    port = free_port()
    server = subprocess.Popen([*command, "--port", str(port), "--log-level", "error"])
    yield Settings(temporal=TemporalSettings(address=f"127.0.0.1:{port}"))
    server.kill()
    server.wait()


async def test_search_attributes_that_were_lost_are_registered_again(
    bare_server: Settings, app: App
) -> None:
    """Without them a workflow could not be tagged, and would be stuck."""
    client = await connect(bare_server)
    assert SEARCH_ATTRIBUTES[0] not in await attributes_of(client)
    await Reopener(app, client, ResponsePolicy(), PATIENCE).look(0, 0.0)
    assert set(SEARCH_ATTRIBUTES) <= await attributes_of(client)


async def attributes_of(client: Client) -> set[str]:
    request = ListSearchAttributesRequest(namespace=client.namespace)
    return set((await client.operator_service.list_search_attributes(request)).custom_attributes)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
