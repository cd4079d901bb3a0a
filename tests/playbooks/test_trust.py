"""The ladder of trust: climbed by proven recoveries, fallen from by one bad outcome."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playbooks.model import ApprovalSpec
from recoup.domain.facts import (
    ActionApplied,
    ActionFailed,
    DecisionTaken,
    Fact,
    FeedbackGiven,
    FeedbackWithdrawn,
    PlaybookHeld,
    ProposalMade,
    Recorded,
    VerificationConcluded,
)
from recoup.domain.proposals import (
    ActionCall,
    ActionResult,
    Decision,
    Person,
    Proposal,
    Rung,
    Verdict,
)
from recoup.domain.trust import LADDER, Ladder, Mark, Marked, TrustFold, standing_of
from recoup.domain.verification import RecoveryVerdict
from tests.workflows.ports import check

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
CLIMBER = Ladder(start=Rung.SHADOW, most=Rung.AUTOMATIC, promote_after=3)


def made(change_id: str = "chg", playbook: str = "flag_rollback", calls: int = 1) -> ProposalMade:
    proposal = Proposal(
        proposal_id="i:1",
        version=1,
        incident_id="i",
        playbook=playbook,
        change_id=change_id,
        title="t",
        calls=tuple(ActionCall(key="k", action="flag_rollback") for _ in range(calls)),
        state_hash="h",
        nonce="n",
        made_at=NOW,
        expires_at=NOW + timedelta(minutes=30),
    )
    return ProposalMade(incident_id="i", proposal=proposal)


def proven(verdict: RecoveryVerdict) -> VerificationConcluded:
    return VerificationConcluded(incident_id="i", check=check(verdict, NOW, NOW))


APPLIED = ActionApplied(
    incident_id="i",
    proposal_id="i:1",
    result=ActionResult(key="k", action="flag_rollback", target="t", changed=True),
)
FALSE = FeedbackGiven(incident_id="i", label="false_positive", by="anna")
WITHDRAWN = FeedbackWithdrawn(incident_id="i", by="ben")


def failed(kind: str) -> ActionFailed:
    return ActionFailed(
        incident_id="i", proposal_id="i:1", key="k", action="a", kind=kind, reason="r"
    )


def said(verdict: Verdict) -> DecisionTaken:
    decision = Decision(
        decision_id="d",
        incident_id="i",
        verdict=verdict,
        by=Person(id="anna"),
        at=NOW,
        surface="test",
    )
    return DecisionTaken(incident_id="i", decision=decision, accepted=True)


def marks(*facts: Fact) -> list[tuple[str, Mark]]:
    entries = [
        Recorded(
            position=n,
            stream="i",
            version=n,
            fact_id=str(n),
            occurred_at=NOW,
            recorded_at=NOW,
            actor="recoup",
            fact=fact,
        )
        for n, fact in enumerate(facts, 1)
    ]
    return [(each.playbook, each.mark) for each in TrustFold().take(entries)]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ((APPLIED, proven(RecoveryVerdict.RECOVERED)), [Mark.GOOD]),
        ((APPLIED, proven(RecoveryVerdict.NOT_RECOVERED)), [Mark.BAD]),
        ((APPLIED, proven(RecoveryVerdict.NO_DATA)), []),
        ((APPLIED, proven(RecoveryVerdict.INCONCLUSIVE)), []),
        ((APPLIED, FALSE), [Mark.BAD]),
        ((FALSE,), []),
        ((APPLIED, FALSE, WITHDRAWN), [Mark.BAD, Mark.PARDONED]),
        ((APPLIED, FALSE, WITHDRAWN, WITHDRAWN, FALSE), [Mark.BAD, Mark.PARDONED, Mark.BAD]),
        ((FALSE, WITHDRAWN), []),
        ((failed("unauthorized"),), [Mark.BAD]),
        ((failed("frozen"),), []),
        ((failed("state_moved"),), []),
        ((said(Verdict.REJECT),), [Mark.DECLINED]),
        ((said(Verdict.APPROVE),), []),
    ],
)
def test_what_counts_as_good_bad_or_declined(facts: tuple[Fact, ...], expected: list[Mark]) -> None:
    assert marks(made(), *facts) == [("flag_rollback", each) for each in expected]


def test_what_people_mend_by_hand_earns_a_playbook_without_actions_nothing() -> None:
    assert marks(made(calls=0), proven(RecoveryVerdict.RECOVERED)) == []


@pytest.mark.parametrize(("change_id", "mark"), [("chg", Mark.GOOD), ("other", Mark.BAD)])
def test_a_playbook_that_looked_on_is_judged_by_the_change_that_proved_right(
    change_id: str, mark: Mark
) -> None:
    held = PlaybookHeld(incident_id="i", playbook="own", change_id="chg", reason="new")
    found = marks(held, made(change_id, calls=0), proven(RecoveryVerdict.RECOVERED))
    assert found == [("own", mark)]


def standing(*row: Mark, ladder: Ladder = CLIMBER) -> Rung:
    cards = [Marked(playbook="p", incident_id="i", mark=mark, why="w") for mark in row]
    return standing_of(ladder, cards).rung


def test_good_outcomes_in_a_row_climb_and_one_bad_one_falls() -> None:
    good, bad, declined = Mark.GOOD, Mark.BAD, Mark.DECLINED
    assert standing() is Rung.SHADOW
    assert standing(good, good) is Rung.SHADOW
    assert standing(good, good, good) is Rung.SUGGEST
    assert standing(*[good] * 9) is Rung.AUTOMATIC
    assert standing(*[good] * 9, bad) is Rung.APPROVE
    assert standing(*[good] * 9, bad, good, good) is Rung.APPROVE
    assert standing(*[good] * 9, bad, good, good, good) is Rung.AUTOMATIC
    assert standing(good, good, declined, good, good) is Rung.SHADOW
    assert standing(bad, bad) is Rung.SHADOW


def test_a_false_positive_that_was_taken_back_cost_nothing() -> None:
    good, bad, pardoned = Mark.GOOD, Mark.BAD, Mark.PARDONED
    assert standing(*[good] * 9, bad, pardoned) is Rung.AUTOMATIC
    assert standing(*[good] * 9, bad, good, pardoned) is Rung.AUTOMATIC
    assert standing(*[good] * 9, bad, pardoned, bad) is Rung.APPROVE
    assert standing(pardoned) is Rung.SHADOW


def test_what_people_allow_each_time_does_not_fall_below_that() -> None:
    assert standing(Mark.BAD, Mark.BAD, ladder=Ladder()) is Rung.APPROVE
    automatic = Ladder(start=Rung.AUTOMATIC, most=Rung.AUTOMATIC)
    assert standing(Mark.BAD, ladder=automatic) is Rung.APPROVE
    assert standing(Mark.BAD, Mark.BAD, ladder=automatic) is Rung.APPROVE


def test_the_shipped_way_is_to_ask_and_automatic_is_a_choice() -> None:
    assert ApprovalSpec().ladder == Ladder()
    assert ApprovalSpec(automatic=True).ladder.start is Rung.AUTOMATIC
    assert ApprovalSpec(start=Rung.SHADOW).ladder.most is Rung.APPROVE
    capped = Ladder(start=Rung.AUTOMATIC, most=Rung.APPROVE)
    assert standing(ladder=capped) is Rung.APPROVE


@given(
    st.lists(st.sampled_from([Mark.GOOD, Mark.BAD, Mark.DECLINED]), max_size=60),
    st.sampled_from(Rung),
    st.integers(1, 9),
)
def test_nobody_climbs_beyond_the_limit_or_without_a_row(
    row: list[Mark], most: Rung, promote_after: int
) -> None:
    ladder = Ladder(start=Rung.SHADOW, most=most, promote_after=promote_after)
    before = standing(ladder=ladder)
    for place in range(1, len(row) + 1):
        after = standing(*row[:place], ladder=ladder)
        assert LADDER.index(after) <= LADDER.index(most)
        step = LADDER.index(after) - LADDER.index(before)
        if step > 0:
            assert step == 1
            assert row[max(0, place - promote_after) : place] == [Mark.GOOD] * promote_after
        if row[place - 1] is Mark.BAD:
            assert step == (-1 if before is not Rung.SHADOW else 0)
        before = after
