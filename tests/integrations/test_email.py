# ruff: noqa: ARG002 - stand-ins have the whole signature of what they stand for
"""Mail over a real SMTP dialogue, and several ways to wake people at once."""

import socket
from collections.abc import Iterator
from email import message_from_bytes, policy
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from pydantic import SecretStr

from integrations.email.client import EmailPager, send
from integrations.email.settings import EmailSettings
from integrations.pagers import EveryPager
from recoup.domain.errors import TransientVendorError, VendorRefused
from recoup.domain.incident import Incident
from tests.workflows.ports import MemoryPager, World

URL = "https://recoup.example"


class Inbox:
    """Keeps what comes; ``refuse`` is the answer instead."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.refuse = ""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refuse:
            return self.refuse
        self.mails.append(envelope.content)
        return "250 OK"


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, EmailSettings]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    found = Inbox()
    controller = Controller(
        found,
        hostname="127.0.0.1",
        port=port,
        authenticator=lambda *_: AuthResult(success=False, handled=False),
        auth_require_tls=False,
    )
    controller.start()
    settings = EmailSettings(
        host="127.0.0.1",
        port=port,
        security="none",
        sender="recoup@shop.example",
        to=("oncall@shop.example", "boss@shop.example"),
    )
    yield found, settings
    controller.stop()


@pytest.fixture
def incident() -> Incident:
    return World().log.incident()


async def test_a_mail_says_what_why_and_where_to_decide(
    inbox: tuple[Inbox, EmailSettings], incident: Incident
) -> None:
    box, settings = inbox
    odd = incident.model_copy(update={"metric": "orders\r\nBcc: all@shop.example"})
    pager = EmailPager(settings, URL)
    assert "oncall@shop.example" in await pager.trigger(odd, "nobody decided in time")
    await pager.trigger(odd, "nobody decided in time")
    await pager.resolve(odd)
    mails = [message_from_bytes(raw, policy=policy.default) for raw in box.mails]
    first, again, over = mails
    assert first["Bcc"] is None
    assert first["To"] == "oncall@shop.example, boss@shop.example"
    assert first["Auto-Submitted"] == "auto-generated"
    assert first["Message-ID"] == again["Message-ID"] != over["Message-ID"]
    assert first["In-Reply-To"] == over["In-Reply-To"]
    body = first.get_content()
    assert "nobody decided in time" in body
    assert f"{URL}/incidents/{incident.id}" in body
    assert "Over:" in over["Subject"]


async def test_what_may_pass_is_tried_again_and_what_will_not_is_final(
    inbox: tuple[Inbox, EmailSettings], incident: Incident
) -> None:
    box, settings = inbox
    box.refuse = "451 come back later"
    with pytest.raises(TransientVendorError):
        await EmailPager(settings, URL).trigger(incident, "r")
    box.refuse = "554 no"
    with pytest.raises(VendorRefused):
        await EmailPager(settings, URL).trigger(incident, "r")
    with pytest.raises(VendorRefused, match="does not offer"):
        send(settings.model_copy(update={"security": "starttls"}), None)
    wrong = settings.model_copy(update={"user": "u", "password": SecretStr("p")})
    with pytest.raises(VendorRefused, match="does not take user and password"):
        send(wrong, None)
    with pytest.raises(TransientVendorError, match="cannot be reached"):
        send(settings.model_copy(update={"port": 9}), None)


class DeadPager:
    """A pager that does not answer."""

    async def trigger(self, incident: Incident, reason: str) -> str:
        raise TransientVendorError("no answer")

    async def resolve(self, incident: Incident) -> None:
        raise TransientVendorError("no answer")


async def test_one_way_that_fails_does_not_keep_the_others_from_waking_people(
    incident: Incident,
) -> None:
    alive = MemoryPager()
    every = EveryPager([DeadPager(), alive])
    assert await every.trigger(incident, "why") == f"recoup:{incident.id}"
    await every.resolve(incident)
    assert (alive.triggered, alive.resolved) == (["why"], [incident.id])
    with pytest.raises(TransientVendorError):
        await EveryPager([DeadPager()]).trigger(incident, "why")
