"""The dispatcher: starts a workflow for each incident and brings it the news from the log.

It reads facts in order and keeps its position. A stop at any moment repeats at most the last few:
the workflow's id is the incident's, and a signal carries its fact's position, so both happen once.
What Temporal has lost is opened again (``recoup.reopening``).
"""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta

import structlog
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from recoup.app import App
from recoup.domain.errors import StorageUnavailable
from recoup.domain.facts import (
    ChangeRecorded,
    CohortRecovered,
    FeedbackGiven,
    IncidentOpened,
    IncidentUpdated,
    Recorded,
)
from recoup.domain.ports import FactLog, IncidentViews
from recoup.reopening import PATIENCE, Patience, Reopener
from recoup.settings import Settings
from recoup.temporal import register_search_attributes, start_response
from workflows.messages import (
    ChangeAppeared,
    CohortBack,
    EvidenceGrew,
    FeedbackNoted,
    IncidentInput,
    ResponsePolicy,
)

READER = "dispatcher"
BATCH = 500
POLL_S = 0.2
PAUSE_AFTER_ERROR_S = 1.0
CHANGES_BEFORE = timedelta(days=3)
TYPES = tuple(
    kind.type_name
    for kind in (IncidentOpened, IncidentUpdated, CohortRecovered, ChangeRecorded, FeedbackGiven)
)
_Signal = EvidenceGrew | CohortBack | ChangeAppeared | FeedbackNoted

_log = structlog.get_logger()


def policy_of(settings: Settings, *, tagged: bool) -> ResponsePolicy:
    """Return the settings of the response as a workflow takes them along."""
    response = settings.response
    return ResponsePolicy(
        pace=settings.clock.pace,
        approval_expires_s=response.approval_expires_s,
        verify_every_s=response.verify_every_s,
        verify_within_s=response.verify_within_s,
        settle_s=response.settle_s,
        remind_before_s=response.remind_before_s,
        margin=response.recovery_margin,
        tagged=tagged,
    )


async def run_dispatcher(
    app: App, client: Client, stop: asyncio.Event, patience: Patience = PATIENCE
) -> None:
    """Follow the log until ``stop`` is set; an unreachable Temporal or database is waited for.

    Now and then it looks whether Temporal still knows every open incident, and opens again which
    it does not, with the patience given.
    """
    tagged = await register_search_attributes(client)
    policy = policy_of(app.settings, tagged=tagged)
    queue = app.settings.temporal.task_queue
    dispatcher = Dispatcher(app.store, app.store.incidents, client, queue, policy)
    reopener = Reopener(app, client, policy, patience)
    position = await asyncio.to_thread(app.store.checkpoint, READER)
    while not stop.is_set():
        try:
            await reopener.look_if_due(position)
            reached = await dispatcher.step(position)
            if reached > position:
                await asyncio.to_thread(app.store.note_position, READER, reached)
                position = reached
                continue
            pause = POLL_S
        except (RPCError, StorageUnavailable) as error:
            _log.warning("dispatcher.waits", reason=str(error))
            pause = PAUSE_AFTER_ERROR_S
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)


class Dispatcher:
    """Takes facts to workflows."""

    def __init__(
        self,
        log: FactLog,
        incidents: IncidentViews,
        client: Client,
        task_queue: str,
        policy: ResponsePolicy,
    ) -> None:
        self._log = log
        self._incidents = incidents
        self._client = client
        self._task_queue = task_queue
        self._policy = policy

    async def step(self, position: int) -> int:
        """Deal with the facts after ``position``; return up to where they are dealt with."""
        entries = await asyncio.to_thread(self._log.read_facts, position, BATCH, TYPES)
        for entry in entries:
            if isinstance(entry.fact, IncidentOpened):
                await self._start(entry.fact)
        for incident_id, name, signal in await self._signals(entries):
            await self._send(incident_id, name, signal)
        return entries[-1].position if entries else position

    async def _start(self, fact: IncidentOpened) -> None:
        request = IncidentInput(
            incident_id=fact.incident_id,
            kind=fact.kind,
            severity=fact.severity,
            shadow=fact.shadow,
            cohort=fact.cohort.label,
            policy=self._policy,
        )
        if await start_response(self._client, self._task_queue, request):
            _log.info("incident.workflow_started", incident_id=fact.incident_id)
        else:
            _log.info("incident.workflow_had_ended", incident_id=fact.incident_id)

    async def _signals(self, entries: Sequence[Recorded]) -> list[tuple[str, str, _Signal]]:
        """Return who is to be told what: in order, growing evidence only in its latest form."""
        latest = {
            entry.fact.incident_id: entry.position
            for entry in entries
            if isinstance(entry.fact, IncidentUpdated)
        }
        found: list[tuple[str, str, _Signal]] = []
        for entry in entries:
            fact, at = entry.fact, entry.position
            if isinstance(fact, IncidentUpdated) and latest[fact.incident_id] == at:
                grown = EvidenceGrew(position=at, severity=fact.severity, cohort=fact.cohort.label)
                found.append((fact.incident_id, "evidence_grew", grown))
            elif isinstance(fact, CohortRecovered):
                back = CohortBack(position=at, at=fact.at)
                found.append((fact.incident_id, "cohort_back", back))
            elif isinstance(fact, FeedbackGiven):
                noted = FeedbackNoted(position=at, label=fact.label, by=fact.by, reason=fact.reason)
                found.append((fact.incident_id, "feedback", noted))
            elif isinstance(fact, ChangeRecorded):
                appeared = ChangeAppeared(position=at, change_id=fact.change.id)
                found += [
                    (incident_id, "change_appeared", appeared)
                    for incident_id in await self._suspecting(fact, at)
                ]
        return found

    async def _suspecting(self, fact: ChangeRecorded, position: int) -> list[str]:
        """Return the open incidents that the change may have caused and that do not know it."""
        return await asyncio.to_thread(self._suspecting_now, fact, position)

    def _suspecting_now(self, fact: ChangeRecorded, position: int) -> list[str]:
        time = fact.change.time
        return [
            each.id
            for each in self._incidents.list(open_only=True)
            if each.onset_at - CHANGES_BEFORE <= time <= each.opened_at
            and self._log.read_stream(each.id)[0].position < position
        ]

    async def _send(self, incident_id: str, name: str, signal: _Signal) -> None:
        handle = self._client.get_workflow_handle(incident_id)
        try:
            await handle.signal(name, signal)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
