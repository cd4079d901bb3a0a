"""A running api role with every vendor's secret set, and a clock that stands where a test wants."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from integrations.inbound import Delivery, Received, Webhook, webhooks
from recoup.app import App, build
from recoup.domain.clock import FixedClock
from recoup.domain.proposals import Decision, DecisionAnswer
from recoup.settings import PREFIX, load
from recoup.web.app import build_web

SAMPLES = Path(__file__).parents[1] / "samples"
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
NOW = datetime(2026, 11, 25, tzinfo=UTC)


class NoDesk:
    """A desk for a server without incidents."""

    async def decide(self, decision: Decision) -> DecisionAnswer:
        return DecisionAnswer(accepted=False, text=f"no incident {decision.incident_id}")


@dataclass(frozen=True)
class Sample:
    """A recorded payload of a vendor."""

    webhook: Webhook
    name: str
    body: bytes
    headers: dict[str, str]

    @property
    def tells(self) -> bool:
        """Whether the delivery is to tell anything."""
        return not self.name.startswith("ignored-")


@dataclass
class Rig:
    """The api role with every secret set."""

    client: TestClient
    app: App
    clock: FixedClock

    def section(self, webhook: Webhook) -> Any:
        return self.app.settings.section(webhook.section)

    def signed(self, sample: Sample, body: bytes | None = None) -> dict[str, str]:
        """Return the headers of a delivery as the vendor would send it now."""
        signs = sample.webhook.sign(self.section(sample.webhook), body or sample.body, self.now)
        return {**sample.headers, **signs}

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def go_to(self, sample: Sample) -> None:
        """Set the clock to the moment the sample tells of."""
        told = self.read(sample)
        times = [change.time for change in told.changes]
        times += [datetime.fromisoformat(event["time"]) for event in told.events]
        self.clock.moment = max(times, default=NOW)

    def samples(self, webhook: Webhook) -> list[Sample]:
        return samples_of(webhook)

    def read(self, sample: Sample, body: bytes | None = None) -> Received:
        headers = self.signed(sample, body)
        delivery = Delivery(headers, body or sample.body, self.now)
        return sample.webhook.read(self.section(sample.webhook), delivery)

    def post(self, sample: Sample, headers: dict[str, str], body: bytes | None = None) -> Any:
        content = sample.body if body is None else body
        return self.client.post(f"/hooks/{sample.webhook.name}", content=content, headers=headers)


def samples_of(webhook: Webhook) -> list[Sample]:
    """Return the recorded payloads of a vendor."""
    folder = SAMPLES / webhook.section.section_name
    listed = folder / "headers.json"
    headers = json.loads(listed.read_text()) if listed.exists() else {}
    return [
        Sample(webhook, path.stem, path.read_bytes(), headers.get(path.stem, headers.get("*", {})))
        for path in sorted(folder.glob("*.json"))
        if path != listed
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test for each webhook or each recorded payload that it asks for."""
    if "webhook" in metafunc.fixturenames:
        found = list(webhooks().values())
        metafunc.parametrize("webhook", found, ids=lambda item: item.name)
    if "sample" in metafunc.fixturenames:
        recorded = [one for webhook in webhooks().values() for one in samples_of(webhook)]
        metafunc.parametrize("sample", recorded, ids=lambda s: f"{s.webhook.name}-{s.name}")


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with pytest.MonkeyPatch.context() as patch:
        for webhook in webhooks().values():
            for name, info in webhook.section.model_fields.items():
                if SecretStr in getattr(info.annotation, "__args__", ()):
                    variable = f"{PREFIX}{webhook.section.section_name}_{name}".upper()
                    patch.setenv(variable, SECRET)
        clock = FixedClock(NOW)
        app = build(load(data_dir=tmp_path_factory.mktemp("rig")), clock=clock)
        web = build_web(app, NoDesk())
        with TestClient(web, raise_server_exceptions=False) as client:
            yield Rig(client, app, clock)
        app.store.close()
