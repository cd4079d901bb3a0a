"""Guard rails: freeze, windows, protected targets, reach, cool-down and how many an hour."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.contracts import ApplyInput, ProposeInput
from recoup.domain.errors import VendorRefused
from recoup.domain.facts import ActionStarted, FreezeSet
from recoup.domain.limits import Limits, parse_window, parse_windows
from tests.activities.test_activities import doing_in, limiting, proposing
from tests.workflows.ports import INCIDENT, START, World


@pytest.fixture
def world() -> World:
    return World()


async def application(world: World, version: int = 1) -> ApplyInput:
    proposed = await proposing(world).propose(
        ProposeInput(incident_id=INCIDENT, version=version, change_id="chg_flag")
    )
    proposal = proposed.proposal
    return ApplyInput(
        incident_id=INCIDENT,
        proposal_id=proposal.proposal_id,
        call=proposal.calls[0],
        preview=proposal.previews[0],
    )


async def refusal_of(world: World, request: ApplyInput) -> str:
    with pytest.raises(VendorRefused) as caught:
        await doing_in(world).apply_action(request)
    return caught.value.kind


@pytest.mark.parametrize(
    ("text", "moment", "is_open"),
    [
        ("Mon-Fri 08:00-18:00", "2026-11-24T09:00", True),
        ("Mon-Fri 08:00-18:00", "2026-11-24T18:00", False),
        ("Mon-Fri 08:00-18:00", "2026-11-28T09:00", False),
        ("Tue 08:00-18:00 Europe/Berlin", "2026-11-24T07:30", True),
        ("Mon 22:00-04:00", "2026-11-24T03:00", True),
        ("Mon 22:00-04:00", "2026-11-25T03:00", False),
        ("Fri-Mon 00:00-23:59", "2026-11-29T12:00", True),
    ],
)
def test_windows(text: str, moment: str, is_open: bool) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert parse_window(text).is_open(now) is is_open


@pytest.mark.parametrize(
    "wrong", ["always", "Mon 8-18", "Mun 08:00-09:00", "Mon 08:00-08:00", "Mon 08:00-09:00 Mars"]
)
def test_a_wrong_window_says_what_is_wrong(wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong.split()[0]):
        parse_window(wrong)


async def test_outside_the_windows_recoup_only_suggests(world: World) -> None:
    request = await application(world)
    world.limits = Limits(windows=parse_windows(["Sat-Sun 01:00-02:00"]))
    assert await refusal_of(world, request) == "outside_window"
    proposed = await proposing(world).propose(
        ProposeInput(incident_id=INCIDENT, version=2, change_id="chg_flag")
    )
    assert proposed.proposal.title == "By hand: Turn flag new_payment off in production"
    assert proposed.proposal.calls == ()
    assert "outside the change windows" in proposed.proposal.reason
    assert not proposed.proposal.approval.automatic


async def test_a_freeze_makes_suggestions_of_proposals(world: World) -> None:
    world.append("freeze", "f1", FreezeSet(frozen=True, by="cleo", reason="sale"))
    proposed = await proposing(world).propose(
        ProposeInput(incident_id=INCIDENT, version=1, change_id="chg_flag")
    )
    assert proposed.proposal.title.startswith("By hand: ")
    assert "frozen by cleo: sale" in proposed.proposal.reason


async def test_a_protected_target_is_never_touched(world: World) -> None:
    request = await application(world)
    world.limits = Limits(protected=("flag:shop/production/new_*",))
    assert await refusal_of(world, request) == "protected"
    proposed = await proposing(world).propose(
        ProposeInput(incident_id=INCIDENT, version=2, change_id="chg_flag")
    )
    assert proposed.proposal.playbook == "notify_only"
    assert "is protected" in proposed.proposal.reason


async def test_a_flag_on_which_many_depend_is_beyond_the_blast_radius(world: World) -> None:
    world.flags.depending = ("a", "b", "c")
    request = await application(world)
    assert request.preview.reach == 4
    assert "through it a, b, c" in request.preview.touched
    world.limits = Limits(most_reach=3)
    assert await refusal_of(world, request) == "too_far"


async def test_a_target_is_left_alone_within_its_cool_down(world: World) -> None:
    first = await application(world)
    await doing_in(world).apply_action(first)
    world.flags.set("new_payment", on=True, version=9)
    with pytest.raises(VendorRefused, match="10 more minutes") as caught:
        await limiting(world).check([first.preview.model_copy(update={"key": "act_2"})])
    assert caught.value.kind == "cooling_down"
    await doing_in(world).apply_action(first)  # The same action is not another one.
    world.clock.moment = START + timedelta(minutes=11)
    await limiting(world).check([first.preview.model_copy(update={"key": "act_2"})])


async def test_so_many_actions_an_hour_and_no_more(world: World) -> None:
    request = await application(world)
    for number in range(3):
        begun = ActionStarted(
            incident_id="inc_other",
            proposal_id="p",
            preview=request.preview.model_copy(update={"key": f"other_{number}"}),
        )
        world.append("inc_other", f"other:{number}", begun)
    world.limits = Limits(most_per_hour=3)
    assert await refusal_of(world, request) == "too_many"
    world.clock.moment = START + timedelta(minutes=61)
    await doing_in(world).apply_action(request)
    assert world.flags.writes == 1


async def test_a_retry_of_what_was_begun_is_not_held_back(world: World) -> None:
    """An action may be half done; a freeze in between must not leave it so."""
    request = await application(world)
    world.flags.faults = ["after"]
    with pytest.raises(Exception, match="answer lost"):
        await doing_in(world).apply_action(request)
    world.append("freeze", "f1", FreezeSet(frozen=True, by="cleo"))
    applied = await doing_in(world).apply_action(request)
    assert applied.result.changed
    assert world.flags.writes == 1
