"""What was proven teaches the attribution and the choice of playbook, by way of the log alone."""

from datetime import datetime
from typing import Any

import pytest

from activities.lessons import Lessons
from detectors.attribution.causes import PRIOR_WEIGHTS
from detectors.attribution.learning import LEAST_SHARE, CauseTeacher
from recoup.domain.changes import ChangeKind
from recoup.domain.facts import (
    CausesRanked,
    DecisionTaken,
    Fact,
    ProposalMade,
    VerificationConcluded,
)
from recoup.domain.hypotheses import Hypothesis
from recoup.domain.outcomes import Outcome, records_of
from recoup.domain.proposals import ActionCall, Decision, Person, Proposal, Verdict
from recoup.domain.verification import RecoveryVerdict
from tests.workflows.ports import START, World, attribution, check


def proposal(incident_id: str, change_id: str, playbook: str) -> Proposal:
    return Proposal(
        proposal_id=f"{incident_id}:1",
        version=1,
        incident_id=incident_id,
        playbook=playbook,
        change_id=change_id,
        title="t",
        calls=(ActionCall(key="k", action="flag_rollback"),),
        state_hash="h",
        nonce="n",
        made_at=START,
        expires_at=START,
    )


def other_wanted(incident_id: str) -> DecisionTaken:
    decision = Decision(
        decision_id=f"d-{incident_id}",
        incident_id=incident_id,
        verdict=Verdict.OTHER_PLAYBOOK,
        by=Person(id="anna"),
        at=START,
        surface="test",
    )
    return DecisionTaken(incident_id=incident_id, decision=decision, accepted=True)


def attempt(incident_id: str, verdict: RecoveryVerdict) -> list[Fact]:
    found = attribution([("chg_a", 0.7), ("chg_b", 0.2)], START)
    return [
        CausesRanked(incident_id=incident_id, version=1, attribution=found),
        ProposalMade(incident_id=incident_id, proposal=proposal(incident_id, "chg_a", "first")),
        VerificationConcluded(incident_id=incident_id, check=check(verdict, START, START)),
    ]


def test_outcomes_are_read_from_the_log_once() -> None:
    world = World()
    lessons = Lessons(world.log)
    assert lessons.outcomes() == ()
    for number, verdict in enumerate(
        (RecoveryVerdict.RECOVERED, RecoveryVerdict.NOT_RECOVERED, RecoveryVerdict.NO_DATA)
    ):
        for place, fact in enumerate(attempt(f"inc_{number}", verdict)):
            world.append(f"inc_{number}", f"{number}:{place}", fact)
    world.append("inc_2", "other", other_wanted("inc_2"))
    found = lessons.outcomes()
    assert [each.helped for each in found] == [True, False, None]
    assert lessons.outcomes() == found
    assert found[0].tested is not None
    assert [each.change_id for each in found[0].others] == ["chg_b"]
    record = records_of(found)["first"]
    assert (record.helped, record.failed, record.passed_over) == (1, 1, 1)


def outcome(kind: ChangeKind, helped: bool | None, **features: float) -> Outcome:
    tested = Hypothesis(change_id="c", kind=kind, probability=0.5, features=features)
    return Outcome(
        incident_id="i", playbook="p", change_id="c", helped=helped, acted=True, tested=tested
    )


def test_a_kind_that_proves_guilty_more_often_is_believed_more() -> None:
    teacher = CauseTeacher()
    teacher.teach([outcome(ChangeKind.FLAG, True), outcome(ChangeKind.PRICE, False)] * 8)
    odds = teacher.model.kind_odds
    assert odds[ChangeKind.FLAG] > 0.5
    assert odds[ChangeKind.PRICE] < -0.5
    assert all(abs(each) <= 1.0 for each in odds.values())


def test_evidence_that_misleads_counts_less_but_never_the_other_way_round() -> None:
    teacher = CauseTeacher()
    teacher.teach([outcome(ChangeKind.FLAG, False, named=3.0, scope=0.5)] * 400)
    assert teacher.model.weight("named") == pytest.approx(LEAST_SHARE * PRIOR_WEIGHTS["named"])
    assert teacher.model.weight("time") == PRIOR_WEIGHTS["time"]


def test_what_proves_nothing_teaches_nothing() -> None:
    teacher = CauseTeacher()
    by_hand = outcome(ChangeKind.FLAG, True, time=3.0).model_copy(update={"acted": False})
    teacher.teach([by_hand, outcome(ChangeKind.FLAG, None, time=3.0)])
    assert teacher.model.kind_odds == {}
    assert teacher.model.weight("time") == PRIOR_WEIGHTS["time"]
    assert teacher.seen == 2


async def test_the_proposal_says_what_was_experienced() -> None:
    from activities.contracts import ProposeInput
    from activities.joining import join

    world = World()
    for place, fact in enumerate(attempt("inc_old", RecoveryVerdict.RECOVERED)):
        if isinstance(fact, ProposalMade):
            made = proposal("inc_old", "chg_a", "flag_rollback")
            fact = fact.model_copy(update={"proposal": made})
        world.append("inc_old", f"old:{place}", fact)
    propose: Any = next(each for each in join(world.ports()) if each.__name__ == "propose")
    request = ProposeInput(incident_id="inc_0123456789abcdef0123", version=1, change_id="chg_flag")
    proposed = await propose(request)
    assert proposed.proposal.playbook == "flag_rollback"
    assert "helped 1 of 1 times" in proposed.proposal.reason
    assert isinstance(proposed.proposal.made_at, datetime)
