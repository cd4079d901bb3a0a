"""What a playbook may do follows from its rung, the severity and the calendar."""

from typing import Any

from temporalio.testing import WorkflowEnvironment

from recoup.domain.calendar import Calendar
from recoup.domain.facts import ApprovalReminded, DecisionTaken, PlaybookHeld, Resolution, Severity
from recoup.domain.proposals import Rung, Verdict
from tests.workflows.ports import World

AT_NIGHT = Calendar.read("Sat 10:00-11:00")


def trust(world: World, **spec: Any) -> None:
    playbook = world.library["flag_rollback"]
    approval = playbook.approval.model_copy(update=spec)
    world.library["flag_rollback"] = playbook.model_copy(update={"approval": approval})


async def test_a_playbook_in_shadow_looks_on_and_people_are_asked_to_mend_it(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    trust(world, start=Rung.SHADOW)
    async with respond(temporal, world) as response:
        proposal = await response.asked()
        assert proposal.playbook == "notify_only"
        await response.say(Verdict.APPROVE, proposal)
        await response.end()
    (held,) = world.log.facts(PlaybookHeld)
    assert (held.playbook, held.change_id) == ("flag_rollback", "chg_flag")
    assert world.flags.writes == 0


async def test_a_suggestion_is_carried_out_by_people_and_proven(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    trust(world, start=Rung.SUGGEST)
    async with respond(temporal, world) as response:
        proposal = await response.asked()
        assert (proposal.calls, proposal.rung) == ((), Rung.SUGGEST)
        assert proposal.suggested[0].target
        await response.say(Verdict.APPROVE, proposal)
        outcome = await response.end()
    assert outcome.resolution is Resolution.RECOVERED
    assert world.flags.writes == 0


async def test_automatic_is_only_for_the_severities_that_the_playbook_names(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    trust(world, automatic=True, severities=(Severity.LOW, Severity.MODERATE))
    async with respond(temporal, world) as response:
        proposal = await response.asked()
        assert not proposal.approval.automatic
        await response.say(Verdict.APPROVE, proposal)
        await response.end()
    assert [fact.decision.by.id for fact in world.log.facts(DecisionTaken)] == ["anna"]


async def test_the_calendar_forbids_to_act_unasked_and_wakes_people_instead(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    world.calendar = AT_NIGHT.model_copy(update={"automatic": "office_hours"})
    trust(world, automatic=True, out_of_hours_roles=("admin", "approver"))
    async with respond(temporal, world) as response:
        proposal = await response.asked()
        assert proposal.approval.roles == ("admin", "approver")
        assert not proposal.approval.automatic
        await response.until(lambda: world.pager.triggered != [])
        await response.say(Verdict.APPROVE, proposal)
        await response.end()
    assert world.pager.triggered == ["high, and nobody is at work: a decision is needed"]


async def test_people_are_reminded_once_before_the_end(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    async with respond(temporal, world, remind_before_s=600) as response:
        first = await response.asked()
        await response.until(lambda: world.log.facts(ApprovalReminded) != [], skip_s=60)
        assert world.notifier.loud[0].startswith(f"Nobody has decided yet on: {first.title}")
        await response.say(Verdict.APPROVE, first)
        await response.end()
    assert len(world.log.facts(ApprovalReminded)) == len(world.notifier.loud) == 1


async def test_nobody_can_allow_what_is_only_looked_at(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    async with respond(temporal, world, shadow=True) as response:
        proposal = await response.asked(wait_for_gate=False)
        refused = await response.say(Verdict.APPROVE, proposal)
        assert not refused.accepted
        assert (await response.say(Verdict.FALSE_POSITIVE, reason="a rehearsal")).accepted
        assert (await response.end()).resolution is Resolution.FALSE_POSITIVE
