"""The book of an incident read back from its facts: how a response whose workflow is lost goes on.

Each fact moves the book as the workflow did when it had the fact written. What no fact tells of is
done again; every activity knows by the log what was done already, so nothing happens twice.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import singledispatchmethod

from activities.contracts import Applied, VerifyPlan
from activities.investigating import candidates_of
from activities.telling import NOBODY
from recoup.domain import facts as f
from recoup.domain.facts import IncidentKind, Recorded, Resolution
from recoup.domain.proposals import DecisionAnswer, Proposal, Verdict
from recoup.domain.verification import RecoveryVerdict
from workflows.approvals import Gate, GateOutcome, open_gate, rule
from workflows.messages import Book, IncidentInput, Phase, ResponsePolicy
from workflows.remediation import GRACE_S

INSTANT = timedelta(milliseconds=1)
Plans = Callable[[Proposal], VerifyPlan]
"""Returns how the success of a proposal is judged; its playbook says so, not the log."""


def resumed(
    entries: Iterable[Recorded],
    policy: ResponsePolicy,
    plans: Plans,
    wall: Callable[[datetime], datetime],
) -> IncidentInput | None:
    """Return what a workflow needs to go on with an incident; None for one that is over.

    ``wall`` turns a moment of the shop into one of the clock that timers run by.
    """
    reading = _Reading(policy, plans, wall)
    for entry in entries:
        reading.take(entry)
    opened = reading.opened
    if opened is None or reading.closed:
        return None
    return IncidentInput(
        incident_id=opened.incident_id,
        kind=opened.kind,
        severity=opened.severity,
        shadow=opened.shadow,
        cohort=opened.cohort.label,
        policy=policy,
        book=reading.finished(),
    )


class _Reading:
    """The book as far as the facts were read."""

    def __init__(
        self, policy: ResponsePolicy, plans: Plans, wall: Callable[[datetime], datetime]
    ) -> None:
        self.book = Book()
        self.opened: f.IncidentOpened | None = None
        self.closed = False
        self._policy = policy
        self._plans = plans
        self._wall = wall
        self._now: datetime

    def take(self, entry: Recorded) -> None:
        """Move the book by one more fact."""
        self._now = self._wall(entry.occurred_at)
        self._take(entry.fact)
        self.book.last_position = entry.position
        if not isinstance(entry.fact, f.ResponseResumed):
            self.book.told_version = entry.version

    def finished(self) -> Book:
        """Return the book in the phase in which the workflow goes on."""
        book = self.book
        if book.ending is not None and book.phase is not Phase.WATCHING:
            undone = book.ending is Resolution.FALSE_POSITIVE and book.applied
            book.phase = Phase.UNDOING if undone else Phase.CLOSING
        elif book.phase is Phase.AWAITING_APPROVAL:
            assert book.gate is not None
            # What changed while nobody looked is weighed before anybody decides on old news.
            book.reconsider = True
            if book.gate.proposal.approval.automatic:
                # The stored proposal is taken up again, and its rule says yes once.
                book.phase, book.proposals = Phase.PROPOSING, book.proposals - 1
        return book

    @singledispatchmethod
    def _take(self, _fact: f.Fact) -> None:
        return

    # The picture.

    @_take.register
    def _(self, fact: f.IncidentOpened) -> None:
        self.opened = fact
        self.book.cohort, self.book.severity = fact.cohort.label, fact.severity
        if fact.kind is not IncidentKind.BUSINESS:
            self._watch()

    @_take.register
    def _(self, fact: f.IncidentUpdated) -> None:
        self.book.cohort, self.book.severity = fact.cohort.label, fact.severity

    @_take.register
    def _(self, fact: f.CausesRanked) -> None:
        book = self.book
        book.rankings = max(book.rankings, fact.version)
        book.ranked_at, book.candidates = self._now, candidates_of(fact.attribution)
        if book.phase in (Phase.OPENED, Phase.UNDOING):
            book.phase = Phase.INVESTIGATING

    @_take.register
    def _(self, _fact: f.CohortRecovered) -> None:
        book = self.book
        if not (book.applied or book.phase in (Phase.EXECUTING, Phase.VERIFYING)):
            self._end(Resolution.RECOVERED_ON_ITS_OWN, "Nothing was done; the cohort came back.")

    # What was asked and answered.

    @_take.register
    def _(self, fact: f.ProposalMade) -> None:
        book, proposal = self.book, fact.proposal
        book.proposals = max(book.proposals, proposal.version)
        book.wanted_change, book.plan = proposal.change_id, self._plans(proposal)
        if book.target_moved:
            book.target_moved, book.moves = False, book.moves + 1
        if self.opened is not None and self.opened.shadow:
            book.summary = f"In shadow mode: would have proposed {proposal.title!r}."
            self._watch()
            return
        open_for = self._in_wall_time(proposal.approval.expires_after_s)
        book.gate = open_gate(proposal, self._now, open_for)
        book.phase = Phase.AWAITING_APPROVAL

    @_take.register
    def _(self, fact: f.ApprovalReminded) -> None:
        self.book.reminded = fact.proposal_id

    @_take.register
    def _(self, fact: f.DecisionTaken) -> None:
        book, decision = self.book, fact.decision
        answer = DecisionAnswer(accepted=fact.accepted, text=fact.answer)
        book.answers[decision.decision_id] = answer
        if not fact.accepted:
            return
        before = book.gate
        if before is not None:
            # It was taken in time, however long it took to be written down.
            now = min(self._now, before.closes_at - INSTANT)
            book.gate = rule(before, decision, now).gate
        if decision.verdict is Verdict.FALSE_POSITIVE:
            self._end(Resolution.FALSE_POSITIVE, decision.reason)
            book.feedback_by, book.feedback_reason = decision.by.id, decision.reason
        elif before is not None and before.outcome is None and book.gate is not None:
            self._decided(book.gate)

    def _decided(self, gate: Gate) -> None:
        book = self.book
        if gate.outcome is GateOutcome.APPROVED:
            book.phase, book.spent, book.trouble = Phase.EXECUTING, gate.proposal.proposal_id, ""
        elif gate.outcome is GateOutcome.REJECTED:
            self._end(Resolution.REJECTED, gate.reason)
        elif gate.outcome is GateOutcome.REPLACED:
            book.phase, book.wanted_playbook = Phase.PROPOSING, gate.wanted_playbook
            book.wanted_by = gate.decided_by

    @_take.register
    def _(self, fact: f.ApprovalExpired) -> None:
        gate = self.book.gate
        if gate is not None and gate.proposal.proposal_id == fact.proposal_id:
            self.book.gate = gate.model_copy(update={"outcome": GateOutcome.EXPIRED})
            self._ask_again(f"nobody decided on {gate.proposal.title!r} in time")

    @_take.register
    def _(self, fact: f.FeedbackGiven) -> None:
        if fact.label == "false_positive":
            self._end(Resolution.FALSE_POSITIVE, fact.reason)
            self.book.feedback_recorded = True

    @_take.register
    def _(self, fact: f.Escalated) -> None:
        """People were woken: on the way, or because nothing else was left to do."""
        book = self.book
        book.escalations += 1
        book.paged = book.paged or fact.to != NOBODY
        if book.phase is Phase.OPENED:
            book.phase = Phase.INVESTIGATING
            return
        if book.phase is Phase.UNDOING and book.trouble:
            self._ask_again(book.trouble)
        if book.phase is Phase.ESCALATING and book.ask_again:
            book.ask_again, book.phase = False, Phase.PROPOSING
            return
        on_the_way = (Phase.AWAITING_APPROVAL, Phase.EXECUTING, Phase.WATCHING)
        if book.phase not in on_the_way:
            self._end(Resolution.ESCALATED, fact.reason)

    # What was done and proven.

    @_take.register
    def _(self, fact: f.ActionApplied) -> None:
        book, result = self.book, fact.result
        if book.gate is None or any(each.call.key == result.key for each in book.applied):
            return
        proposal = book.gate.proposal
        for call, preview in zip(proposal.calls, proposal.previews, strict=True):
            if call.key == result.key:
                done = Applied(
                    proposal_id=fact.proposal_id, call=call, preview=preview, result=result
                )
                book.applied = (*book.applied, done)

    @_take.register
    def _(self, fact: f.ActionFailed) -> None:
        book = self.book
        book.trouble = f"{fact.action} could not be carried out: {fact.reason}"
        book.target_moved = fact.kind == "state_moved" and book.moves < self._policy.most_moves
        book.phase = Phase.UNDOING
        if book.gate is not None:
            book.wanted_playbook = book.gate.proposal.playbook

    @_take.register
    def _(self, fact: f.ActionUndone) -> None:
        left = tuple(each for each in self.book.applied if each.call.key != fact.key)
        self.book.applied = left

    @_take.register
    def _(self, fact: f.VerificationStarted) -> None:
        book = self.book
        book.verifications += 1
        book.verifying_since, book.phase = fact.since, Phase.VERIFYING
        within_s = book.plan.within_s or self._policy.verify_within_s
        book.verifying_until = self._wall(fact.since) + self._in_wall_time(within_s + GRACE_S)

    @_take.register
    def _(self, fact: f.VerificationConcluded) -> None:
        book, check = self.book, fact.check
        book.verifying_since = None
        if check.verdict is RecoveryVerdict.RECOVERED:
            self._end(Resolution.RECOVERED, check.summary)
        elif check.verdict is RecoveryVerdict.NOT_RECOVERED:
            if book.gate is not None:
                book.tried = (*book.tried, book.gate.proposal.change_id)
            book.attempts += 1
            book.phase = Phase.UNDOING
        else:
            kept = " What was done is left in place." if book.applied else ""
            reason = check.reason or f"the test was {check.verdict}"
            book.handed_over, book.phase = f"{reason}.{kept}", Phase.ESCALATING

    @_take.register
    def _(self, _fact: f.IncidentClosed) -> None:
        self.closed = True

    # What these are made of.

    def _end(self, resolution: Resolution, summary: str) -> None:
        """The first ending holds, as in the workflow."""
        if self.book.ending is None:
            self.book.ending, self.book.summary = resolution, summary

    def _ask_again(self, reason: str) -> None:
        book = self.book
        book.handed_over, book.phase = reason, Phase.ESCALATING
        book.ask_again = book.renewals < self._policy.most_renewals
        book.renewals += 1

    def _watch(self) -> None:
        self.book.phase = Phase.WATCHING
        self.book.watching_until = self._now + self._in_wall_time(self._policy.watch_for_s)

    def _in_wall_time(self, shop_seconds: float) -> timedelta:
        return timedelta(seconds=shop_seconds / self._policy.pace)
