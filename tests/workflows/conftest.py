"""A time-skipping Temporal server, and a worker that runs the response against ports in memory."""

import asyncio
import itertools
import sysconfig
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.guarding import GuardingInterceptor
from activities.joining import join
from recoup.domain.facts import IncidentKind, Severity
from recoup.domain.proposals import Decision, DecisionAnswer, Person, Proposal, Verdict
from tests.workflows.ports import INCIDENT, START, World
from workflows.incident import IncidentWorkflow
from workflows.messages import IncidentInput, IncidentOutcome, Phase, ResponsePolicy

_numbers = itertools.count()
ANNA = Person(id="anna", name="Anna", roles=("approver",))


@pytest.fixture
async def temporal() -> AsyncIterator[WorkflowEnvironment]:
    binary = Path(sysconfig.get_path("scripts")) / "temporal-test-server"
    async with await WorkflowEnvironment.start_time_skipping(
        data_converter=pydantic_data_converter, test_server_existing_path=str(binary)
    ) as environment:
        yield environment


class Response:
    """One running incident workflow, and what a person can do with it."""

    def __init__(
        self, environment: WorkflowEnvironment, world: World, handle: WorkflowHandle[Any, Any]
    ) -> None:
        self.environment = environment
        self.client = environment.client
        self.world = world
        self.handle = handle

    async def until(
        self, holds: Callable[[], bool], within_s: float = 20, skip_s: float = 0
    ) -> None:
        """Wait (in wall time, or skipping time) until something holds in the world."""
        end = asyncio.get_running_loop().time() + within_s
        while not holds():
            assert asyncio.get_running_loop().time() < end, self.world.log.names()
            await asyncio.sleep(0.01)
            if skip_s:
                await self.environment.sleep(skip_s)

    async def phase(self, wanted: Phase, within_s: float = 20) -> None:
        end = asyncio.get_running_loop().time() + within_s
        while (await self.handle.query(IncidentWorkflow.state)).phase is not wanted:
            assert asyncio.get_running_loop().time() < end, self.world.log.names()
            await asyncio.sleep(0.02)

    async def asked(
        self, version: int = 1, skip_s: float = 0, wait_for_gate: bool = True
    ) -> Proposal:
        """Return the ``version``-th proposal once it was made."""

        def made() -> bool:
            proposal = self.world.log.incident().proposal
            return proposal is not None and proposal.version >= version

        await self.until(made, skip_s=skip_s)
        proposal = self.world.log.incident().proposal
        assert proposal is not None
        if wait_for_gate:
            await self._gate_of(proposal)
        return proposal

    async def _gate_of(self, proposal: Proposal) -> None:
        state = await self.handle.query(IncidentWorkflow.state)
        if state.proposal_id != proposal.proposal_id:
            await asyncio.sleep(0.01)
            await self._gate_of(proposal)

    async def say(
        self,
        verdict: Verdict,
        proposal: Proposal | None = None,
        by: Person = ANNA,
        **more: Any,
    ) -> DecisionAnswer:
        values: dict[str, Any] = {
            "decision_id": f"dec_{next(_numbers)}",
            "incident_id": INCIDENT,
            "verdict": verdict,
            "by": by,
            "at": START,
            "surface": "test",
        }
        if proposal is not None:
            values |= {
                "proposal_id": proposal.proposal_id,
                "proposal_version": proposal.version,
                "nonce": proposal.nonce,
                "state_hash": proposal.state_hash,
            }
        decision = Decision(**(values | more))
        return await self.handle.execute_update(
            IncidentWorkflow.decide, decision, id=decision.decision_id
        )

    async def end(self) -> IncidentOutcome:
        outcome: IncidentOutcome = await asyncio.wait_for(self.handle.result(), 30)
        return outcome


@pytest.fixture
def world() -> World:
    return World()


@asynccontextmanager
async def working(environment: WorkflowEnvironment, world: World) -> AsyncIterator[str]:
    """Run a worker against the world's ports; gives its task queue."""
    queue = f"response-{next(_numbers)}"
    async with Worker(
        environment.client,
        task_queue=queue,
        workflows=[IncidentWorkflow],
        activities=join(world.ports()),
        interceptors=[GuardingInterceptor()],
        graceful_shutdown_timeout=timedelta(seconds=1),
    ):
        yield queue


@asynccontextmanager
async def responding(
    environment: WorkflowEnvironment,
    world: World,
    *,
    kind: IncidentKind = IncidentKind.BUSINESS,
    severity: Severity = Severity.HIGH,
    shadow: bool = False,
    **policy: Any,
) -> AsyncIterator[Response]:
    """Run a worker and start the workflow of the world's incident."""
    async with working(environment, world) as queue:
        handle = await environment.client.start_workflow(
            IncidentWorkflow.run,
            IncidentInput(
                incident_id=INCIDENT,
                kind=kind,
                severity=severity,
                shadow=shadow,
                cohort="os=iOS 16",
                policy=ResponsePolicy(**policy),
            ),
            id=INCIDENT,
            task_queue=queue,
        )
        yield Response(environment, world, handle)


@pytest.fixture
def respond() -> Any:
    return responding
