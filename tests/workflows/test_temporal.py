"""Reaching Temporal: encrypted payloads, answers of the desk, search attributes, the dev server."""

import asyncio
import base64
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from recoup.domain.errors import ConfigurationError, StorageUnavailable, VendorRefused
from recoup.domain.facts import ActionFailed, Resolution
from recoup.domain.proposals import Decision, Verdict
from recoup.settings import Settings, TemporalSettings
from recoup.temporal import (
    EncryptionCodec,
    TemporalDesk,
    connect,
    data_converter,
    dev_server_command,
    register_search_attributes,
    start_dev_server,
)
from tests.workflows.conftest import ANNA
from tests.workflows.ports import START, World

KEY = bytes(range(32))
SECRET = TemporalSettings(payload_key=SecretStr(base64.b64encode(KEY).decode()))


def decision(incident_id: str) -> Decision:
    return Decision(
        decision_id="d1",
        incident_id=incident_id,
        verdict=Verdict.ACKNOWLEDGE,
        by=ANNA,
        at=START,
        surface="test",
    )


async def test_payloads_are_sealed_and_come_back() -> None:
    payload = Payload(metadata={"encoding": b"json/plain"}, data=b'"new_payment"')
    codec = EncryptionCodec(KEY)
    (sealed,) = await codec.encode([payload])
    assert b"new_payment" not in sealed.SerializeToString()
    assert (await codec.decode([sealed, payload])) == [payload, payload]
    (again,) = await codec.encode([payload])
    assert again.data != sealed.data


async def test_another_key_opens_nothing() -> None:
    (sealed,) = await EncryptionCodec(KEY).encode([Payload(data=b"x")])
    with pytest.raises(InvalidTag):
        await EncryptionCodec(bytes(32)).decode([sealed])


@pytest.mark.parametrize("key", ["not base64!", base64.b64encode(b"short").decode()])
def test_a_wrong_key_is_a_wrong_setting(key: str) -> None:
    with pytest.raises(ConfigurationError, match="payload_key"):
        data_converter(TemporalSettings(payload_key=SecretStr(key)))


async def test_a_whole_incident_leaves_nothing_readable_in_the_history(respond: Any) -> None:
    binary = Path(sysconfig.get_path("scripts")) / "temporal-test-server"
    world = World()
    async with (
        await WorkflowEnvironment.start_time_skipping(
            data_converter=data_converter(SECRET), test_server_existing_path=str(binary)
        ) as environment,
        respond(environment, world) as response,
    ):
        await response.say(Verdict.APPROVE, await response.asked())
        outcome = await response.end()
        history = await response.handle.fetch_history()
    assert outcome.resolution is Resolution.RECOVERED
    text = "".join(str(event) for event in history.events)
    assert "iOS 16" not in text
    assert "new_payment" not in text
    assert "binary/encrypted" in text


async def test_failures_are_as_unreadable_and_still_understood(respond: Any) -> None:
    """A refused write travels as a failure; its text names the flag, and people must see it."""
    binary = Path(sysconfig.get_path("scripts")) / "temporal-test-server"
    world = World()
    world.flags.faults = [VendorRefused("new_payment belongs to Bob", kind="forbidden")]
    async with (
        await WorkflowEnvironment.start_time_skipping(
            data_converter=data_converter(SECRET), test_server_existing_path=str(binary)
        ) as environment,
        respond(environment, world) as response,
    ):
        await response.say(Verdict.APPROVE, await response.asked())
        await response.until(lambda: bool(world.log.facts(ActionFailed)))
        (failed,) = world.log.facts(ActionFailed)
        history = await response.handle.fetch_history()
    assert failed.kind == "forbidden"
    assert "belongs to Bob" in failed.reason
    raw = b"".join(event.SerializeToString() for event in history.events)
    assert b"forbidden" in raw, "the kind of a failure is no secret, and shows that it is there"
    for secret in (b"belongs to Bob", b"new_payment", b"iOS 16"):
        assert secret not in raw


async def test_the_desk_says_that_an_unknown_incident_is_unknown(
    temporal: WorkflowEnvironment,
) -> None:
    answer = await TemporalDesk(temporal.client).decide(decision("inc_unheard_of"))
    assert not answer.accepted
    assert "closed, or unknown" in answer.text


async def test_the_desk_says_when_nobody_answers(
    temporal: WorkflowEnvironment, world: World, respond: Any
) -> None:
    async with respond(temporal, world) as response:
        await response.asked()
    answer = await TemporalDesk(temporal.client, answer_within_s=1).decide(
        decision(response.handle.id)
    )
    assert not answer.accepted
    assert "pressing twice does no harm" in answer.text


async def test_a_server_that_is_not_there_is_named() -> None:
    settings = Settings(temporal=TemporalSettings(address="127.0.0.1:9"))
    with pytest.raises(StorageUnavailable, match="127.0.0.1:9"):
        await connect(settings, within_s=0.5)


async def test_the_dev_server_keeps_its_data_and_knows_the_search_attributes(
    tmp_path: Path, world: World, respond: Any
) -> None:
    address, server = start_dev_server(tmp_path)
    try:
        client: Client = await connect(Settings(temporal=TemporalSettings(address=address)))
        assert await register_search_attributes(client)
        environment = WorkflowEnvironment.from_client(client)
        async with respond(environment, world, tagged=True) as response:
            await response.asked()
            found = await _listed(client, "RecoupPhase = 'awaiting_approval'")
            assert found == [response.handle.id]
            await response.say(Verdict.FALSE_POSITIVE)
            await response.end()
        assert (tmp_path / "temporal.db").exists()
    finally:
        server.terminate()
        server.wait()


async def _listed(client: Client, query: str, tries: int = 100) -> list[str]:
    found = [each.id async for each in client.list_workflows(query)]
    if found or not tries:
        return found
    await asyncio.sleep(0.05)
    return await _listed(client, query, tries - 1)


def test_the_command_of_the_dev_server_listens_on_loopback_only(tmp_path: Path) -> None:
    command = dev_server_command(Settings(data_dir=tmp_path), 7777)
    assert command[command.index("--ip") + 1] == "127.0.0.1"
    assert command[command.index("--port") + 1] == "7777"
