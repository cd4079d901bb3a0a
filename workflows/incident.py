"""One durable workflow for each incident: rank, ask, act, prove, else undo and go on.

It only decides. Activities do the work and append what happened; the state travels whole in a Book,
so a long-lived incident continues in a fresh history. Whatever waits, waits on a durable timer.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.closing import Closing
    from activities.contracts import (
        CloseInput,
        FeedbackInput,
        ProposalEnded,
        ProposeInput,
    )
    from activities.proposing import Proposing
    from recoup.domain.facts import IncidentKind, Resolution, Severity
    from recoup.domain.proposals import Decision, DecisionAnswer
    from workflows.approvals import Gate, GateOutcome, expire, open_gate, withdraw
    from workflows.beliefs import Beliefs
    from workflows.desk import Desk
    from workflows.messages import (
        Book,
        ChangeAppeared,
        CohortBack,
        EvidenceGrew,
        FeedbackNoted,
        IncidentInput,
        IncidentOutcome,
        IncidentState,
        Phase,
        state_of,
    )
    from workflows.policies import READ_VENDOR, RECORD
    from workflows.remediation import Remediation
    from workflows.tagging import tag
    from workflows.teller import Teller
    from workflows.waiting import must_continue, sleep_unless

BY_HAND = "notify_only"
"""What is proposed when nothing else can be: people always get a message with live buttons."""


@workflow.defn
class IncidentWorkflow:
    """The response to one incident; its id is the incident's id."""

    @workflow.init
    def __init__(self, request: IncidentInput) -> None:
        self.request = request
        self.policy = request.policy
        self.book = request.book or Book(cohort=request.cohort, severity=request.severity)
        self.teller = Teller(request.incident_id, self.book)
        self.remediation = Remediation(request, self.book, self._interrupted)
        self.beliefs = Beliefs(request, self.book)
        self.desk = Desk(request, self.book, self.teller)

    @workflow.run
    async def run(self, request: IncidentInput) -> IncidentOutcome:
        """Go from phase to phase until the incident is closed."""
        del request
        self.teller.start()
        steps: dict[Phase, Callable[[], Awaitable[Phase]]] = {
            Phase.OPENED: self._open,
            Phase.INVESTIGATING: self._investigate,
            Phase.PROPOSING: self._propose,
            Phase.AWAITING_APPROVAL: self._await_approval,
            Phase.EXECUTING: self.remediation.execute,
            Phase.VERIFYING: self.remediation.verify,
            Phase.UNDOING: self._undo,
            Phase.ESCALATING: self._escalate,
            Phase.WATCHING: self._watch,
            Phase.CLOSING: self._close,
        }
        while self.book.phase is not Phase.DONE:
            tag(self.request, self.book)
            self.book.phase = await steps[self.book.phase]()
            self.teller.tell()
            await self._continue_if_long()
        await self.teller.finish()
        await workflow.wait_condition(workflow.all_handlers_finished)
        assert self.book.ending is not None
        return IncidentOutcome(resolution=self.book.ending, summary=self.book.summary)

    # The phases. Each returns the next one.

    async def _open(self) -> Phase:
        if self.request.kind is not IncidentKind.BUSINESS:
            return Phase.WATCHING
        if self.request.severity is Severity.CRITICAL and not self.request.shadow:
            await self.teller.page("critical: a large part of the revenue is at risk")
        return Phase.INVESTIGATING

    async def _investigate(self) -> Phase:
        book = self.book
        await self.beliefs.rank()
        if book.ending is not None:
            return self._way_out()
        chosen = self.beliefs.next_candidate()
        if self._was_decided_meanwhile():
            return Phase.AWAITING_APPROVAL
        if book.gate is not None and book.gate.outcome is None:
            if self.beliefs.may_stand(book.gate.proposal.change_id, chosen):
                return Phase.AWAITING_APPROVAL
            book.gate = withdraw(book.gate)
        if chosen is None:
            return self._give_up("no hypothesis is left to try")
        book.wanted_change, book.wanted_playbook, book.wanted_by = chosen, "", ""
        return Phase.PROPOSING

    async def _propose(self) -> Phase:
        book = self.book
        book.proposals += 1
        request = ProposeInput(
            incident_id=self.request.incident_id,
            version=book.proposals,
            change_id=book.wanted_change,
            playbook=book.wanted_playbook,
            asked_by=book.wanted_by,
            default_expires_s=self.policy.approval_expires_s,
        )
        try:
            proposed = await workflow.execute_activity_method(
                Proposing.propose, request, **READ_VENDOR
            )
        except ActivityError as error:
            if book.wanted_playbook == BY_HAND:
                return self._give_up(f"no proposal could be made: {error.cause}")
            book.wanted_playbook = BY_HAND
            return Phase.PROPOSING
        book.plan = proposed.plan
        if self.request.shadow:
            # No gate: nobody can allow what will not be done.
            book.summary = f"In shadow mode: would have proposed {proposed.proposal.title!r}."
            return Phase.WATCHING
        open_for = self._wall(proposed.proposal.approval.expires_after_s)
        book.gate = open_gate(proposed.proposal, workflow.now(), open_for)
        self.teller.asked(proposed.proposal.proposal_id)
        if proposed.proposal.approval.automatic:
            await self.desk.decide_by_rule()
        elif proposed.wake and not book.paged:
            await self.teller.page(proposed.wake)
        return Phase.AWAITING_APPROVAL

    async def _await_approval(self) -> Phase:
        book = self.book
        while book.gate is not None and book.gate.outcome is None:
            wait = book.gate.closes_at - workflow.now()
            for until in (self.beliefs.think_again_at(), self.desk.remind_at()):
                if until is not None:
                    wait = min(wait, until - workflow.now())
            moved = partial(self._gate_moved, book.gate, book.reconsider)
            await sleep_unless(moved, wait)
            if book.ending is not None:
                return self._way_out()
            if book.gate.outcome is None and self.beliefs.should_think_again():
                return Phase.INVESTIGATING
            self.desk.remind_if_due()
            book.gate = expire(book.gate, workflow.now())
            if must_continue(self.policy):
                return Phase.AWAITING_APPROVAL
        return await self._after_gate()

    async def _after_gate(self) -> Phase:
        book = self.book
        assert book.gate is not None
        await self.desk.settled()
        proposal, outcome = book.gate.proposal, book.gate.outcome
        if book.ending is not None:
            return self._way_out()
        if outcome is GateOutcome.APPROVED:
            return Phase.EXECUTING
        if outcome is GateOutcome.REPLACED:
            book.wanted_change = proposal.change_id
            book.wanted_playbook = book.gate.wanted_playbook
            book.wanted_by = book.gate.decided_by
            return Phase.PROPOSING
        if outcome is GateOutcome.REJECTED:
            return self._end(Resolution.REJECTED, book.gate.reason)
        if outcome is GateOutcome.EXPIRED:
            await workflow.execute_activity_method(
                Closing.record_expiry,
                ProposalEnded(
                    incident_id=self.request.incident_id, proposal_id=proposal.proposal_id
                ),
                **RECORD,
            )
            return self._ask_again(f"nobody decided on {proposal.title!r} in time")
        return Phase.INVESTIGATING

    async def _undo(self) -> Phase:
        """Take back what did not help, then go on with the next hypothesis."""
        await self.remediation.undo()
        if self.book.ending is not None:
            return Phase.CLOSING
        if self.book.trouble:
            return self._after_trouble()
        if self.book.attempts >= self.policy.most_attempts:
            return self._give_up(f"{self.book.attempts} attempts did not help")
        return Phase.INVESTIGATING

    def _after_trouble(self) -> Phase:
        """A target that moved is previewed anew; any other trouble is for people to mend."""
        book = self.book
        assert book.gate is not None
        book.wanted_change = book.gate.proposal.change_id
        book.wanted_playbook = book.gate.proposal.playbook
        if book.target_moved and book.moves < self.policy.most_moves:
            book.target_moved = False
            book.moves += 1
            return Phase.PROPOSING
        return self._ask_again(book.trouble)

    async def _escalate(self) -> Phase:
        """Wake people; then ask once more, or hand the incident over to them for good."""
        book = self.book
        await self.teller.page(book.handed_over)
        if book.ending is not None:
            return self._way_out()
        if book.ask_again:
            book.ask_again = False
            return Phase.PROPOSING
        return self._end(Resolution.ESCALATED, book.handed_over)

    async def _watch(self) -> Phase:
        """Only look on: nothing is asked and nothing is done."""
        book = self.book
        book.watching_until = book.watching_until or (
            workflow.now() + self._wall(self.policy.watch_for_s)
        )
        await sleep_unless(
            lambda: book.ending is not None or must_continue(self.policy),
            book.watching_until - workflow.now(),
        )
        if must_continue(self.policy) and book.ending is None:
            return Phase.WATCHING
        if book.ending is not Resolution.FALSE_POSITIVE:
            book.ending = Resolution.SHADOW if self.request.shadow else Resolution.NOTED
        return Phase.CLOSING

    async def _close(self) -> Phase:
        book = self.book
        assert book.ending is not None
        await self.desk.settled()
        if book.gate is not None:
            book.gate = withdraw(book.gate)
        if book.ending is Resolution.FALSE_POSITIVE and not book.feedback_recorded:
            await workflow.execute_activity_method(
                Closing.record_false_positive,
                FeedbackInput(
                    incident_id=self.request.incident_id,
                    by=book.feedback_by,
                    reason=book.feedback_reason,
                ),
                **RECORD,
            )
        await workflow.execute_activity_method(
            Closing.close,
            CloseInput(
                incident_id=self.request.incident_id,
                resolution=book.ending,
                summary=book.summary,
            ),
            **RECORD,
        )
        if book.paged and book.ending is not Resolution.ESCALATED:
            await self.teller.end_page()
        return Phase.DONE

    # Decisions.

    @workflow.update
    async def decide(self, decision: Decision) -> DecisionAnswer:
        """Take a person's decision; answers what became of it, also when it is refused."""
        return await self.desk.decide(decision)

    @decide.validator
    def check_decision(self, decision: Decision) -> None:
        """Refuse what is not worth a place in the history."""
        self.desk.check(decision)

    # Signals and the query.

    @workflow.signal
    def evidence_grew(self, signal: EvidenceGrew) -> None:
        """Redraw when something visible changed; rank again when the cohort is another one."""
        if not self._is_new(signal.position):
            return
        if signal.cohort != self.book.cohort:
            self.book.cohort = signal.cohort
            self.book.reconsider = True
        if signal.severity is not self.book.severity:
            self.book.severity = signal.severity
            tag(self.request, self.book)
        self.teller.tell_soon()

    @workflow.signal
    def change_appeared(self, signal: ChangeAppeared) -> None:
        """Rank again: the cause may have been reported late."""
        if self._is_new(signal.position):
            self.book.reconsider = True

    @workflow.signal
    def cohort_back(self, signal: CohortBack) -> None:
        """End it when it recovered by itself; while an action is under test, the test decides."""
        if not self._is_new(signal.position) or self.book.ending is not None:
            return
        if self.book.applied or self.book.phase in (Phase.EXECUTING, Phase.VERIFYING):
            return
        self._end(Resolution.RECOVERED_ON_ITS_OWN, "Nothing was done; the cohort came back.")

    @workflow.signal
    def feedback(self, signal: FeedbackNoted) -> None:
        """Close it when somebody said on another surface that it is a false positive."""
        if not self._is_new(signal.position) or signal.label != "false_positive":
            return
        if self.book.ending is None:
            self._end(Resolution.FALSE_POSITIVE, signal.reason)
            self.book.feedback_recorded = True

    @workflow.query
    def state(self) -> IncidentState:
        """Say where the response stands."""
        return state_of(self.book)

    # What the phases are made of.

    def _interrupted(self) -> bool:
        return self.book.ending is not None

    def _end(self, resolution: Resolution, summary: str) -> Phase:
        self.book.ending, self.book.summary = resolution, summary
        return Phase.CLOSING

    def _way_out(self) -> Phase:
        return Phase.UNDOING if self.book.applied else Phase.CLOSING

    def _give_up(self, reason: str) -> Phase:
        self.book.handed_over, self.book.ask_again = reason, False
        return Phase.ESCALATING

    def _ask_again(self, reason: str) -> Phase:
        """Wake people and renew the proposal, so that whoever wakes up finds a live button."""
        book = self.book
        assert book.gate is not None
        book.wanted_change = book.gate.proposal.change_id
        book.handed_over = reason
        book.ask_again = book.renewals < self.policy.most_renewals
        book.renewals += 1
        return Phase.ESCALATING

    def _was_decided_meanwhile(self) -> bool:
        """Tell whether people closed the gate while the causes were ranked again."""
        gate = self.book.gate
        return (
            gate is not None
            and gate.outcome not in (None, GateOutcome.WITHDRAWN)
            and gate.proposal.proposal_id != self.book.spent
        )

    def _gate_moved(self, seen: Gate, reconsider: bool) -> bool:
        book = self.book
        return (
            book.ending is not None
            or book.gate != seen
            or book.reconsider != reconsider
            or must_continue(self.policy)
        )

    def _wall(self, shop_seconds: float) -> timedelta:
        return timedelta(seconds=shop_seconds / self.policy.pace)

    def _is_new(self, position: int) -> bool:
        """Tell whether a signal was not seen before; the dispatcher may send one twice."""
        if position <= self.book.last_position:
            return False
        self.book.last_position = position
        return True

    async def _continue_if_long(self) -> None:
        if self.book.phase is Phase.DONE or not must_continue(self.policy):
            return
        await self.teller.finish()
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(self.request.model_copy(update={"book": self.book}))
