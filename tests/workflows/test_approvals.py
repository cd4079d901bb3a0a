"""The approval gate alone: single rules, and ten thousand random sequences that break none."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from recoup.domain.proposals import (
    ApprovalRule,
    Decision,
    DecisionAnswer,
    Person,
    Proposal,
    Verdict,
)
from workflows.approvals import Gate, GateOutcome, expire, open_gate, rule, withdraw

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
SEQUENCES = 10_000
PEOPLE = (
    Person(id="anna", roles=("approver",), known_as=("Anna@Shop.example",)),
    Person(id="ben", roles=("responder",)),
    Person(id="cleo", roles=("admin", "viewer")),
    Person(id="gus", roles=("viewer",)),
    Person(id="nobody"),
)
BOUND = (Verdict.APPROVE, Verdict.REJECT, Verdict.OTHER_PLAYBOOK)


def proposal(
    version: int, approval: ApprovalRule, nonce: str, requested_by: tuple[str, ...] = ()
) -> Proposal:
    return Proposal(
        proposal_id=f"inc:{version}",
        version=version,
        incident_id="inc",
        playbook="flag_rollback",
        change_id="chg",
        title="Turn it off",
        calls=(),
        approval=approval,
        alternatives=("notify_only",),
        requested_by=requested_by,
        state_hash=f"hash-{nonce}",
        nonce=nonce,
        made_at=NOW,
        expires_at=NOW + timedelta(minutes=30),
    )


def decide(target: Proposal, verdict: Verdict, by: Person, **more: object) -> Decision:
    values: dict[str, object] = {
        "decision_id": "d",
        "incident_id": "inc",
        "proposal_id": target.proposal_id,
        "proposal_version": target.version,
        "nonce": target.nonce,
        "state_hash": target.state_hash,
        "verdict": verdict,
        "by": by,
        "at": NOW,
        "surface": "test",
    }
    return Decision.model_validate(values | more)


def gate(quorum: int = 1, roles: tuple[str, ...] = ("approver", "admin")) -> Gate:
    made = proposal(2, ApprovalRule(roles=roles, quorum=quorum), "n2")
    return open_gate(made, NOW, timedelta(minutes=30))


@pytest.mark.parametrize(
    ("changes", "later_s", "text"),
    [
        ({"proposal_version": 1, "proposal_id": "inc:1"}, 0, "was replaced by proposal 2"),
        ({"proposal_version": 3, "proposal_id": "inc:3"}, 0, "no such proposal"),
        ({"nonce": "other"}, 0, "does not belong to the proposal"),
        ({"nonce": ""}, 0, "does not belong to the proposal"),
        ({"state_hash": "other"}, 0, "not the proposal's"),
        ({"by": PEOPLE[1]}, 0, "may not decide this"),
        ({"by": PEOPLE[4]}, 0, "may not decide this"),
        ({}, 1800, "has expired"),
        ({"verdict": Verdict.OTHER_PLAYBOOK, "playbook": "rm_rf"}, 0, "cannot be used here"),
    ],
)
def test_a_refusal_says_why_and_leaves_the_gate(
    changes: dict[str, object], later_s: int, text: str
) -> None:
    before = gate()
    values = {"verdict": Verdict.APPROVE, "by": PEOPLE[0], **changes}
    decision = decide(before.proposal, **values)
    ruling = rule(before, decision, NOW + timedelta(seconds=later_s))
    assert not ruling.answer.accepted
    assert text in ruling.answer.text
    assert ruling.gate == before


def test_nothing_can_be_approved_without_a_gate() -> None:
    made = proposal(1, ApprovalRule(), "n")
    ruling = rule(None, decide(made, Verdict.APPROVE, PEOPLE[0]), NOW)
    assert (ruling.gate, ruling.answer.accepted) == (None, False)


def test_who_comes_second_is_told_who_decided() -> None:
    first = rule(gate(), decide(gate().proposal, Verdict.REJECT, PEOPLE[0]), NOW)
    second = rule(first.gate, decide(gate().proposal, Verdict.APPROVE, PEOPLE[2]), NOW)
    assert second.answer.text == "Already decided: rejected by anna."
    assert second.gate == first.gate


def test_a_snooze_puts_the_end_off_once_and_not_for_ever() -> None:
    before = gate()
    snooze = decide(before.proposal, Verdict.SNOOZE, PEOPLE[1], snooze_s=10**9)
    ruling = rule(before, snooze, NOW)
    assert ruling.gate is not None
    assert ruling.gate.closes_at == NOW + timedelta(hours=4)
    assert not rule(ruling.gate, snooze, NOW).answer.accepted


def test_two_people_are_two_people() -> None:
    before = gate(quorum=2)
    yes = decide(before.proposal, Verdict.APPROVE, PEOPLE[0])
    once = rule(before, yes, NOW)
    assert once.answer.still_needed == 1
    twice = rule(once.gate, yes, NOW)
    assert not twice.answer.accepted
    assert twice.gate == once.gate
    other = decide(before.proposal, Verdict.APPROVE, PEOPLE[2])
    final = rule(once.gate, other, NOW)
    assert final.gate is not None
    assert final.gate.outcome is GateOutcome.APPROVED


@pytest.mark.parametrize("author", ["anna", "anna@shop.example"])
def test_who_made_the_change_may_stop_its_way_back_but_not_allow_it(author: str) -> None:
    approval = ApprovalRule(roles=("approver",), not_requester=True)
    before = open_gate(proposal(1, approval, "n", (author,)), NOW, timedelta(minutes=30))
    yes = rule(before, decide(before.proposal, Verdict.APPROVE, PEOPLE[0]), NOW)
    assert "somebody else has to agree" in yes.answer.text
    assert yes.gate == before
    other = Person(id="ada", roles=("approver",))
    assert rule(before, decide(before.proposal, Verdict.APPROVE, other), NOW).answer.accepted
    no = rule(before, decide(before.proposal, Verdict.REJECT, PEOPLE[0]), NOW)
    assert no.gate is not None
    assert no.gate.outcome is GateOutcome.REJECTED


class _Run:
    """One random sequence, with an account of its own of what may happen.

    It keeps answers by decision id as the desk of the workflow does, and a record of its own of
    who may do what, which it works out in another way than the rules.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = NOW
        self.version = 0
        self.gate: Gate | None = None
        self.old: list[Decision] = []
        self.answers: dict[str, DecisionAnswer] = {}
        self.said_yes: set[str] = set()
        self.approved: list[str] = []
        self.tried: Counter[str] = Counter()
        self.renew()

    def renew(self) -> None:
        """Put a new version of the proposal up: the target moved, or the picture is another."""
        self.version += 1
        some = self.random
        roles = tuple(some.sample(["responder", "approver", "admin"], some.randint(1, 3)))
        approval = ApprovalRule(
            roles=roles, quorum=some.randint(1, 3), not_requester=some.random() < 0.3
        )
        author = some.choice([(), ("anna@shop.example",), ("cleo",), ("ben", "anna")])
        made = proposal(self.version, approval, f"n{some.random()}", author)
        self.gate = open_gate(made, self.now, timedelta(seconds=some.choice([60, 600, 1800])))
        self.said_yes = set()

    def step(self) -> None:
        what = self.random.random()
        assert self.gate is not None
        if what < 0.08:
            self.now += timedelta(seconds=self.random.choice([1, 30, 700, 5000]))
            if self.random.random() < 0.5:  # else a click comes before the timer
                self.gate = expire(self.gate, self.now)
        elif what < 0.12:
            self.gate = withdraw(self.gate)
            self.renew()
        else:
            self.click()

    def click(self) -> None:
        assert self.gate is not None
        some, before = self.random, self.gate
        if self.old and some.random() < 0.25:
            decision = some.choice(self.old)
            if some.random() < 0.5:
                # The same message with another id: somebody who recorded it made it up.
                decision = decision.model_copy(update={"decision_id": f"d{some.random()}"})
                self.tried["replayed under another id"] += 1
        else:
            decision = self.fresh(before.proposal)
            self.old.append(decision)
        if decision.decision_id in self.answers:
            self.tried["the same click twice"] += 1
            return
        ruling = rule(before, decision, self.now)
        self.answers[decision.decision_id] = ruling.answer
        self.judge(before, decision, ruling.gate, ruling.answer.accepted)
        self.gate = ruling.gate

    def fresh(self, target: Proposal) -> Decision:
        some = self.random
        wrong: dict[str, object] = {}
        if some.random() < 0.3:
            wrong = some.choice(
                [
                    {"nonce": "wrong"},
                    {"state_hash": "wrong"},
                    {"proposal_version": target.version + some.choice([-1, 1])},
                    {"proposal_id": "inc:0"},
                    {"nonce": ""},
                ]
            )
        verdict = some.choice([*Verdict, Verdict.APPROVE, Verdict.APPROVE, Verdict.APPROVE])
        more = {
            "decision_id": f"d{some.random()}",
            "playbook": some.choice(["notify_only", "made_up"]),
            "snooze_s": 600,
        }
        return decide(target, verdict, some.choice(PEOPLE), **more, **wrong)

    def judge(self, before: Gate, said: Decision, after: Gate | None, accepted: bool) -> None:
        """Compare with what the rules promise, worked out here in another way."""
        target = before.proposal
        current = (said.proposal_id, said.proposal_version, said.nonce) == (
            target.proposal_id,
            target.version,
            target.nonce,
        ) and said.state_hash == target.state_hash
        open_now = before.outcome is None and self.now < before.closes_at
        allowed = bool(set(said.by.roles) & set(target.approval.roles))
        own = said.by.id in {name.split("@")[0] for name in target.requested_by}
        if said.verdict in BOUND:
            self.tried["stale"] += not current
            self.tried["too late"] += current and not open_now
            self.tried["without the role"] += current and open_now and not allowed
        if not accepted:
            assert after == before
            return
        if said.verdict in BOUND:
            assert current, "a stale decision was taken"
            assert open_now, "a closed gate was moved"
            assert allowed, "somebody without the role decided"
        assert after is not None
        if before.outcome is not None:
            assert after.outcome is before.outcome, "a decided gate was decided again"
        if said.verdict is Verdict.APPROVE:
            assert not (own and target.approval.not_requester), "somebody allowed their own request"
            assert said.by.id not in self.said_yes, "one person counted twice"
            self.said_yes.add(said.by.id)
        if after.outcome is GateOutcome.APPROVED and before.outcome is None:
            assert len(self.said_yes) == target.approval.quorum, "the quorum was not met"
            assert target.nonce not in self.approved, "approved twice"
            self.approved.append(target.nonce)


def test_ten_thousand_random_sequences_break_no_rule() -> None:
    approved, tried = 0, Counter[str]()
    for seed in range(SEQUENCES):
        run = _Run(seed)
        for _ in range(run.random.randint(3, 25)):
            run.step()
        approved += len(run.approved)
        tried += run.tried
    # The check must not be empty: many sequences end in an approval, and every attack was tried.
    assert approved > SEQUENCES // 10
    assert len(tried) == 5
    assert min(tried.values()) > 1000, tried
