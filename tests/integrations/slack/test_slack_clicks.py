"""Clicks over the wire: every way to press a wrong button has one answer, and decides nothing."""

import asyncio
import json
import threading
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest

from integrations.signatures import sign_slack
from integrations.slack import house
from recoup.demo.standins.slack import SlackStandIn
from recoup.domain.clock import SystemClock
from recoup.domain.facts import DecisionTaken, FreezeSet
from recoup.domain.proposals import ApprovalRule, Verdict
from tests.integrations.slack.conftest import SECRET
from workflows.approvals import GateOutcome


async def test_an_approval_is_taken_and_the_message_says_by_whom(
    slack: SlackStandIn, workspace: Any
) -> None:
    async with workspace(slack) as here:
        await here.ask()
        assert await slack.person.press("approve") == 200
        await here.told("Approved; it is being carried out.")
        (decision,) = here.desk.decisions
        assert decision.by.id == "slack:U_ANNA"
        assert (decision.nonce, decision.state_hash) == ("nonce_1", "hash1")
        await here.show()
        assert "anna approved" in json.dumps(here.message["blocks"])


async def test_a_double_click_is_two_clicks_of_which_one_counts(
    slack: SlackStandIn, workspace: Any
) -> None:
    async with workspace(slack) as here:
        await here.ask()
        await asyncio.gather(slack.person.press("approve"), slack.person.press("approve"))
        await here.told("Already decided: approved by anna.")
        facts = here.world.log.facts(DecisionTaken)
        assert [fact.accepted for fact in facts] == [True, False]


async def test_the_same_delivery_again_gets_the_same_answer_and_is_recorded_once(
    slack: SlackStandIn, workspace: Any
) -> None:
    async with workspace(slack) as here:
        await here.ask(approval=ApprovalRule(roles=("approver",), quorum=2))
        await slack.person.press("approve")
        await here.told("Your yes counts")
        assert await slack.person.post_as_it_is(*slack.person.sent[-1]) == 200
        await asyncio.sleep(0.3)
        assert len(here.world.log.facts(DecisionTaken)) == 1
        assert here.desk.gate.still_needed == 1
        assert len(here.said) == 2
        assert here.said[0] == here.said[1]


async def test_two_people_at_once_are_taken_one_after_the_other(
    slack: SlackStandIn, workspace: Any
) -> None:
    async with workspace(slack) as here:
        await here.ask()
        await asyncio.gather(
            slack.person.press("approve", user="U_ANNA"),
            slack.person.press("reject", user="U_BEN", reason="we know"),
        )
        while len(here.desk.decisions) < 2:
            await asyncio.sleep(0.01)
        facts = here.world.log.facts(DecisionTaken)
        assert sorted(fact.accepted for fact in facts) == [False, True]
        assert here.desk.gate.outcome in (GateOutcome.APPROVED, GateOutcome.REJECTED)


async def test_two_people_are_needed_when_the_playbook_says_so(
    slack: SlackStandIn, workspace: Any
) -> None:
    async with workspace(slack) as here:
        await here.ask(approval=ApprovalRule(roles=("approver",), quorum=2))
        await slack.person.press("approve")
        await here.told("1 more needed")
        await here.show()
        assert "1 of 2 said yes (anna)" in json.dumps(here.message["blocks"])
        await slack.person.press("approve", user="U_BEN")
        await here.told("Approved")


async def test_a_click_on_an_outdated_message_names_the_newer_one_and_redraws(
    slack: SlackStandIn, workspace: Any
) -> None:
    async with workspace(slack) as here:
        await here.ask()
        old = json.loads(json.dumps(here.message))
        await here.ask(2)
        redrawn = slack.count("chat.update")
        await slack.person.press("approve", message=old)
        await here.told("it was replaced by proposal 2")
        assert here.desk.gate.outcome is None
        for _ in range(100):
            if slack.count("chat.update") > redrawn:
                return
            await asyncio.sleep(0.02)
        pytest.fail("the message was not drawn again")


async def test_a_state_that_moved_voids_the_button(slack: SlackStandIn, workspace: Any) -> None:
    async with workspace(slack) as here:
        made = await here.ask()
        moved = made.model_copy(update={"state_hash": "another"})
        here.desk.gate = here.desk.gate.model_copy(update={"proposal": moved})
        await slack.person.press("approve")
        await here.told("The state this was computed from is not the proposal's")


