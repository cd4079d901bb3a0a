"""Takes decisions inside the workflow: waits for their gate, applies the rules, keeps every one."""

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.closing import Closing
    from activities.contracts import RecordDecisionInput, ReminderInput
    from recoup.domain.facts import Resolution
    from recoup.domain.proposals import Decision, DecisionAnswer, Person, Verdict
    from workflows.approvals import rule
    from workflows.messages import Book, IncidentInput, Phase
    from workflows.policies import RECORD
    from workflows.teller import Teller

EARLY_WAIT = timedelta(seconds=30)
"""How long a decision waits for the proposal that it names, when it comes before its gate."""
MOST_DECISIONS = 500
"""Decisions that are recorded; beyond this, refused ones are not, to protect the history."""


class Desk:
    """The rules of ``approvals`` at work on the book; an answer is given once for each decision."""

    def __init__(self, request: IncidentInput, book: Book, teller: Teller) -> None:
        self._incident_id = request.incident_id
        self._policy = request.policy
        self._book = book
        self._teller = teller
        self._being_recorded = 0

    def check(self, decision: Decision) -> None:
        """Raise for a decision that is not worth a place in the history."""
        if decision.incident_id != self._incident_id:
            raise ApplicationError("This decision is for another incident.", type="refused")
        if self._book.phase is Phase.DONE:
            raise ApplicationError("The incident is closed; nothing was decided.", type="refused")
        if len(self._book.answers) >= MOST_DECISIONS:
            ruling = rule(self._book.gate, decision, workflow.now())
            if not ruling.answer.accepted:
                raise ApplicationError(ruling.answer.text, type="refused")

    async def decide(self, decision: Decision) -> DecisionAnswer:
        """Answer a decision and record it; the same one again gets the same answer."""
        await self._wait_for_gate(decision)
        earlier = self._book.answers.get(decision.decision_id)
        if earlier is not None:
            return earlier
        answer = self._judge(decision)
        self._book.answers[decision.decision_id] = answer
        self._being_recorded += 1
        try:
            await workflow.execute_activity_method(
                Closing.record_decision,
                RecordDecisionInput(
                    decision=decision, accepted=answer.accepted, answer=answer.text
                ),
                **RECORD,
            )
        finally:
            self._being_recorded -= 1
        self._teller.tell()
        return answer

    async def settled(self) -> None:
        """Wait until every decision is in the log; nothing is done before that."""
        await workflow.wait_condition(lambda: not self._being_recorded)

    def remind_at(self) -> datetime | None:
        """Return when people are to be reminded of the open proposal, if they are to be."""
        gate, before_s = self._book.gate, self._policy.remind_before_s
        if gate is None or gate.outcome is not None or not before_s:
            return None
        if self._book.reminded == gate.proposal.proposal_id:
            return None
        # Of a short question people are reminded half way.
        before_s = min(before_s, gate.proposal.approval.expires_after_s // 2)
        return gate.closes_at - timedelta(seconds=before_s / self._policy.pace)

    def remind_if_due(self) -> None:
        """Remind people once, in time; a chat that does not answer holds nothing up."""
        at, gate = self.remind_at(), self._book.gate
        if at is None or gate is None or workflow.now() < at:
            return
        self._book.reminded = gate.proposal.proposal_id
        request = ReminderInput(
            incident_id=self._incident_id, proposal_id=gate.proposal.proposal_id
        )
        self._teller.remind(request)

    async def decide_by_rule(self) -> DecisionAnswer:
        """Say yes in the name of the rule that allows this playbook to run by itself."""
        assert self._book.gate is not None
        proposal = self._book.gate.proposal
        decision = Decision(
            decision_id=f"{proposal.proposal_id}:automatic",
            incident_id=proposal.incident_id,
            proposal_id=proposal.proposal_id,
            proposal_version=proposal.version,
            nonce=proposal.nonce,
            state_hash=proposal.state_hash,
            verdict=Verdict.APPROVE,
            by=Person(id="recoup:automatic", name="Recoup, by rule", roles=proposal.approval.roles),
            at=proposal.made_at,
            surface="rule",
            reason=f"{proposal.playbook} may be carried out automatically",
        )
        return await self.decide(decision)

    async def _wait_for_gate(self, decision: Decision) -> None:
        """Let a decision that is ahead of the workflow wait until its gate is open."""
        book = self._book

        def reached() -> bool:
            ready = book.gate is not None and (
                book.gate.proposal.version >= decision.proposal_version
            )
            return ready or book.ending is not None or not decision.proposal_id

        if not reached():
            try:
                await workflow.wait_condition(reached, timeout=EARLY_WAIT)
            except TimeoutError:
                return

    def _judge(self, decision: Decision) -> DecisionAnswer:
        """Apply the rules and take over what they decided. No await: nothing comes between."""
        book = self._book
        if book.ending is not None:
            return DecisionAnswer(accepted=False, text="The incident is being closed already.")
        ruling = rule(book.gate, decision, workflow.now())
        book.gate = ruling.gate
        if ruling.answer.accepted and decision.verdict is Verdict.FALSE_POSITIVE:
            book.ending = Resolution.FALSE_POSITIVE
            book.summary = decision.reason
            book.feedback_by = decision.by.id
            book.feedback_reason = decision.reason
        return ruling.answer
