"""The part of the response that acts: carry out, prove, take back. It decides; activities do."""

from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.contracts import (
        Applied,
        ApplyInput,
        CheckInput,
        FailedAction,
        FailedUndo,
        StartVerificationInput,
        UndoInput,
    )
    from activities.doing import Doing
    from activities.verifying import Verifying
    from recoup.domain.facts import Resolution
    from recoup.domain.proposals import ActionCall, ActionPreview, Proposal
    from recoup.domain.verification import RecoveryCheck, RecoveryVerdict
    from workflows.messages import Book, IncidentInput, Phase
    from workflows.policies import ANALYSE, RECORD, WRITE_VENDOR
    from workflows.vendor_review import through_vendor_review
    from workflows.waiting import must_continue, sleep_unless

GRACE_S = 300
"""How much longer than the test itself its last look may take, in shop time."""

NEEDS_APPROVAL = "needs_approval"
"""The refusal of a vendor that wants an approval of its own; it is asked for and waited for."""

DOUBTFUL = ("timed_out", "transient", "failed")
"""Failures after which nobody knows whether the target was reached; a refusal is none of them."""


class Remediation:
    """Carries out the approved proposal in the book, proves it, and takes it back if need be."""

    def __init__(self, request: IncidentInput, book: Book, interrupted: Callable[[], bool]) -> None:
        self._incident_id = request.incident_id
        self._policy = request.policy
        self._book = book
        self._interrupted = interrupted

    async def execute(self) -> Phase:
        """Carry out the actions in order; the first that fails ends it, and all are taken back."""
        book = self._book
        assert book.gate is not None
        proposal = book.gate.proposal
        book.trouble, book.spent = "", proposal.proposal_id
        done = {each.call.key for each in book.applied}
        for call, preview in zip(proposal.calls, proposal.previews, strict=True):
            if self._interrupted():
                return Phase.UNDOING
            if call.key in done:
                continue
            try:
                await self._apply(proposal, call, preview)
            except ActivityError as error:
                if not await self._took_effect(proposal, call, preview, error):
                    return Phase.UNDOING
        return Phase.UNDOING if self._interrupted() else Phase.VERIFYING

    async def _apply(self, proposal: Proposal, call: ActionCall, preview: ActionPreview) -> None:
        applied = await workflow.execute_activity_method(
            Doing.apply_action, self._request(proposal, call, preview), **WRITE_VENDOR
        )
        self._book.applied = (*self._book.applied, applied)

    def _request(self, proposal: Proposal, call: ActionCall, preview: ActionPreview) -> ApplyInput:
        return ApplyInput(
            incident_id=self._incident_id,
            proposal_id=proposal.proposal_id,
            call=call,
            preview=preview,
            comment=f"Recoup, incident {self._incident_id}: {proposal.title}",
        )

    async def _took_effect(
        self, proposal: Proposal, call: ActionCall, preview: ActionPreview, error: ActivityError
    ) -> bool:
        """Find out whether a failed action was done after all; if not, note the trouble."""
        kind, reason = kind_and_reason(error)
        if kind == NEEDS_APPROVAL and workflow.patched("vendor-review"):
            applied, reason = await self._through_vendor(self._request(proposal, call, preview))
            if applied is not None:
                self._book.applied = (*self._book.applied, applied)
                return True
        settled = await workflow.execute_activity_method(
            Doing.settle_failure,
            FailedAction(
                request=self._request(proposal, call, preview),
                kind=kind,
                reason=reason,
                doubtful=kind in DOUBTFUL,
            ),
            **RECORD,
        )
        if settled.applied is not None:
            self._book.applied = (*self._book.applied, settled.applied)
            return True
        self._book.trouble = f"{call.action} could not be carried out: {reason}"
        self._book.target_moved = kind == "state_moved"
        return False

    async def _through_vendor(self, request: ApplyInput) -> tuple[Applied | None, str]:
        """Wait for the vendor's own approval as long as people get for ours."""
        wait_for = timedelta(seconds=self._policy.approval_expires_s / self._policy.pace)
        try:
            found = await through_vendor_review(request, wait_for, self._interrupted)
        except ActivityError as error:
            return None, kind_and_reason(error)[1]
        return (found, "") if isinstance(found, Applied) else (None, found)

    async def verify(self) -> Phase:
        """Look at the cohort until the test comes to a verdict, or the time for it is over."""
        book = self._book
        if book.verifying_since is None:
            await self._begin()
        check: RecoveryCheck | None = None
        while check is None or check.verdict is RecoveryVerdict.UNDECIDED:
            await sleep_unless(
                lambda: self._interrupted() or must_continue(self._policy), self._pause()
            )
            if self._interrupted():
                book.verifying_since = None
                return Phase.UNDOING
            if must_continue(self._policy):
                return Phase.VERIFYING
            try:
                check = await self._look()
            except ActivityError as error:
                return self._conclude_nothing(f"the recovery could not be tested: {error.cause}")
        return self._conclude(check)

    async def _begin(self) -> None:
        book, plan = self._book, self._book.plan
        book.verifications += 1
        settle_s = self._policy.settle_s if plan.settle_s is None else plan.settle_s
        begun = await workflow.execute_activity_method(
            Verifying.start_verification,
            StartVerificationInput(
                incident_id=self._incident_id, round=book.verifications, settle_s=settle_s
            ),
            **RECORD,
        )
        book.verifying_since = begun.since
        within_s = plan.within_s or self._policy.verify_within_s
        allowed = timedelta(seconds=(settle_s + within_s + GRACE_S) / self._policy.pace)
        book.verifying_until = workflow.now() + allowed

    def _pause(self) -> timedelta:
        every_s = self._book.plan.every_s or self._policy.verify_every_s
        return timedelta(seconds=every_s / self._policy.pace)

    async def _look(self) -> RecoveryCheck:
        book, plan = self._book, self._book.plan
        assert book.verifying_since is not None
        assert book.verifying_until is not None
        return await workflow.execute_activity_method(
            Verifying.check_recovery,
            CheckInput(
                incident_id=self._incident_id,
                round=book.verifications,
                since=book.verifying_since,
                margin=plan.margin or self._policy.margin,
                within_s=plan.within_s or self._policy.verify_within_s,
                last=workflow.now() >= book.verifying_until,
            ),
            **ANALYSE,
        )

    def _conclude(self, check: RecoveryCheck) -> Phase:
        book = self._book
        book.verifying_since = None
        if self._interrupted():
            return Phase.UNDOING
        if check.verdict is RecoveryVerdict.RECOVERED:
            book.ending = Resolution.RECOVERED
            book.summary = check.summary
            return Phase.CLOSING
        if check.verdict is RecoveryVerdict.NOT_RECOVERED:
            assert book.gate is not None
            book.tried = (*book.tried, book.gate.proposal.change_id)
            book.attempts += 1
            return Phase.UNDOING
        return self._conclude_nothing(check.reason or f"the test was {check.verdict}")

    def _conclude_nothing(self, reason: str) -> Phase:
        """An error or a lack of data is never a success; it is for people to judge."""
        self._book.verifying_since = None
        kept = " What was done is left in place." if self._book.applied else ""
        self._book.handed_over = f"{reason}.{kept}"
        return Phase.ESCALATING

    async def undo(self) -> None:
        """Take back what was applied, the last first; each only if nobody changed it since."""
        book = self._book
        keep = book.plan.undo == "keep" and not book.trouble
        while book.applied:
            last = book.applied[-1]
            if not keep:
                await self._undo_one(last)
            book.applied = book.applied[:-1]

    async def _undo_one(self, applied: Applied) -> None:
        try:
            await workflow.execute_activity_method(
                Doing.undo_action,
                UndoInput(
                    incident_id=self._incident_id,
                    applied=applied,
                    comment=f"Recoup, incident {self._incident_id}: taken back",
                ),
                **WRITE_VENDOR,
            )
        except ActivityError as error:
            _kind, reason = kind_and_reason(error)
            await workflow.execute_activity_method(
                Doing.record_not_undone,
                FailedUndo(incident_id=self._incident_id, applied=applied, reason=reason),
                **RECORD,
            )


def kind_and_reason(error: ActivityError) -> tuple[str, str]:
    """Return what sort of failure it was, and in words."""
    cause = error.cause
    if isinstance(cause, ApplicationError):
        return cause.type or "failed", cause.message
    return "timed_out", f"no answer in time ({cause})"
