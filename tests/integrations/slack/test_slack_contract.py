"""What goes to Slack and what comes from it is what Slack itself describes and records."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jsonschema
import pytest

from integrations.slack.check import post_card
from integrations.slack.people import SlackDirectory
from integrations.slack.tickets import Ticket
from recoup.demo.standins.slack import SlackStandIn
from recoup.domain.proposals import Verdict
from tests.integrations.slack.conftest import settings_for

TESTS = Path(__file__).parents[2]
CONTRACTS = json.loads((TESTS / "integrations" / "public_contracts.json").read_text())
CALLED = {each["method"]: each for each in CONTRACTS["slack"]}
WITHOUT_ARGUMENTS = {"auth.test", "conversations.info", "apps.connections.open"}
BY_THE_SDK = {"token", "team_id"}
"""What Slack's own SDK adds to a call."""
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 64


def recorded(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((TESTS / "samples" / "slack" / f"{name}.json").read_text())
    return body


def check(method: str, body: dict[str, Any]) -> None:
    """Check a call: what is nested may come as JSON in a text, as forms have it."""
    nested = ("blocks", "view", "files")
    sent = {
        name: json.loads(value) if name in nested and isinstance(value, str) else value
        for name, value in body.items()
        if name not in BY_THE_SDK
    }
    schema = {**CALLED[method]["body"], "$defs": CONTRACTS["$defs"]}
    jsonschema.Draft202012Validator(schema).validate(sent)


def shape(value: Any) -> Any:
    """Return the names in a payload, down to its leaves."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else None


def unknown(value: Any, known: Any, at: str = "") -> list[str]:
    """Return the names in a shape that another does not have."""
    if isinstance(value, dict) and isinstance(known, dict):
        found = [f"{at}.{name}" for name in value if name not in known]
        both = set(value) & set(known)
        return found + [odd for name in both for odd in unknown(value[name], known[name], name)]
    if isinstance(value, list) and isinstance(known, list) and value and known:
        return unknown(value[0], known[0], at)
    return []


async def everything_that_is_said(slack: SlackStandIn, workspace: Any) -> None:
    async with workspace(slack, draw=lambda _: PNG) as here:
        await here.ask(alternatives=("notify_only", "release_rollback"))
        await slack.person.press("reject", reason="not now", user="U_VIEW")
        await slack.person.press("other_playbook", playbook="notify only", user="U_VIEW")
        await slack.person.open_home()
        await slack.person.press("approve")
        await here.told("Approved")
        await here.show()
        await here.notifier.reply(here.reference, "done")
        await post_card(here.settings, "c1")
    slack.groups["S1"] = ["U1"]
    await SlackDirectory(settings_for(slack, people={}, groups={"S1": ["approver"]}), {}).refresh()


async def test_every_call_is_one_that_slack_describes(slack: SlackStandIn, workspace: Any) -> None:
    await everything_that_is_said(slack, workspace)
    made = {method for method, _ in slack.received}
    assert made - WITHOUT_ARGUMENTS == set(CALLED)
    for method, body in slack.received:
        if method not in WITHOUT_ARGUMENTS:
            check(method, body)


async def test_a_misspelt_argument_a_long_text_and_an_unknown_block_would_be_found(
    slack: SlackStandIn, workspace: Any
) -> None:
    async with workspace(slack) as here:
        await here.ask()
    method, body = next(each for each in slack.received if each[0] == "chat.postMessage")
    check(method, body)
    blocks = body["blocks"]
    header = {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}
    for wrong in (
        {**body, "unfurl_link": False},
        {**body, "blocks": [*blocks, header]},
        {**body, "blocks": [*blocks, {"type": "selection"}]},
    ):
        with pytest.raises(jsonschema.ValidationError):
            check(method, wrong)


async def test_the_stand_in_s_person_sends_nothing_that_slack_does_not(
    slack: SlackStandIn, workspace: Any
) -> None:
    """Else Recoup could come to rely on what is only here; ``message`` Slack adds to a click."""
    sent: list[tuple[str, dict[str, Any]]] = []

    async def interact(payload: dict[str, Any]) -> int:
        sent.append((payload["type"], payload))
        return 200

    async with workspace(slack) as here:
        await here.ask()
        slack.person.interact = interact  # type: ignore[method-assign]
        await slack.person.press("approve")
        view = {"type": "modal", "callback_id": "reject", "private_metadata": "", "blocks": []}
        await slack.person.submit(view, "U_ANNA", "because")
    assert [kind for kind, _ in sent] == ["block_actions", "view_submission"]
    for kind, payload in sent:
        payload.pop("message", None)
        odd = unknown(shape(payload), shape(recorded(kind)))
        assert odd == {"view_submission": ["values.reason"]}.get(kind, [])  # the form's own name


async def test_a_recorded_click_is_taken(slack: SlackStandIn, workspace: Any) -> None:
    async with workspace(slack, people={"W111": ["approver"]}) as here:
        await here.ask()
        click = recorded("block_actions")
        value = Ticket.of(here.world.log.incident()).write()
        click["actions"][0] |= {"action_id": "approve", "block_id": value, "value": value}
        click["response_url"] = f"{slack.own_url}/_respond"
        assert await slack.person.interact(click) == 200
        await here.told("Approved; it is being carried out.")
        [decision] = here.desk.decisions
        assert (decision.by.id, decision.by.name) == ("slack:W111", "primary-owner")


async def test_a_recorded_form_is_taken(slack: SlackStandIn, workspace: Any) -> None:
    async with workspace(slack, people={"W111": ["approver"]}) as here:
        await here.ask()
        form = recorded("view_submission")
        form["view"] |= {
            "callback_id": "reject",
            "private_metadata": Ticket.of(here.world.log.incident()).write(),
            "state": {"values": {"reason": {"text": {"type": "plain_text_input", "value": "no"}}}},
        }
        assert await slack.person.interact(form) == 200
        while not here.desk.decisions:
            await here.show()
        [decision] = here.desk.decisions
        assert (decision.verdict, decision.reason) == (Verdict.REJECT, "no")


async def test_a_recorded_command_and_a_look_at_the_home_tab_are_answered(
    slack: SlackStandIn, workspace: Any
) -> None:
    async with workspace(slack, people={"W111": ["viewer"]}) as here:
        typed = recorded("slash_command")
        typed |= {"command": "/recoup", "text": "help", "response_url": f"{slack.own_url}/_respond"}
        assert await slack.person.post(urlencode(typed).encode()) == 200
        await here.told("/recoup")
        opened = recorded("app_home_opened")
        opened["event"] |= {"user": "W111", "tab": "home"}
        raw = json.dumps(opened).encode()
        assert await slack.person.post(raw, "application/json") == 200
        for _ in range(200):
            if "W111" in slack.homes:
                break
            await here.show()
        assert "W111" in slack.homes
