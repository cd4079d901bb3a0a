"""The activities alone: repeated ones append nothing new; errors say what may be tried again."""

from datetime import timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities.closing import Closing, plain, render_report
from activities.contracts import (
    ApplyInput,
    CheckInput,
    CloseInput,
    EscalateInput,
    InvestigateInput,
    ProposeInput,
    StartVerificationInput,
    TellInput,
)
from activities.doing import Doing, Hands
from activities.guarding import as_application_error
from activities.investigating import Investigating
from activities.lessons import Lessons
from activities.limiting import Limiting
from activities.proposing import Proposing, state_hash
from activities.recording import Recorder
from activities.telling import Telling
from activities.timeline import has_line, line_for
from activities.trust import Trust, Trusted
from activities.verifying import Verifying
from playbooks.registry import shipped_actions
from recoup.domain.calendar import Calendar
from recoup.domain.errors import (
    ConfigurationError,
    NotFound,
    RecoupError,
    StateMoved,
    StorageUnavailable,
    TransientVendorError,
    VendorNeedsApproval,
    VendorRefused,
)
from recoup.domain.facts import (
    FACT_CLASSES,
    ActionApplied,
    ActionStarted,
    Escalated,
    FreezeSet,
    InvestigationStepTaken,
    Resolution,
)
from recoup.domain.ids import RandomIds
from recoup.domain.verification import RecoveryVerdict
from tests.workflows.ports import INCIDENT, START, World


@pytest.fixture
def world() -> World:
    return World()


def recorder(world: World) -> Recorder:
    return Recorder(world.log, world.clock)


def hands(world: World) -> Hands:
    return Hands(shipped_actions(), world.controls())


def investigating(world: World) -> Investigating:
    return Investigating(recorder(world), world.changes, world.evidence, world.analyst)


def proposing(world: World) -> Proposing:
    trusted = Trusted(Trust(world.log, world.library), world.library, Calendar())
    return Proposing(
        recorder(world),
        world.changes,
        hands(world),
        RandomIds(),
        Lessons(world.log),
        limiting(world),
        trusted,
    )


def limiting(world: World) -> Limiting:
    return Limiting(recorder(world), world.limits)


def doing_in(world: World) -> Doing:
    return Doing(recorder(world), hands(world), limiting(world))


async def application(world: World) -> ApplyInput:
    proposed = await proposing(world).propose(
        ProposeInput(incident_id=INCIDENT, version=1, change_id="chg_flag")
    )
    return ApplyInput(
        incident_id=INCIDENT,
        proposal_id=proposed.proposal.proposal_id,
        call=proposed.proposal.calls[0],
        preview=proposed.proposal.previews[0],
    )


async def test_an_investigation_is_recorded_once(world: World) -> None:
    request = InvestigateInput(incident_id=INCIDENT, version=1)
    first = await investigating(world).investigate(request)
    again = await investigating(world).investigate(request)
    assert first == again
    assert first.candidates[0].change_id == "chg_flag"
    assert world.analyst.ranked == 1
    assert len(world.log.facts(InvestigationStepTaken)) == 2
    later = InvestigateInput(incident_id=INCIDENT, version=2)
    await investigating(world).investigate(later)
    assert world.analyst.ranked == 2


async def test_without_evidence_the_investigation_is_tried_again_later(world: World) -> None:
    world.evidence.records.clear()
    with pytest.raises(NotFound) as caught:
        await investigating(world).investigate(InvestigateInput(incident_id=INCIDENT, version=1))
    assert not as_application_error(caught.value).non_retryable


async def test_a_repeated_proposal_keeps_its_nonce(world: World) -> None:
    request = ProposeInput(incident_id=INCIDENT, version=1, change_id="chg_flag")
    first = await proposing(world).propose(request)
    world.flags.set("new_payment", on=True, version=99)
    assert await proposing(world).propose(request) == first
    second = await proposing(world).propose(request.model_copy(update={"version": 2}))
    assert second.proposal.nonce != first.proposal.nonce
    assert second.proposal.state_hash != first.proposal.state_hash