@pytest.mark.parametrize(
    ("user", "text"),
    [("U_VIEW", "may not decide this"), ("U_NOBODY", "may not decide this")],
)
async def test_who_lacks_the_role_is_told_which_is_needed(
    slack: SlackStandIn, workspace: Any, user: str, text: str
) -> None:
    async with workspace(slack) as here:
        await here.ask()
        await slack.person.press("approve", user=user)
        await here.told(text)
        assert here.desk.gate.outcome is None


async def test_who_requested_the_change_does_not_allow_its_way_back(
    slack: SlackStandIn, workspace: Any
) -> None:
    async with workspace(slack) as here:
        await here.ask(
            approval=ApprovalRule(roles=("approver",), not_requester=True),
            requested_by=("slack:U_ANNA",),
        )
        assert "but not whoever requested it" in json.dumps(here.message["blocks"])
        await slack.person.press("approve")
        await here.told("somebody else has to agree")
        await slack.person.press("approve", user="U_BEN")
        await here.told("Approved")


async def test_a_click_that_comes_too_late_decides_nothing(
    slack: SlackStandIn, workspace: Any
) -> None:
    async with workspace(slack) as here:
        await here.ask()
        here.world.clock.advance(1801)
        await slack.person.press("approve")
        await here.told("Too late")


async def test_reasons_come_by_a_form(slack: SlackStandIn, workspace: Any) -> None:
    async with workspace(slack) as here:
        await here.ask()
        await slack.person.press("reject", reason="a known <sale> & co")
        while not here.desk.decisions:
            await asyncio.sleep(0.01)
        (decision,) = here.desk.decisions
        assert (decision.verdict, decision.reason) == (Verdict.REJECT, "a known <sale> & co")
        await here.show()
        assert "a known &lt;sale&gt; &amp; co" in str(here.message["blocks"])


async def test_a_false_positive_can_be_said_at_any_moment(
    slack: SlackStandIn, workspace: Any
) -> None:
    async with workspace(slack) as here:
        await here.show()
        assert await slack.person.press("false_positive", reason="a rehearsal") == 200
        while not here.desk.decisions:
            await asyncio.sleep(0.01)
        assert here.desk.decisions[0].verdict is Verdict.FALSE_POSITIVE
        assert here.desk.decisions[0].reason == "a rehearsal"


async def test_the_form_says_first_what_a_false_positive_would_change(
    slack: SlackStandIn, workspace: Any
) -> None:
    async with workspace(slack, foresee=lambda name: f"{name}: 2 <fewer>") as here:
        await here.ask()
        await slack.person.press("false_positive", reason="a drill")
        filled = _sent_form(slack)
        assert filled["blocks"][0]["text"] == {
            "type": "plain_text",
            "text": f"{here.world.log.incident().id}: 2 <fewer>",
        }


async def test_a_form_does_not_wait_for_a_slow_preview(
    slack: SlackStandIn, workspace: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house, "FORESEEN_WITHIN_S", 0.05)
    held = threading.Event()

    def slow(_incident_id: str) -> str:
        held.wait(5)
        return "too late"

    async with workspace(slack, foresee=slow) as here:
        await here.ask()
        await slack.person.press("false_positive", reason="a drill")
        held.set()
        assert [block["type"] for block in _sent_form(slack)["blocks"]] == ["input"]


def _sent_form(slack: SlackStandIn) -> Any:
    body, _headers = slack.person.sent[-1]
    return json.loads(parse_qs(body.decode())["payload"][0])["view"]


async def test_another_playbook_is_chosen_in_a_form(slack: SlackStandIn, workspace: Any) -> None:
    async with workspace(slack) as here:
        await here.ask(alternatives=("promo_disable", "notify_only"))
        await slack.person.press("other_playbook", playbook="notify_only", reason="by hand")
        while not here.desk.decisions:
            await asyncio.sleep(0.01)
        (decision,) = here.desk.decisions
        assert (decision.playbook, decision.reason) == ("notify_only", "by hand")
        assert here.desk.gate.outcome is GateOutcome.REPLACED


async def test_the_form_of_an_outdated_message_is_not_opened(
    slack: SlackStandIn, workspace: Any
) -> None:
    async with workspace(slack) as here:
        await here.ask()
        old = json.loads(json.dumps(here.message))
        await here.ask(2)
        await slack.person.press("other_playbook", message=old)
        await here.told("decided or replaced meanwhile")
        assert slack.count("views.open") == 0


