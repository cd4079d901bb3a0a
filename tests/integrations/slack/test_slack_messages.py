"""One message an incident, drawn anew in place: paced, joined, with its chart, whatever happens."""

import asyncio
import json
from typing import Any

import pytest
from starlette.responses import JSONResponse, PlainTextResponse

from integrations.slack.client import MESSAGE_GONE, SlackNotifier
from integrations.slack.pacing import Pacer
from recoup.demo.standins.slack import SlackStandIn
from recoup.domain.errors import TransientVendorError, VendorRefused
from recoup.domain.incident import Incident
from tests.integrations.slack.conftest import settings_for
from tests.workflows.ports import World

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 64
URL = "https://recoup.example"


@pytest.fixture
def incident() -> Incident:
    return World().log.incident()


def notifier(slack: SlackStandIn, **more: Any) -> SlackNotifier:
    draw = more.pop("draw", None)
    return SlackNotifier(settings_for(slack, **more), URL, draw)


async def test_the_message_says_what_for_whom_since_when_and_what_it_costs(
    slack: SlackStandIn, workspace: Any
) -> None:
    async with workspace(slack) as here:
        await here.ask()
        text = json.dumps(here.message["blocks"])
        for wanted in (
            "fell to 34.0% (expected 52.0%)",
            "os=iOS 16",
            "*Since:*",
            "EUR 1,000 (800 to 1,200)",
            "90%  chg",
            "Turn new",
            "*What the buttons do*",
            "one person with the role approver or admin",
            "*Until:*",
        ):
            assert wanted in text, wanted
        assert here.message["text"]


async def test_a_chart_is_uploaded_and_shown_and_kept_while_nothing_changed(
    slack: SlackStandIn, incident: Incident
) -> None:
    drawn: list[str] = []

    def draw(shown: Incident) -> bytes:
        drawn.append(shown.id)
        return PNG

    sender = notifier(slack, draw=draw)
    reference = await sender.post(incident)
    await sender.update(incident, reference)
    (image,) = [b for b in slack.messages[0]["blocks"] if b["type"] == "image"]
    assert slack.files[image["slack_file"]["id"]] == PNG
    assert "Observed against expected" in image["alt_text"]
    assert len(drawn) == 1


async def test_a_chart_that_slack_does_not_know_yet_is_left_out(
    slack: SlackStandIn, incident: Incident
) -> None:
    slack.faults["chat.postMessage"].append(JSONResponse({"ok": False, "error": "invalid_blocks"}))
    await notifier(slack, draw=lambda _: PNG).post(incident)
    assert [b["type"] for b in slack.messages[0]["blocks"]].count("image") == 0


@pytest.mark.parametrize("wrong", ["missing_scope", "raises", "nothing"])
async def test_no_chart_holds_a_message_up(
    slack: SlackStandIn, incident: Incident, wrong: str
) -> None:
    def draw(_shown: Incident) -> bytes | None:
        if wrong == "raises":
            raise ValueError("no evidence")
        return None if wrong == "nothing" else PNG

    refused = JSONResponse({"ok": False, "error": "missing_scope"})
    slack.faults["files.getUploadURLExternal"].append(refused)
    await notifier(slack, draw=draw).post(incident)
    assert len(slack.messages) == 1


async def test_redraws_that_wait_are_joined_and_the_latest_wins(
    slack: SlackStandIn, incident: Incident
) -> None:
    sender = notifier(slack, gap_s=0.3)
    reference = await sender.post(incident)
    versions = [
        incident.model_copy(update={"version": 10 + n, "metric": f"metric {n}"}) for n in range(20)
    ]
    await asyncio.gather(*(sender.update(each, reference) for each in versions))
    assert slack.count("chat.update") == 1
    assert "metric 19" in json.dumps(slack.messages[0]["blocks"])


async def test_a_channel_gets_at_most_one_message_a_gap(
    slack: SlackStandIn, incident: Incident
) -> None:
    sender = notifier(slack, gap_s=0.25)
    await asyncio.gather(*(sender.post(incident) for _ in range(4)))
    times = [at for method, at in slack.calls if method == "chat.postMessage"]
    waited = times[-1] - times[0]
    # The wire adds its own wobble to each arrival, but not to the whole.
    assert waited >= 0.25 * 3 - 0.1


async def test_channels_do_not_wait_for_each_other() -> None:
    pacer, loop = Pacer(60), asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(pacer.turn(f"C{number}") for number in range(5)))
    assert loop.time() - began < 5


async def test_a_wish_to_wait_is_passed_on_and_holds_the_channel(
    slack: SlackStandIn, incident: Incident
) -> None:
    sender = notifier(slack)
    limited = JSONResponse({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": "1"})
    slack.faults["chat.postMessage"].append(limited)
    with pytest.raises(TransientVendorError) as failure:
        await sender.post(incident)
    assert failure.value.retry_after_s == 1
    loop = asyncio.get_running_loop()
    began = loop.time()
    await sender.post(incident)
    assert loop.time() - began > 0.8


@pytest.mark.parametrize(
    "answer",
    [
        PlainTextResponse("<html>oops</html>", 503),
        JSONResponse({"ok": False, "error": "internal_error"}),
        PlainTextResponse("", 200),
    ],
)
async def test_a_failure_of_slack_is_worth_another_try(
    slack: SlackStandIn, incident: Incident, answer: Any
) -> None:
    sender = notifier(slack)
    slack.faults["chat.postMessage"].append(answer)
    with pytest.raises(TransientVendorError):
        await sender.post(incident)
    await sender.post(incident)
    assert len(slack.messages) == 1


async def test_a_lost_token_is_final_and_says_so(slack: SlackStandIn, incident: Incident) -> None:
    slack.faults["chat.postMessage"].append(JSONResponse({"ok": False, "error": "token_revoked"}))
    with pytest.raises(VendorRefused, match="token_revoked"):
        await notifier(slack).post(incident)


async def test_a_deleted_message_is_named_so_that_a_new_one_can_be_posted(
    slack: SlackStandIn, incident: Incident
) -> None:
    with pytest.raises(VendorRefused) as refusal:
        await notifier(slack).update(incident, {"channel": "C1", "ts": "1.1"})
    assert refusal.value.kind == MESSAGE_GONE


async def test_slack_that_cannot_be_reached_is_worth_another_try(
    slack: SlackStandIn, incident: Incident
) -> None:
    with pytest.raises(TransientVendorError, match="cannot be reached"):
        await notifier(slack, base_url="http://127.0.0.1:9/api/").post(incident)


async def test_a_thread_is_one_post_for_many_lines_and_all_of_them_are_escaped(
    slack: SlackStandIn, incident: Incident
) -> None:
    sender = notifier(slack)
    reference = await sender.post(incident)
    await sender.reply(reference, "10:00 <!here> a\n10:01 b\n\n")
    reply = slack.messages[-1]
    assert reply["thread_ts"] == reference["ts"]
    assert reply["text"] == "10:00 &lt;!here&gt; a\n10:01 b"