async def test_the_hash_covers_what_would_be_done_and_the_state(world: World) -> None:
    request = await application(world)
    calls, previews = [request.call], [request.preview]
    moved = request.preview.model_copy(update={"before": {"on": True, "version": 8}})
    other = request.call.model_copy(update={"params": {**request.call.params, "on": True}})
    hashes = {
        state_hash(calls, previews),
        state_hash(calls, [moved]),
        state_hash([other], previews),
    }
    assert len(hashes) == 3


async def test_a_proposal_falls_back_to_people_when_the_vendor_refuses(world: World) -> None:
    world.flags.flags.clear()
    proposed = await proposing(world).propose(
        ProposeInput(incident_id=INCIDENT, version=1, change_id="chg_flag")
    )
    assert proposed.proposal.playbook == "notify_only"
    assert "no flag new_payment" in proposed.proposal.reason


async def test_an_action_is_recorded_before_and_after_and_carried_out_once(world: World) -> None:
    request = await application(world)
    doing = doing_in(world)
    first = await doing.apply_action(request)
    assert await doing.apply_action(request) == first
    assert world.flags.writes == 1
    assert world.log.names()[-3:] == ["action.started", "action.applied", "action.confirmed"]


async def test_the_action_is_known_to_have_begun_even_if_the_process_dies_in_it(
    world: World,
) -> None:
    request = await application(world)
    world.flags.faults = ["after"]
    with pytest.raises(TransientVendorError):
        await doing_in(world).apply_action(request)
    assert len(world.log.facts(ActionStarted)) == 1
    assert world.log.facts(ActionApplied) == []
    done = await doing_in(world).apply_action(request)
    assert done.result.changed
    assert world.flags.writes == 1


async def test_a_freeze_forbids_every_action_until_it_is_lifted(world: World) -> None:
    request = await application(world)
    doing = doing_in(world)
    world.append("freeze", "f1", FreezeSet(frozen=True, by="cleo", reason="peak hours"))
    with pytest.raises(VendorRefused, match="frozen by cleo: peak hours") as caught:
        await doing.apply_action(request)
    assert as_application_error(caught.value).type == "frozen"
    assert world.log.facts(ActionStarted) == []
    world.append("freeze", "f2", FreezeSet(frozen=False, by="cleo"))
    await doing.apply_action(request)
    assert world.flags.writes == 1


async def test_the_message_is_posted_once_and_its_thread_tells_each_fact_once(
    world: World,
) -> None:
    telling = Telling(recorder(world), world.notifier, world.pager)
    told = await telling.tell(TellInput(incident_id=INCIDENT, after_version=0))
    assert len(world.notifier.posts) == 1
    assert len(world.notifier.replies) == 1
    await application(world)
    again = TellInput(incident_id=INCIDENT, after_version=told.version, proposal_id="p1")
    await telling.tell(again)
    assert len(world.notifier.posts) == 1
    assert len(world.notifier.replies) == 2
    assert world.log.incident().messages == {"slack": {"channel": "C1", "ts": "1"}}


async def test_a_deleted_message_is_posted_anew(world: World) -> None:
    telling = Telling(recorder(world), world.notifier, world.pager)
    await telling.tell(TellInput(incident_id=INCIDENT, after_version=0))
    world.notifier.gone = True
    await telling.tell(TellInput(incident_id=INCIDENT, after_version=1))
    assert world.log.incident().messages == {"slack": {"channel": "C1", "ts": "2"}}
    world.notifier.gone = False
    await telling.tell(TellInput(incident_id=INCIDENT, after_version=1))
    assert len(world.notifier.posts) == 2


async def test_people_are_woken_once_for_each_reason(world: World) -> None:
    telling = Telling(recorder(world), world.notifier, world.pager)
    request = EscalateInput(incident_id=INCIDENT, round=1, reason="nobody answered")
    await telling.escalate(request)
    await telling.escalate(request)
    assert len(world.log.facts(Escalated)) == 1


