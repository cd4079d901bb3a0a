"""The incident workflow on a real, time-skipping Temporal server, against ports in memory."""

from typing import Any

from temporalio.testing import WorkflowEnvironment

from recoup.domain.errors import TransientVendorError, VendorRefused
from recoup.domain.facts import (
    ActionApplied,
    ActionFailed,
    ActionUndone,
    ApprovalExpired,
    CausesRanked,
    DecisionTaken,
    Escalated,
    FeedbackGiven,
    IncidentClosed,
    IncidentKind,
    ProposalMade,
    Resolution,
    Severity,
)
from recoup.domain.hypotheses import UNKNOWN_CAUSE
from recoup.domain.incident import Status
from recoup.domain.proposals import Person, Verdict
from recoup.domain.verification import RecoveryVerdict
from tests.workflows.ports import INCIDENT, START, World
from workflows.incident import IncidentWorkflow
from workflows.messages import ChangeAppeared, CohortBack, FeedbackNoted, Phase


async def test_an_approved_rollback_is_carried_out_once_and_proven(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    async with respond(temporal, world) as response:
        proposal = await response.asked()
        assert proposal.playbook == "flag_rollback"
        assert proposal.alternatives == ("notify_only",)
        answer = await response.say(Verdict.APPROVE, proposal)
        assert answer.accepted
        outcome = await response.end()
    assert outcome.resolution is Resolution.RECOVERED
    assert not world.flags.on("new_payment")
    assert world.flags.writes == 1
    assert world.log.names()[-2:] == ["incident.closed", "report.written"]
    wanted = [
        "investigation.step_taken",
        "incident.causes_ranked",
        "proposal.made",
        "decision.taken",
        "action.started",
        "action.applied",
        "verification.started",
        "verification.concluded",
        "incident.closed",
    ]
    names = [name for name in world.log.names() if name in wanted]
    assert list(dict.fromkeys(names)) == wanted
    incident = world.log.incident()
    assert incident.status is Status.CLOSED
    assert "recovered" in incident.report
    assert len(world.notifier.posts) == 1
    assert world.notifier.updates[-1].resolution is Resolution.RECOVERED
    assert any("Anna approved" in line for line in world.notifier.replies)


async def test_a_late_report_ranks_anew_in_the_same_message_and_voids_the_old_approval(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    world.analyst.rankings = [[("chg_flag", 0.95)], [("chg_late", 0.8), ("chg_flag", 0.2)]]
    world.flags.set("late", on=True)
    async with respond(temporal, world) as response:
        first = await response.asked()
        world.add_change("chg_late", {"action": "flag_rollback", "flag": "late"})
        await response.handle.signal(
            "change_appeared", ChangeAppeared(position=99, change_id="chg_late")
        )
        second = await response.asked(2, skip_s=30)
        stale = await response.say(Verdict.APPROVE, first)
        assert not stale.accepted
        assert (await response.say(Verdict.APPROVE, second)).accepted
        await response.end()
    assert world.flags.on("new_payment")
    assert not world.flags.on("late")
    assert len(world.notifier.posts) == 1
    shown = [
        update.attribution.first.change_id
        for update in world.notifier.updates
        if update.attribution
    ]
    assert shown[0] == "chg_flag"
    assert shown[-1] == "chg_late"


async def test_more_trials_rank_again_while_the_answer_is_open(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    open_answer = [("chg_flag", 0.5), (UNKNOWN_CAUSE, 0.3)]
    world.analyst.rankings = [open_answer, open_answer, [("chg_flag", 0.96)]]
    async with respond(temporal, world) as response:
        proposal = await response.asked()
        await response.until(lambda: len(world.log.facts(CausesRanked)) == 3, skip_s=60)
        await temporal.sleep(900)
        # Sure enough now: what was posted and asked for still stands, and nothing more is ranked.
        assert len(world.log.facts(CausesRanked)) == 3
        assert (await response.say(Verdict.APPROVE, proposal)).accepted
        await response.end()
    assert len(world.log.facts(ProposalMade)) == 1
    assert len(world.notifier.posts) == 1
    ranked = [fact.attribution.first.probability for fact in world.log.facts(CausesRanked)]
    assert ranked == [0.5, 0.5, 0.96]
    assert any(
        update.attribution is not None and update.attribution.first.probability == 0.96
        for update in world.notifier.updates
    )


async def test_two_that_cannot_be_told_apart_do_not_change_places_under_a_finger(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    world.flags.set("other", on=True)
    world.add_change("chg_other", {"action": "flag_rollback", "flag": "other"})
    world.analyst.rankings = [
        [("chg_flag", 0.46), ("chg_other", 0.44)],
        [("chg_other", 0.47), ("chg_flag", 0.43)],
        [("chg_other", 0.91), ("chg_flag", 0.05)],
    ]
    async with respond(temporal, world) as response:
        first = await response.asked()
        await response.until(lambda: len(world.log.facts(CausesRanked)) == 2, skip_s=60)
        assert world.log.incident().proposal == first
        second = await response.asked(2, skip_s=60)
        assert second.change_id == "chg_other"
        assert not (await response.say(Verdict.APPROVE, first)).accepted
        await response.say(Verdict.APPROVE, second)
        await response.end()
    assert world.flags.on("new_payment")
    assert not world.flags.on("other")


async def test_a_rejected_proposal_changes_nothing(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    async with respond(temporal, world) as response:
        answer = await response.say(
            Verdict.REJECT, await response.asked(), reason="we know about it"
        )
        assert answer.accepted
        outcome = await response.end()
    assert outcome.resolution is Resolution.REJECTED
    assert outcome.summary == "we know about it"
    assert world.flags.on("new_payment")
    assert world.flags.writes == 0


async def test_a_false_positive_is_kept_as_feedback(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    async with respond(temporal, world) as response:
        await response.asked()
        assert (await response.say(Verdict.FALSE_POSITIVE, reason="a test order run")).accepted
        outcome = await response.end()
    assert outcome.resolution is Resolution.FALSE_POSITIVE
    (given,) = world.log.facts(FeedbackGiven)
    assert (given.label, given.by) == ("false_positive", "anna")


async def test_a_false_positive_after_the_action_takes_it_back(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    world.analyst.verdicts = [RecoveryVerdict.UNDECIDED]
    async with respond(temporal, world) as response:
        with temporal.auto_time_skipping_disabled():
            await response.say(Verdict.APPROVE, await response.asked())
            await response.until(lambda: "verification.started" in world.log.names())
            assert not world.flags.on("new_payment")
            assert (await response.say(Verdict.FALSE_POSITIVE)).accepted
        outcome = await response.end()
    assert outcome.resolution is Resolution.FALSE_POSITIVE
    assert world.flags.on("new_payment")


async def test_nobody_answers(temporal: WorkflowEnvironment, world: World, respond: Any) -> None:
    async with respond(temporal, world) as response:
        outcome = await response.end()
    assert outcome.resolution is Resolution.ESCALATED
    assert world.flags.writes == 0
    assert len(world.log.facts(ApprovalExpired)) == 2
    first, second = world.log.facts(ProposalMade)
    assert first.proposal.nonce != second.proposal.nonce
    assert len(world.pager.triggered) == 2
    assert world.pager.resolved == []


async def test_whoever_is_woken_finds_a_live_button(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    async with respond(temporal, world) as response:
        first = await response.asked()
        second = await response.asked(2, skip_s=600)
        stale = await response.say(Verdict.APPROVE, first)
        assert not stale.accepted
        assert "replaced by proposal 2" in stale.text
        assert (await response.say(Verdict.APPROVE, second)).accepted
        outcome = await response.end()
    assert outcome.resolution is Resolution.RECOVERED
    assert world.pager.resolved == [world.log.incident().id]
    assert [fact.accepted for fact in world.log.facts(DecisionTaken)] == [False, True]


async def test_what_did_not_help_is_undone_and_the_next_hypothesis_is_tried(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    world.flags.set("other", on=True)
    world.add_change("chg_other", {"action": "flag_rollback", "flag": "other"})
    world.analyst.rankings = [[("chg_flag", 0.6), ("chg_other", 0.3), (UNKNOWN_CAUSE, 0.1)]]
    world.analyst.verdicts = [
        lambda: (
            RecoveryVerdict.NOT_RECOVERED if world.flags.on("other") else RecoveryVerdict.RECOVERED
        )
    ]
    async with respond(temporal, world) as response:
        await response.say(Verdict.APPROVE, await response.asked())
        second = await response.asked(2, skip_s=30)
        assert second.change_id == "chg_other"
        assert world.flags.on("new_payment")
        await response.say(Verdict.APPROVE, second)
        outcome = await response.end()
    assert outcome.resolution is Resolution.RECOVERED
    assert world.flags.on("new_payment")
    assert not world.flags.on("other")
    (undone,) = world.log.facts(ActionUndone)
    assert undone.restored


async def test_nothing_is_undone_that_somebody_changed_since(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    world.analyst.rankings = [[("chg_flag", 1.0)]]

    def somebody_interferes() -> RecoveryVerdict:
        world.flags.set("new_payment", on=False, version=20)
        return RecoveryVerdict.NOT_RECOVERED

    world.analyst.verdicts = [somebody_interferes]
    async with respond(temporal, world) as response:
        await response.say(Verdict.APPROVE, await response.asked())
        await response.until(lambda: "action.undone" in world.log.names(), skip_s=30)
    (undone,) = world.log.facts(ActionUndone)
    assert not undone.restored
    assert not world.flags.on("new_payment")


async def test_it_recovers_on_its_own_while_people_think(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    async with respond(temporal, world) as response:
        await response.asked()
        await response.handle.signal("cohort_back", CohortBack(position=99, at=START))
        outcome = await response.end()
    assert outcome.resolution is Resolution.RECOVERED_ON_ITS_OWN
    assert world.flags.writes == 0


async def test_feedback_from_another_surface_closes_it_without_repeating_the_fact(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    async with respond(temporal, world) as response:
        await response.asked()
        noted = FeedbackNoted(position=99, label="false_positive", by="ben")
        await response.handle.signal("feedback", noted)
        outcome = await response.end()
    assert outcome.resolution is Resolution.FALSE_POSITIVE
    assert world.log.facts(FeedbackGiven) == []


async def test_shadow_mode_proposes_and_does_nothing(
    temporal: WorkflowEnvironment, respond: Any
) -> None:
    world = World(shadow=True)
    async with respond(temporal, world, shadow=True) as response:
        outcome = await response.end()
    assert outcome.resolution is Resolution.SHADOW
    assert len(world.log.facts(ProposalMade)) == 1
    assert world.flags.writes == 0
    assert world.pager.triggered == []


async def test_other_kinds_are_only_noted(temporal: WorkflowEnvironment, respond: Any) -> None:
    world = World(IncidentKind.DATA_QUALITY)
    async with respond(temporal, world, kind=IncidentKind.DATA_QUALITY) as response:
        outcome = await response.end()
    assert outcome.resolution is Resolution.NOTED
    assert world.log.facts(ProposalMade) == []
    assert len(world.notifier.posts) == 1
    assert world.pager.triggered == []


async def test_a_critical_incident_wakes_somebody_at_once(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    async with respond(temporal, world, severity=Severity.CRITICAL) as response:
        await response.say(Verdict.APPROVE, await response.asked())
        await response.end()
    assert len(world.pager.triggered) == 1
    assert world.pager.resolved == [world.log.incident().id]


async def test_two_people_are_needed_when_the_playbook_says_so(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    playbook = world.library["flag_rollback"]
    rule = playbook.approval.model_copy(update={"quorum": 2})
    world.library["flag_rollback"] = playbook.model_copy(update={"approval": rule})
    async with respond(temporal, world) as response:
        proposal = await response.asked()
        first = await response.say(Verdict.APPROVE, proposal)
        assert (first.accepted, first.still_needed) == (True, 1)
        assert not (await response.say(Verdict.APPROVE, proposal)).accepted
        guest = Person(id="gus", name="Gus", roles=("viewer",))
        refused = await response.say(Verdict.APPROVE, proposal, by=guest)
        assert refused.text.startswith("Gus may not decide this")
        assert world.flags.on("new_payment")
        ben = Person(id="ben", name="Ben", roles=("responder",))
        assert (await response.say(Verdict.APPROVE, proposal, by=ben)).still_needed == 0
        await response.end()
    assert world.flags.writes == 1


async def test_an_automatic_playbook_asks_nobody(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    playbook = world.library["flag_rollback"]
    rule = playbook.approval.model_copy(update={"automatic": True})
    world.library["flag_rollback"] = playbook.model_copy(update={"approval": rule})
    async with respond(temporal, world) as response:
        outcome = await response.end()
    assert outcome.resolution is Resolution.RECOVERED
    (taken,) = world.log.facts(DecisionTaken)
    assert taken.decision.by.id == "recoup:automatic"


async def test_a_decision_that_is_ahead_of_the_workflow_is_not_lost(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    world.log.linger["proposal.made"] = 0.5
    async with respond(temporal, world) as response:
        proposal = await response.asked(wait_for_gate=False)
        assert (await response.handle.query(IncidentWorkflow.state)).phase is Phase.PROPOSING
        assert (await response.say(Verdict.APPROVE, proposal)).accepted
        outcome = await response.end()
    assert outcome.resolution is Resolution.RECOVERED


async def test_without_an_integration_people_still_get_a_message_with_live_buttons(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    world.flags.read_faults = [TransientVendorError("away")] * 30
    async with respond(temporal, world) as response:
        proposal = await response.asked(skip_s=20)
        assert proposal.playbook == "notify_only"
        await response.say(Verdict.APPROVE, proposal)
        assert (await response.end()).resolution is Resolution.RECOVERED


async def test_the_same_click_twice_is_one_decision(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    async with respond(temporal, world) as response:
        proposal = await response.asked()
        first = await response.say(Verdict.APPROVE, proposal, decision_id="click")
        again = await response.say(Verdict.APPROVE, proposal, decision_id="click")
        assert first == again
        await response.end()
    assert len(world.log.facts(DecisionTaken)) == 1
    assert world.flags.writes == 1


async def test_a_lost_answer_is_read_again_and_not_sent_again(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    world.flags.faults = ["after"]
    async with respond(temporal, world) as response:
        await response.say(Verdict.APPROVE, await response.asked())
        outcome = await response.end()
    assert outcome.resolution is Resolution.RECOVERED
    assert world.flags.writes == 1
    (applied,) = world.log.facts(ActionApplied)
    assert applied.result.changed


async def test_what_took_effect_although_every_answer_was_lost_counts_as_done(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    world.flags.faults = ["after"]

    async with respond(temporal, world) as response:
        proposal = await response.asked()
        # Once the write went through, reading fails until every attempt is used up.
        world.flags.on_write = lambda: world.flags.read_faults.extend(
            [TransientVendorError("away")] * 11
        )
        await response.say(Verdict.APPROVE, proposal)
        outcome = await response.end()
    assert outcome.resolution is Resolution.RECOVERED
    assert world.flags.writes == 1
    (applied,) = world.log.facts(ActionApplied)
    assert applied.result.changed
    assert world.log.facts(ActionFailed) == []


async def test_an_action_that_nobody_can_see_is_a_failure_that_says_so(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    world.flags.faults = ["before"]
    async with respond(temporal, world) as response:
        proposal = await response.asked()
        world.flags.on_write = lambda: world.flags.read_faults.extend(
            [TransientVendorError("away")] * 12
        )
        await response.say(Verdict.APPROVE, proposal)
        second = await response.asked(2, skip_s=30)
        (failed,) = world.log.facts(ActionFailed)
        assert "whether it took effect could not be read" in failed.reason
        await response.say(Verdict.APPROVE, second)
        outcome = await response.end()
    assert outcome.resolution is Resolution.RECOVERED
    assert world.flags.writes == 1


async def test_a_target_that_moved_voids_the_approval_and_is_asked_anew(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    async with respond(temporal, world) as response:
        first = await response.asked()
        world.flags.set("new_payment", on=True, version=8)
        await response.say(Verdict.APPROVE, first)
        second = await response.asked(2)
        assert second.state_hash != first.state_hash
        assert second.previews[0].before["version"] == 8
        await response.say(Verdict.APPROVE, second)
        outcome = await response.end()
    assert outcome.resolution is Resolution.RECOVERED
    (failed,) = world.log.facts(ActionFailed)
    assert failed.kind == "state_moved"
    assert world.pager.triggered == []


async def test_a_refusal_is_handed_to_people_with_a_live_button(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    world.flags.faults = [VendorRefused("the token was revoked", kind="unauthorized")]
    async with respond(temporal, world) as response:
        await response.say(Verdict.APPROVE, await response.asked())
        second = await response.asked(2)
        assert "token was revoked" in world.pager.triggered[0]
        await response.say(Verdict.APPROVE, second)
        outcome = await response.end()
    assert outcome.resolution is Resolution.RECOVERED
    assert [fact.kind for fact in world.log.facts(ActionFailed)] == ["unauthorized"]


async def test_no_data_is_never_a_success(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    world.analyst.verdicts = [RecoveryVerdict.NO_DATA]
    async with respond(temporal, world) as response:
        await response.say(Verdict.APPROVE, await response.asked())
        outcome = await response.end()
    assert outcome.resolution is Resolution.ESCALATED
    assert "left in place" in outcome.summary
    assert not world.flags.on("new_payment")
    assert len(world.log.facts(Escalated)) == 1


async def test_an_undecided_test_ends_when_its_time_is_over(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    world.analyst.verdicts = [RecoveryVerdict.UNDECIDED]
    async with respond(temporal, world, verify_within_s=600) as response:
        await response.say(Verdict.APPROVE, await response.asked())
        outcome = await response.end()
    assert outcome.resolution is Resolution.ESCALATED
    assert world.log.incident().check is not None
    assert world.log.incident().check.verdict is RecoveryVerdict.INCONCLUSIVE
    assert world.analyst.checks == 16


async def test_another_playbook_replaces_the_proposal(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    async with respond(temporal, world) as response:
        first = await response.asked()
        unknown = await response.say(Verdict.OTHER_PLAYBOOK, first, playbook="campaign_pause")
        assert not unknown.accepted
        chosen = await response.say(Verdict.OTHER_PLAYBOOK, first, playbook="notify_only")
        assert chosen.accepted
        second = await response.asked(2)
        assert second.playbook == "notify_only"
        assert second.calls == ()
        await response.say(Verdict.APPROVE, second)
        outcome = await response.end()
    assert outcome.resolution is Resolution.RECOVERED
    assert world.flags.writes == 0


async def test_a_chat_that_is_away_holds_nothing_up(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    world.notifier.away = True
    async with respond(temporal, world) as response:
        await response.say(Verdict.APPROVE, await response.asked())
        await response.until(lambda: bool(world.log.facts(IncidentClosed)), skip_s=5)
        world.notifier.away = False
        outcome = await response.end()
    assert outcome.resolution is Resolution.RECOVERED


async def test_a_long_history_goes_on_in_a_fresh_one(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    world.analyst.verdicts = [RecoveryVerdict.UNDECIDED] * 40 + [RecoveryVerdict.RECOVERED]
    async with respond(temporal, world, most_history=80) as response:
        answer = await response.say(
            Verdict.APPROVE, await response.asked(), decision_id="before-the-cut"
        )
        outcome = await response.end()
        last_run = (await response.client.get_workflow_handle(INCIDENT).describe()).run_id
    assert answer.accepted
    assert outcome.resolution is Resolution.RECOVERED
    assert world.flags.writes == 1
    assert len(world.log.facts(DecisionTaken)) == 1
    assert last_run != response.handle.first_execution_run_id


async def test_nobody_allows_what_they_asked_for_themselves(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    rule = world.library["notify_only"].approval.model_copy(update={"not_requester": True})
    by_hand = world.library["notify_only"].model_copy(update={"approval": rule})
    world.library["notify_only"] = by_hand
    ben = Person(id="ben", roles=("approver",))
    async with respond(temporal, world) as response:
        first = await response.asked()
        assert (await response.say(Verdict.OTHER_PLAYBOOK, first, playbook="notify_only")).accepted
        second = await response.asked(2)
        assert second.requested_by == ("anna",)
        own = await response.say(Verdict.APPROVE, second)
        assert not own.accepted
        assert "somebody else has to agree" in own.text
        assert (await response.say(Verdict.APPROVE, second, by=ben)).accepted
        await response.end()
