# ruff: noqa: ARG002 - a handler has the whole signature of what calls it
"""The digest on its way: by command over real Slack and SMTP, and by Temporal's schedule."""

import asyncio
import socket
import sysconfig
from collections.abc import AsyncIterator, Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from temporalio.client import Client, WorkflowFailureError
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from activities.digesting import Digesting
from recoup.cli import main
from recoup.demo.standins.running import Running
from recoup.demo.standins.slack import SlackStandIn
from recoup.domain.errors import ConfigurationError, TransientVendorError, VendorRefused
from recoup.scheduling import SCHEDULE_ID, keep_schedule
from recoup.settings import DigestSettings, Settings, TemporalSettings
from recoup.worker import make_worker
from workflows.digest import DigestInput, DigestWorkflow

QUEUE = "digest"


class Post:
    """Notes what it is asked to send; ``broken`` ways are refused, ``slow`` ones once."""

    def __init__(self, broken: tuple[str, ...] = (), slow: tuple[str, ...] = ()) -> None:
        self.ways = ("slack", "email")
        self.sent: list[tuple[str, str]] = []
        self._broken, self._slow = broken, set(slow)

    async def send(self, way: str, week: str) -> str:
        if way in self._broken:
            raise VendorRefused("Slack refused: channel_not_found")
        if way in self._slow:
            self._slow.discard(way)
            raise TransientVendorError("the mail server cannot be reached")
        self.sent.append((way, week))
        return way


class Inbox:
    def __init__(self) -> None:
        self.mails: list[bytes] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append(envelope.content)
        return "250 OK"


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    found = Inbox()
    controller = Controller(found, hostname="127.0.0.1", port=port)
    controller.start()
    yield found, port
    controller.stop()


@pytest.fixture
async def server() -> AsyncIterator[Client]:
    binary = Path(sysconfig.get_path("scripts")) / "temporal"
    async with await WorkflowEnvironment.start_local(
        data_converter=pydantic_data_converter, dev_server_existing_path=str(binary)
    ) as environment:
        yield environment.client


def settings(schedule: str, zone: str = "UTC") -> Settings:
    return Settings(
        temporal=TemporalSettings(task_queue=QUEUE),
        digest=DigestSettings(schedule=schedule, time_zone=zone),
    )


def test_the_command_sends_it_to_the_channel_and_by_mail(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    inbox: tuple[Inbox, int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    slack = SlackStandIn("secret")
    with Running(slack.app) as running:
        for name, value in {
            "SLACK_BOT_TOKEN": "xoxb-test",
            "SLACK_SIGNING_SECRET": "secret",
            "SLACK_CHANNEL": "C_INCIDENTS",
            "SLACK_BASE_URL": f"{running.url}/api/",
            "DIGEST__SLACK_CHANNEL": "C_HEADS",
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": str(inbox[1]),
            "EMAIL_SECURITY": "none",
            "EMAIL_SENDER": "recoup@shop.example",
            "DIGEST__EMAIL_TO": "head@shop.example, cfo@shop.example",
        }.items():
            monkeypatch.setenv(f"RECOUP_{name}", value)
        arguments = ["digest", "--week", "2026-W47", "--send", "--data", str(tmp_path)]
        assert main(arguments) == 0
        assert main(arguments) == 0
    assert "Sent: mail to head@shop.example, cfo@shop.example." in capsys.readouterr().out
    [message, _] = slack.messages
    assert message["channel"] == "C_HEADS"
    assert message["blocks"][0]["text"]["text"] == "Recoup, week 47 of 2026"
    first, second = (message_from_bytes(each, policy=policy.default) for each in inbox[0].mails)
    assert first["Subject"] == "Recoup, week 47 of 2026"
    assert first["To"] == "head@shop.example, cfo@shop.example"
    assert first["Message-ID"] == second["Message-ID"]  # shown once
    assert first.get_body(("html",)) is not None


def test_without_a_way_the_command_says_what_to_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["digest", "--send", "--data", str(tmp_path)]) != 0
    assert "RECOUP_DIGEST__EMAIL_TO" in capsys.readouterr().err


async def test_a_way_that_is_broken_does_not_keep_the_others_back(
    temporal: WorkflowEnvironment,
) -> None:
    post = Post(broken=("slack",), slow=("email",))
    async with make_worker(temporal.client, QUEUE, [Digesting(post).send_digest]):
        with pytest.raises(WorkflowFailureError) as failed:
            await temporal.client.execute_workflow(
                DigestWorkflow.run,
                DigestInput(ways=post.ways, week="2026-W47"),
                id="digest",
                task_queue=QUEUE,
            )
    assert "not sent by slack" in str(failed.value.cause)
    assert post.sent == [("email", "2026-W47")]


async def test_the_schedule_starts_it_follows_the_settings_and_ends(server: Client) -> None:
    assert await keep_schedule(server, settings("0 8 * * MON", "Europe/Berlin"), ("slack",))
    assert await keep_schedule(server, settings("0 9 * * TUE"), ("slack", "email"))
    handle, post = server.get_schedule_handle(SCHEDULE_ID), Post()
    [due] = (await handle.describe()).info.next_action_times[:1]
    assert (due.weekday(), due.hour) == (1, 9)
    async with make_worker(server, QUEUE, [Digesting(post).send_digest]):
        await handle.trigger()
        async with asyncio.timeout(20):
            while len(post.sent) < 2:
                await asyncio.sleep(0.05)
    [(_, week), (_, same)] = post.sent
    assert week == same
    assert week.startswith("20")
    assert not await keep_schedule(server, settings(""), ("slack",))
    assert not await keep_schedule(server, settings(""), ("slack",))  # nothing to end
    assert [each async for each in await server.list_schedules()] == []


async def test_a_cron_line_that_means_nothing_is_explained(server: Client) -> None:
    with pytest.raises(ConfigurationError, match="RECOUP_DIGEST__SCHEDULE"):
        await keep_schedule(server, settings("whenever"), ("slack",))