async def test_nothing_seen_is_undecided_until_the_last_look_and_then_no_data(
    world: World,
) -> None:
    verifying = Verifying(recorder(world), world.evidence, world.analyst)
    begun = await verifying.start_verification(
        StartVerificationInput(incident_id=INCIDENT, round=1, settle_s=60)
    )
    assert begun.since == START + timedelta(seconds=60)
    world.evidence.records.clear()
    look = CheckInput(incident_id=INCIDENT, round=1, since=begun.since, margin=0.03, within_s=600)
    assert (await verifying.check_recovery(look)).verdict is RecoveryVerdict.UNDECIDED
    assert "verification.concluded" not in world.log.names()
    last = look.model_copy(update={"last": True})
    assert (await verifying.check_recovery(last)).verdict is RecoveryVerdict.NO_DATA
    assert "verification.concluded" in world.log.names()
    assert world.analyst.checks == 0


async def test_the_report_is_made_from_the_facts_and_escapes_what_comes_from_outside(
    world: World,
) -> None:
    world.add_change("chg_flag", {"action": "flag_rollback", "flag": "new_payment"})
    await investigating(world).investigate(InvestigateInput(incident_id=INCIDENT, version=1))
    await doing_in(world).apply_action(await application(world))
    await Closing(recorder(world)).close(
        CloseInput(incident_id=INCIDENT, resolution=Resolution.RECOVERED, summary="<b>back</b>")
    )
    report = world.log.incident().report
    assert "| Ended | recovered |" in report
    assert "- 90%: chg\\_flag" in report
    assert "flag:shop/production/new\\_payment" in report
    assert "\\<b\\>back" in report
    assert "<b>" not in report


def test_a_report_can_be_written_at_any_moment(world: World) -> None:
    report = render_report(world.log.incident(), world.log.read_stream(INCIDENT))
    assert "| Ended | open |" in report
    assert "Nothing was changed." in report


def test_plain_text_stays_on_its_line() -> None:
    assert plain("a\n# b | c") == "a \\# b \\| c"


def test_every_fact_is_a_line_or_knowingly_none(world: World) -> None:
    silent = {
        "change.recorded",
        "clock.time_passed",
        "alarm.raised",
        "incident.updated",
        "investigation.step_taken",
        "approval.requested",
        "alarm.tolerated",
        "layer.alarmed",
        "shadow.incident_opened",
        "shadow.incident_updated",
        "feedback.given",
        "report.written",
        "freeze.set",
        "doctor.round_trip_proven",
        "approval.reminded",
        "privacy.subject_erased",
        "key.created",
        "key.revoked",
        "person.signed_in",
    }
    spoken = {each.type_name for each in FACT_CLASSES if has_line(each)}
    assert spoken | silent == {each.type_name for each in FACT_CLASSES}
    assert not spoken & silent
    assert line_for(world.log.read_stream(INCIDENT)[0]) is not None


@pytest.mark.parametrize(
    ("error", "type_name", "final"),
    [
        (VendorRefused("no", kind="not_found"), "not_found", True),
        (VendorNeedsApproval("wait"), "needs_approval", True),
        (StateMoved("moved"), "state_moved", True),
        (TransientVendorError("later", retry_after_s=7), "transient", False),
        (StorageUnavailable("away"), "StorageUnavailable", False),
        (ConfigurationError("unset"), "ConfigurationError", True),
    ],
)
def test_an_error_says_whether_to_try_again(
    error: RecoupError, type_name: str, final: bool
) -> None:
    translated = as_application_error(error)
    assert (translated.type, translated.non_retryable) == (type_name, final)
    if type_name == "transient":
        assert translated.next_retry_delay == timedelta(seconds=7)


async def test_an_activity_runs_in_a_real_activity_context(world: World) -> None:
    environment = ActivityEnvironment()
    ranking = await environment.run(
        investigating(world).investigate, InvestigateInput(incident_id=INCIDENT, version=1)
    )
    assert ranking.candidates
