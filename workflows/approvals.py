"""The approval gate as a pure state machine: given a gate and a decision, what becomes of both.

No clock, no I/O, no Temporal: the workflow calls it, and a test runs thousands of random sequences
through it. A gate opens for one proposal, counts the yes of different people, and closes once:
nothing reopens it, and a decision for another version, nonce or state can never move it.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from recoup.domain.base import Frozen, Moment
from recoup.domain.proposals import Decision, DecisionAnswer, Proposal, Verdict

RESPONDER_ROLES = ("responder", "approver", "admin")
"""Who may acknowledge, snooze, or say that it is a false positive."""
LONGEST_SNOOZE = timedelta(hours=4)

BOUND = frozenset({Verdict.APPROVE, Verdict.REJECT, Verdict.OTHER_PLAYBOOK})
"""The verdicts that are about one proposal, and mean nothing for another."""


class GateOutcome(StrEnum):
    """How a gate was closed."""

    APPROVED = "approved"
    REJECTED = "rejected"
    REPLACED = "replaced"
    EXPIRED = "expired"
    FALSE_POSITIVE = "false_positive"
    WITHDRAWN = "withdrawn"


class Gate(Frozen):
    """One proposal before people: who said yes so far, until when it is open, and how it closed.

    ``closes_at`` and every ``now`` are on one clock, whichever the caller uses.
    """

    proposal: Proposal
    closes_at: Moment
    snoozed_until: Moment | None = None
    approvals: tuple[str, ...] = ()
    outcome: GateOutcome | None = None
    wanted_playbook: str = ""
    decided_by: str = ""
    decider: str = ""
    reason: str = ""

    @property
    def still_needed(self) -> int:
        """How many more people have to say yes."""
        return max(0, self.proposal.approval.quorum - len(self.approvals))


class Ruling(Frozen):
    """What became of a decision: the gate after it, and the answer to who made it."""

    gate: Gate | None
    answer: DecisionAnswer


def open_gate(proposal: Proposal, now: datetime, open_for: timedelta) -> Gate:
    """Put a proposal before people for a while."""
    return Gate(proposal=proposal, closes_at=now + open_for)


def expire(gate: Gate, now: datetime) -> Gate:
    """Close a gate whose time is over; an already closed one stays as it is."""
    if gate.outcome is not None or now < gate.closes_at:
        return gate
    return gate.model_copy(update={"outcome": GateOutcome.EXPIRED})


def withdraw(gate: Gate) -> Gate:
    """Close a gate because the world moved on; an already closed one stays as it is."""
    if gate.outcome is not None:
        return gate
    return gate.model_copy(update={"outcome": GateOutcome.WITHDRAWN})


def rule(gate: Gate | None, decision: Decision, now: datetime) -> Ruling:
    """Return what becomes of a decision; a refused one leaves the gate exactly as it was."""
    refusal = _refusal(gate, decision, now)
    if refusal:
        needed = gate.still_needed if gate and gate.outcome is None else 0
        return Ruling(
            gate=gate, answer=DecisionAnswer(accepted=False, text=refusal, still_needed=needed)
        )
    if decision.verdict is Verdict.ACKNOWLEDGE:
        return Ruling(gate=gate, answer=_yes("Noted: you are looking into it."))
    if decision.verdict is Verdict.FALSE_POSITIVE:
        closed = _close(gate, decision, GateOutcome.FALSE_POSITIVE) if gate else None
        text = "Closed as a false positive; Recoup learns from it."
        return Ruling(gate=closed or gate, answer=_yes(text))
    assert gate is not None
    return _rule_on_gate(gate, decision, now)


def _rule_on_gate(gate: Gate, decision: Decision, now: datetime) -> Ruling:
    match decision.verdict:
        case Verdict.SNOOZE:
            return _snooze(gate, decision, now)
        case Verdict.REJECT:
            closed = _close(gate, decision, GateOutcome.REJECTED)
            return Ruling(gate=closed, answer=_yes("Rejected; nothing will be done."))
        case Verdict.OTHER_PLAYBOOK:
            closed = _close(gate, decision, GateOutcome.REPLACED)
            closed = closed.model_copy(update={"wanted_playbook": decision.playbook})
            return Ruling(gate=closed, answer=_yes(f"Preparing {decision.playbook} instead."))
        case _:
            return _count_approval(gate, decision)


def _count_approval(gate: Gate, decision: Decision) -> Ruling:
    counted = gate.model_copy(update={"approvals": (*gate.approvals, decision.by.id)})
    if counted.still_needed:
        text = f"Your yes counts; {counted.still_needed} more needed."
        answer = DecisionAnswer(accepted=True, text=text, still_needed=counted.still_needed)
        return Ruling(gate=counted, answer=answer)
    closed = _close(counted, decision, GateOutcome.APPROVED)
    return Ruling(gate=closed, answer=_yes("Approved; it is being carried out."))


def _snooze(gate: Gate, decision: Decision, now: datetime) -> Ruling:
    wait = min(timedelta(seconds=decision.snooze_s), LONGEST_SNOOZE)
    until = now + wait
    moved = gate.model_copy(
        update={"snoozed_until": until, "closes_at": max(gate.closes_at, until)}
    )
    minutes = round(wait.total_seconds() / 60)
    return Ruling(gate=moved, answer=_yes(f"Snoozed for {minutes} minutes; nothing is done."))


def _close(gate: Gate, decision: Decision, outcome: GateOutcome) -> Gate:
    if gate.outcome is not None:
        return gate
    return gate.model_copy(
        update={
            "outcome": outcome,
            "decided_by": decision.by.id,
            "decider": decision.by.name,
            "reason": decision.reason,
        }
    )


def _yes(text: str) -> DecisionAnswer:
    return DecisionAnswer(accepted=True, text=text)


def _refusal(gate: Gate | None, decision: Decision, now: datetime) -> str:
    """Return why a decision is refused, or an empty text."""
    if decision.verdict in BOUND:
        return _refusal_of_bound(gate, decision, now)
    roles = gate.proposal.approval.roles if gate else ()
    if not set(decision.by.roles) & {*RESPONDER_ROLES, *roles}:
        return _lacks_role(decision, RESPONDER_ROLES)
    if decision.verdict is Verdict.SNOOZE:
        if gate is None or gate.outcome is not None or now >= gate.closes_at:
            return "There is nothing to snooze: no proposal is open."
        if gate.snoozed_until is not None:
            return "This proposal was snoozed before; it cannot be put off again."
        if decision.snooze_s <= 0:
            return "Say for how long to snooze."
    return ""


def _refusal_of_bound(gate: Gate | None, decision: Decision, now: datetime) -> str:
    if gate is None:
        return "No proposal is open; nothing was decided."
    proposal = gate.proposal
    if (decision.proposal_id, decision.proposal_version) != (
        proposal.proposal_id,
        proposal.version,
    ):
        if decision.proposal_version > proposal.version:
            return "There is no such proposal; nothing was decided."
        return (
            f"This is proposal {decision.proposal_version}; it was replaced by proposal "
            f"{proposal.version}. Look at the new one."
        )
    if decision.nonce != proposal.nonce:
        return "This button does not belong to the proposal; nothing was decided."
    if decision.state_hash and decision.state_hash != proposal.state_hash:
        return "The state this was computed from is not the proposal's; nothing was decided."
    if gate.outcome is not None:
        return _already(gate)
    if now >= gate.closes_at:
        return "Too late: the proposal has expired; nothing was done."
    return _refusal_of_person(gate, decision)


def _refusal_of_person(gate: Gate, decision: Decision) -> str:
    proposal = gate.proposal
    if not set(decision.by.roles) & set(proposal.approval.roles):
        return _lacks_role(decision, proposal.approval.roles)
    if _asks_for_own(proposal, decision):
        return "You made this change or asked for this playbook; somebody else has to agree."
    if decision.verdict is Verdict.APPROVE and decision.by.id in gate.approvals:
        return f"You said yes before; {gate.still_needed} other person(s) must agree."
    if decision.verdict is Verdict.OTHER_PLAYBOOK and (
        decision.playbook not in proposal.alternatives
    ):
        offered = ", ".join(proposal.alternatives) or "none"
        return f"{decision.playbook or 'No playbook'} cannot be used here; offered: {offered}."
    return ""


def _asks_for_own(proposal: Proposal, decision: Decision) -> bool:
    """Tell whether somebody says yes to what they requested themselves, where that is not allowed.

    Saying no, or asking for something else, is open to them.
    """
    return (
        decision.verdict is Verdict.APPROVE
        and proposal.approval.not_requester
        and decision.by.is_one_of(proposal.requested_by)
    )


def _already(gate: Gate) -> str:
    name = gate.decider or gate.decided_by
    who = f" by {name}" if name else ""
    return {
        GateOutcome.EXPIRED: "Too late: the proposal has expired; nothing was done.",
        GateOutcome.WITHDRAWN: "The proposal was withdrawn; nothing was decided.",
    }.get(gate.outcome or GateOutcome.EXPIRED, f"Already decided: {gate.outcome}{who}.")


def _lacks_role(decision: Decision, roles: tuple[str, ...]) -> str:
    name = decision.by.name or decision.by.id
    return f"{name} may not decide this; needed is one of: {', '.join(roles)}."