async def test_snooze_and_acknowledge_come_from_the_menu(
    slack: SlackStandIn, workspace: Any
) -> None:
    async with workspace(slack) as here:
        await here.ask()
        await slack.person.press("acknowledge")
        await here.told("you are looking into it")
        await slack.person.press("snooze_120")
        await here.told("Snoozed for 120 minutes")
        await here.show()
        assert "snooze" not in json.dumps(here.message["blocks"][-2])


async def test_a_slow_workflow_does_not_make_the_acknowledgement_late(
    slack: SlackStandIn, workspace: Any
) -> None:
    async with workspace(slack) as here:
        await here.ask()

        async def slow() -> None:
            await asyncio.sleep(1.5)

        here.desk.before = slow
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert await slack.person.press("approve") == 200
        assert loop.time() - began < 1.0
        assert slack.count("auth.test") == 0
        await here.told("Approved")


async def test_a_wrong_or_old_signature_is_answered_401_and_decides_nothing(
    slack: SlackStandIn, workspace: Any
) -> None:
    async with workspace(slack) as here:
        await here.ask()
        await slack.person.press("acknowledge")
        await here.told("Noted")
        raw, headers = slack.person.sent[-1]
        now = int(SystemClock().now().timestamp())

        def signed(stamp: int | str, secret: str = SECRET, body: bytes = raw) -> dict[str, str]:
            signature = sign_slack(secret, int(stamp), body)
            return {
                **headers,
                "X-Slack-Request-Timestamp": str(stamp),
                "X-Slack-Signature": signature,
            }

        payload = json.loads(parse_qs(raw.decode())["payload"][0])
        payload["actions"][0]["action_id"] = "approve"
        changed = urlencode({"payload": json.dumps(payload)}).encode()
        attempts = [
            (raw, signed(now - 400)),
            (raw, signed(now + 400)),
            (raw, signed(now, secret="another")),
            (changed, headers),
            (raw, {**headers, "X-Slack-Request-Timestamp": "soon"}),
            (raw, {k: v for k, v in headers.items() if k != "X-Slack-Signature"}),
            (raw, {}),
        ]
        for body, wrong in attempts:
            assert await slack.person.post_as_it_is(body, wrong) == 401
        assert len(here.desk.decisions) == 1


async def test_a_button_of_another_make_is_refused(slack: SlackStandIn, workspace: Any) -> None:
    async with workspace(slack) as here:
        await here.ask()
        odd = json.loads(json.dumps(here.message))
        odd["blocks"][-2]["elements"][0]["value"] = "nonsense"
        await slack.person.press("approve", message=odd)
        await here.told("from another version of Recoup")
        assert here.desk.decisions == []


async def test_the_command_answers_people_it_knows(slack: SlackStandIn, workspace: Any) -> None:
    async with workspace(slack) as here:
        await here.ask()
        for text, expected in (
            ("", "What you can ask"),
            ("help", "What you can ask"),
            ("status", "1 open incidents"),
            ("incidents", "Waiting for your decision"),
            ("changes", "chg_flag"),
            ("dance", "none of the words"),
        ):
            assert await slack.person.command(text) == 200
            await here.told(expected)
        await slack.person.command("status", user="U_NOBODY")
        await here.told("does not know you yet")


async def test_a_freeze_needs_a_role_and_is_a_fact(slack: SlackStandIn, workspace: Any) -> None:
    async with workspace(slack) as here:
        await slack.person.command("freeze the sale", user="U_VIEW")
        await here.told("Only an approver or an admin")
        await slack.person.command("freeze the sale")
        await here.told("no action is carried out")
        await slack.person.command("status")
        await here.told("frozen by slack:U_ANNA: the sale")
        await slack.person.command("unfreeze")
        await here.told("Allowed again")
        facts = here.world.log.facts(FreezeSet, stream="freeze")
        assert [(fact.frozen, fact.by) for fact in facts] == [
            (True, "slack:U_ANNA"),
            (False, "slack:U_ANNA"),
        ]


async def test_the_home_tab_shows_what_stands_and_who_you_are(
    slack: SlackStandIn, workspace: Any
) -> None:
    async with workspace(slack) as here:
        await here.ask()
        for user in ("U_ANNA", "U_NOBODY"):
            assert await slack.person.open_home(user) == 200
        while len(slack.homes) < 2:
            await asyncio.sleep(0.01)
        assert "1 open incidents" in json.dumps(slack.homes["U_ANNA"])
        assert "does not know you yet" in json.dumps(slack.homes["U_NOBODY"])
        assert "incidents*" not in json.dumps(slack.homes["U_NOBODY"])
