"""Socket Mode with the real client: clicks, commands and the home tab without an open address."""

import asyncio
import json
from typing import Any

from pydantic import SecretStr

from recoup.demo.standins.slack import SlackStandIn
from recoup.domain.proposals import Verdict

SOCKET = {"app_token": SecretStr("xapp-test"), "signing_secret": None}


async def test_every_interaction_is_acknowledged_by_the_socket(
    slack: SlackStandIn, workspace: Any
) -> None:
    async with workspace(slack, **SOCKET) as here:
        await here.ask()
        assert await slack.person.press("approve") == 200
        await here.told("Approved")
        await slack.person.press("false_positive", reason="a drill")
        while len(here.desk.decisions) < 2:
            await asyncio.sleep(0.01)
        assert here.desk.decisions[1].verdict is Verdict.FALSE_POSITIVE
        await slack.person.command("status")
        await here.told("open incidents")
        await slack.person.open_home()
        while "U_ANNA" not in slack.homes:
            await asyncio.sleep(0.01)
        assert len(slack.link.acks) == 5


async def test_a_slow_workflow_does_not_make_the_acknowledgement_late(
    slack: SlackStandIn, workspace: Any
) -> None:
    async with workspace(slack, **SOCKET) as here:
        await here.ask()

        async def slow() -> None:
            await asyncio.sleep(1.5)

        here.desk.before = slow
        loop = asyncio.get_running_loop()
        began = loop.time()
        await slack.person.press("approve")
        assert loop.time() - began < 1.0
        await here.told("Approved")


async def test_the_same_envelope_again_decides_nothing_new(
    slack: SlackStandIn, workspace: Any
) -> None:
    async with workspace(slack, **SOCKET) as here:
        await here.ask()
        shown = json.loads(json.dumps(here.message))
        block = next(b for b in shown["blocks"] if b["type"] == "actions")
        payload = slack.person.payload_of(shown, block, block["elements"][0], "", "U_ANNA")
        await slack.link.send("interactive", payload)
        await slack.link.send("interactive", payload)
        while len(here.said) < 2:
            await asyncio.sleep(0.01)
        assert len(here.desk.decisions) == 1
        assert here.said[0] == here.said[1]


async def test_without_a_signing_secret_nothing_is_taken_over_http(
    slack: SlackStandIn, workspace: Any
) -> None:
    async with workspace(slack, **SOCKET) as here:
        await here.ask()
        assert await slack.person.post(b"payload={}") == 401
        assert here.desk.decisions == []
