"""Keeps people told without ever holding up the response: one message at a time, changes joined."""

import asyncio
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.contracts import EscalateInput, ReminderInput, TellInput
    from activities.telling import Telling
    from workflows.messages import Book
    from workflows.policies import NOTIFY, RECORD

BETWEEN_REDRAWS = timedelta(seconds=15)
"""Figures alone redraw the message no more often than this; a chat limits its callers."""


class Teller:
    """A loop beside the workflow that redraws the message whenever something changed."""

    def __init__(self, incident_id: str, book: Book) -> None:
        self._incident_id = incident_id
        self._book = book
        self._changed = False
        self._stopping = False
        self._proposal_id = ""
        self._told_at: datetime | None = None
        self._reminder: ReminderInput | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; the first message is posted at once."""
        self._changed = True
        self._task = asyncio.create_task(self._loop())

    def tell(self) -> None:
        """Say that something changed that people want to see now."""
        self._changed = True

    def tell_soon(self) -> None:
        """Say that figures changed; dropped when the message was redrawn a moment ago."""
        if self._told_at is None or workflow.now() - self._told_at >= BETWEEN_REDRAWS:
            self._changed = True

    def asked(self, proposal_id: str) -> None:
        """Say that the message now asks for a decision on this proposal."""
        self._proposal_id = proposal_id
        self._changed = True

    async def finish(self) -> None:
        """Tell what is left to tell, then stop."""
        self._stopping = True
        if self._task is not None:
            await self._task

    def remind(self, request: ReminderInput) -> None:
        """Have people reminded, beside the waiting for their decision."""
        self._reminder = request
        self._changed = True

    async def page(self, reason: str) -> None:
        """Wake people; a pager that does not answer is recorded, and holds nothing up."""
        book = self._book
        book.escalations += 1
        request = EscalateInput(
            incident_id=self._incident_id, round=book.escalations, reason=reason
        )
        try:
            await workflow.execute_activity_method(Telling.escalate, request, **NOTIFY)
            book.paged = True
        except ActivityError as error:
            workflow.logger.warning("the pager did not answer: %s", error.cause)
            await workflow.execute_activity_method(Telling.record_escalation, request, **RECORD)

    async def end_page(self) -> None:
        """Let people sleep again; a pager that does not answer holds nothing up."""
        try:
            await workflow.execute_activity_method(
                Telling.end_page,
                TellInput(incident_id=self._incident_id, after_version=0),
                **NOTIFY,
            )
        except ActivityError as error:
            workflow.logger.warning("the page could not be ended: %s", error.cause)

    async def _loop(self) -> None:
        while True:
            await workflow.wait_condition(lambda: self._changed or self._stopping)
            if not self._changed:
                return
            self._changed = False
            await self._tell_once()
            if self._reminder is not None:
                await self._remind(self._reminder)

    async def _remind(self, request: ReminderInput) -> None:
        self._reminder = None
        try:
            await workflow.execute_activity_method(Telling.remind, request, **NOTIFY)
        except ActivityError as error:
            workflow.logger.warning("people could not be reminded: %s", error.cause)

    async def _tell_once(self) -> None:
        asked, self._proposal_id = self._proposal_id, ""
        self._told_at = workflow.now()
        try:
            told = await workflow.execute_activity_method(
                Telling.tell,
                TellInput(
                    incident_id=self._incident_id,
                    after_version=self._book.told_version,
                    proposal_id=asked,
                ),
                **NOTIFY,
            )
            self._book.told_version = told.version
        except ActivityError as error:
            workflow.logger.warning("people could not be told: %s", error.cause)
