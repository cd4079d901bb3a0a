"""A Slack workspace and Recoup's Slack app, talking over real HTTP and real sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import Route

from integrations.slack.app import build_bolt, http_handler, socket_mode
from integrations.slack.client import SlackNotifier
from integrations.slack.house import House
from integrations.slack.people import SlackDirectory
from integrations.slack.settings import SlackSettings
from recoup.demo.standins.running import Running
from recoup.demo.standins.slack import SlackStandIn
from recoup.domain.facts import ApprovalRequested, CausesRanked, DecisionTaken, ProposalMade
from recoup.domain.proposals import (
    ActionCall,
    ActionPreview,
    ApprovalRule,
    Decision,
    DecisionAnswer,
    Proposal,
)
from tests.workflows.ports import INCIDENT, START, World, attribution
from workflows.approvals import Gate, open_gate, rule

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
PEOPLE = {"U_ANNA": ["responder", "approver"], "U_BEN": ["approver"], "U_VIEW": ["viewer"]}


def proposal(version: int = 1, **more: Any) -> Proposal:
    values: dict[str, Any] = {
        "proposal_id": f"{INCIDENT}:{version}",
        "version": version,
        "incident_id": INCIDENT,
        "playbook": "flag_rollback",
        "change_id": "chg_flag",
        "title": "Turn flag new_payment off again",
        "reason": "flag new_payment: 90% likely",
        "calls": (ActionCall(key="k", action="flag_rollback"),),
        "previews": (
            ActionPreview(
                key="k",
                action="flag_rollback",
                target="flag new_payment",
                summary="Turn new_payment off",
                touched="Everybody whom the flag serves",
            ),
        ),
        "approval": ApprovalRule(roles=("approver", "admin")),
        "alternatives": ("notify_only",),
        "state_hash": f"hash{version}",
        "nonce": f"nonce_{version}",
        "made_at": START,
        "expires_at": START + timedelta(minutes=30),
    }
    return Proposal(**(values | more))


class RuleDesk:
    """A desk that applies the workflow's own rules to one gate and writes what was decided."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.gate: Gate | None = None
        self.answers: dict[str, DecisionAnswer] = {}
        self.decisions: list[Decision] = []
        self.before: Callable[[], Awaitable[None]] | None = None

    def ask(self, made: Proposal) -> Proposal:
        self.world.append(
            INCIDENT,
            f"proposal:{made.version}",
            ProposalMade(incident_id=INCIDENT, proposal=made),
        )
        self.gate = open_gate(made, self.world.clock.now(), timedelta(minutes=30))
        return made

    async def decide(self, decision: Decision) -> DecisionAnswer:
        if self.before is not None:
            await self.before()
        if decision.decision_id in self.answers:
            return self.answers[decision.decision_id]
        ruling = rule(self.gate, decision, self.world.clock.now())
        self.gate = ruling.gate
        self.decisions.append(decision)
        self.answers[decision.decision_id] = ruling.answer
        taken = DecisionTaken(
            incident_id=INCIDENT,
            decision=decision,
            accepted=ruling.answer.accepted,
            answer=ruling.answer.text,
        )
        self.world.append(INCIDENT, f"decision:{decision.decision_id}", taken)
        return ruling.answer


@dataclass
class Workspace:
    """A channel with one incident's message in it, and people who can press its buttons."""

    slack: SlackStandIn
    settings: SlackSettings
    world: World
    notifier: SlackNotifier
    desk: RuleDesk
    house: House
    reference: dict[str, str] = field(default_factory=dict)

    @property
    def said(self) -> list[str]:
        """What people were told, only to them."""
        texts = [m["text"] for m in self.slack.messages if m.get("ephemeral")]
        return [text.replace("\u200b", "") for text in texts]

    @property
    def message(self) -> dict[str, Any]:
        found = self.slack.find(self.reference["ts"])
        assert found is not None
        return found

    async def show(self) -> None:
        """Post the incident's message, or draw it as it is now."""
        incident = self.world.log.incident()
        if self.reference:
            await self.notifier.update(incident, self.reference)
            return
        self.reference = await self.notifier.post(incident)
        asked = ApprovalRequested(
            incident_id=INCIDENT, proposal_id="", surface="slack", reference=self.reference
        )
        self.world.append(INCIDENT, "announced", asked)

    async def ask(self, version: int = 1, **more: Any) -> Proposal:
        made = self.desk.ask(proposal(version, **more))
        await self.show()
        return made

    async def told(self, text: str, within_s: float = 5) -> None:
        """Wait until somebody was told this."""
        end = asyncio.get_running_loop().time() + within_s
        while not any(text in said for said in self.said):
            assert asyncio.get_running_loop().time() < end, self.said
            await asyncio.sleep(0.01)


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    found = SlackStandIn(SECRET)
    with Running(found.app) as server:
        found.own_url = server.url
        yield found


def settings_for(slack: SlackStandIn, **more: Any) -> SlackSettings:
    values: dict[str, Any] = {
        "bot_token": SecretStr("xoxb-test"),
        "signing_secret": SecretStr(SECRET),
        "channel": "C1",
        "base_url": f"{slack.own_url}/api/",
        "people": PEOPLE,
        "gap_s": 0.0,
    }
    return SlackSettings(**(values | more))


@asynccontextmanager
async def workspace_of(slack: SlackStandIn, **more: Any) -> AsyncIterator[Workspace]:
    """Run Recoup's Slack app against the workspace."""
    draw = more.pop("draw", None)
    foresee = more.pop("foresee", lambda _incident_id: "")
    settings, world = settings_for(slack, **more), World()
    ranked = attribution([("chg_flag", 0.9)], START)
    world.append(
        INCIDENT, "causes", CausesRanked(incident_id=INCIDENT, version=1, attribution=ranked)
    )
    notifier, desk = SlackNotifier(settings, "https://recoup.example", draw), RuleDesk(world)
    house = House(
        desk=desk,
        directory=SlackDirectory(settings, {}),
        clock=world.clock,
        incidents=world.incidents,
        changes=world.changes,
        log=world.log,
        notifier=notifier,
        public_url="https://recoup.example",
        foresee=foresee,
    )
    bolt = build_bolt(settings, house)
    app = Starlette(routes=[Route("/slack/events", http_handler(bolt), methods=["POST"])])
    found = Workspace(slack, settings, world, notifier, desk, house)
    with Running(app) as recoup:
        slack.recoup_url = recoup.url
        if settings.app_token is None:
            yield found
            return
        async with socket_mode(settings, bolt):
            end = asyncio.get_running_loop().time() + 5
            while slack.link.socket is None:
                assert asyncio.get_running_loop().time() < end
                await asyncio.sleep(0.01)
            yield found


@pytest.fixture
def workspace() -> Any:
    return workspace_of


@pytest.fixture
def at() -> datetime:
    return START
