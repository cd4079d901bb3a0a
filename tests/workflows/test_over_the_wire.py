"""The whole response with the real clients: an incident, a yes, and a vendor that misbehaves.

What each client does by itself is in tests/integrations/test_vendor_failures.py; here the workflow
and its activities stand above it, with the real Temporal test server and every shipped playbook.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
from temporalio.testing import WorkflowEnvironment

from integrations.http import VendorHttp
from playbooks.loader import load_library
from playbooks.registry import shipped_actions
from recoup.demo.standins.misbehaving import Fault
from recoup.domain.facts import (
    ActionApplied,
    ActionConfirmed,
    ActionFailed,
    ActionStarted,
    ActionUndone,
    Resolution,
    VendorReviewAsked,
    VendorReviewEnded,
)
from recoup.domain.hypotheses import UNKNOWN_CAUSE
from recoup.domain.proposals import Verdict
from recoup.domain.verification import RecoveryVerdict
from tests.integrations.subjects import SUBJECTS, FastTime, Subject
from tests.workflows.ports import World

UNDO: dict[str, dict[str, Any]] = {
    "launchdarkly_on": {"action": "flag_rollback", "flag": "new_payment"},
    "launchdarkly_serving": {
        "action": "payment_provider_switch",
        "flag": "new_payment",
        "to": "provider_a",
    },
    "meta": {"action": "campaign_pause", "campaign_id": "120", "platform": "meta"},
    "google": {"action": "campaign_pause", "campaign_id": "120", "platform": "google"},
    "tiktok": {"action": "campaign_pause", "campaign_id": "120", "platform": "tiktok"},
    "github": {"action": "release_rollback", "platform": "github", "project": "acme/shop"},
    "gitlab": {"action": "release_rollback", "platform": "gitlab", "project": "acme/shop"},
    "argo": {"action": "release_rollback", "platform": "argo", "project": "shop/web"},
    "webhook": {"action": "cdn_config_revert"},
}
KIND = {"webhook": "config"}


@contextmanager
def against(name: str) -> Iterator[tuple[World, Subject]]:
    """A world whose only incident blames a change that this vendor can take back."""
    time = FastTime()
    timeout = httpx.Timeout(0.5, connect=2.0)
    http = VendorHttp(time, sleep=time.sleep, timeout=timeout)
    with ExitStack() as stack:
        subject = SUBJECTS[name](stack, time, http)
        world = World()
        place = subject.extra.get("port")
        if place:
            setattr(world, place[0], place[1])
        undo = dict(UNDO[name])
        if name == "webhook":
            undo["url"] = f"{subject.proxy.url}/hook"
        world.add_change("chg_wire", undo, kind=KIND.get(name, "flag"))
        world.analyst.rankings = [[("chg_wire", 0.9), (UNKNOWN_CAUSE, 0.1)]]
        yield world, subject


async def play(
    temporal: WorkflowEnvironment, world: World, respond: Any, **policy: Any
) -> Resolution:
    async with respond(temporal, world, **policy) as response:
        await response.say(Verdict.APPROVE, await response.asked())
        outcome = await response.end()
    resolution: Resolution = outcome.resolution
    return resolution


@pytest.mark.parametrize("name", sorted(UNDO))
async def test_a_lost_answer_of_any_vendor_ends_in_one_effect_and_a_proof(
    temporal: WorkflowEnvironment, respond: Any, name: str
) -> None:
    with against(name) as (world, subject):
        subject.proxy.faults = [Fault(path=subject.write_path, reached=True)]
        if name in ("meta", "google", "launchdarkly_on", "launchdarkly_serving"):
            # The rehearsal of the preview comes first; it is not the write that is to be lost.
            subject.proxy.faults = []
            subject.proxy.before = _spoil_second_write(subject)
        assert await play(temporal, world, respond) is Resolution.RECOVERED
        assert subject.done() or name == "webhook"
        assert _effects(subject) == 1
        assert len(world.log.facts(ActionStarted)) == len(world.log.facts(ActionApplied)) == 1
        [confirmed] = world.log.facts(ActionConfirmed)
        assert confirmed.holds


def _spoil_second_write(subject: Subject) -> Any:
    """Lose the answer of the real write, once the rehearsal before it has passed."""
    writes: list[str] = []

    def before(method: str, path: str) -> None:
        if method in ("POST", "PATCH") and subject.write_path in path:
            writes.append(path)
            if len(writes) == 1:
                lost = Fault(path=subject.write_path, reached=True)
                subject.proxy.faults.append(lost)

    return before


def _effects(subject: Subject) -> int:
    if subject.name in ("meta", "google"):
        return subject.effects() - 1  # One of its writes is the rehearsal.
    return subject.effects()


TROUBLES: dict[str, tuple[Fault, int, str]] = {
    "429": (Fault(status=429, headers={"Retry-After": "2"}), 1, ""),
    "503": (Fault(status=503), 1, ""),
    "reset": (Fault(), 1, ""),
    "long pause": (Fault(status=429, headers={"Retry-After": "60"}), 1, ""),
    "401": (Fault(status=401, body={"message": "token stand-in is revoked"}), 0, "unauthorized"),
    "200 with an error": (Fault(status=200, body={"code": 40002, "message": "no"}), 0, "refused"),
}


@pytest.mark.parametrize("trouble", sorted(TROUBLES))
async def test_each_trouble_ends_in_one_effect_or_is_handed_to_people(
    temporal: WorkflowEnvironment, respond: Any, trouble: str
) -> None:
    """TikTok, which has no rehearsal, so that the first write is the action."""
    fault, effects, kind = TROUBLES[trouble]
    with against("tiktok") as (world, subject):
        fault = Fault(
            status=fault.status, body=fault.body, headers=fault.headers, path=subject.write_path
        )
        subject.proxy.faults = [fault]
        async with respond(temporal, world, most_renewals=0) as response:
            proposal = await response.asked()
            subject.time.pace_s = 20 if trouble == "long pause" else 0
            await response.say(Verdict.APPROVE, proposal)
            outcome = await response.end()
        assert subject.effects() == effects
        failures = [each.kind for each in world.log.facts(ActionFailed)]
        if effects:
            assert outcome.resolution is Resolution.RECOVERED
            assert failures == []
        else:
            assert outcome.resolution is Resolution.ESCALATED
            assert failures == [kind]
            assert world.pager.triggered
            assert "stand-in" not in str(world.log.facts(ActionFailed))


async def test_launchdarklys_own_approval_is_asked_for_and_waited_for(
    temporal: WorkflowEnvironment, respond: Any
) -> None:
    with against("launchdarkly_on") as (world, subject):
        vendor = subject.extra["vendor"]
        vendor.reviews.required = True
        async with respond(temporal, world) as response:
            proposal = await response.asked()
            assert "once its vendor's own approval is given" in proposal.previews[0].summary
            await response.say(Verdict.APPROVE, proposal)
            await response.until(lambda: bool(world.log.facts(VendorReviewAsked)))
            assert not subject.done()
            vendor.reviews.review("approve")
            outcome = await response.end()
        assert outcome.resolution is Resolution.RECOVERED
        assert subject.done()
        assert subject.effects() == 1
        [asked] = world.log.facts(VendorReviewAsked)
        assert asked.url.endswith("/projects/shop/flags/new_payment/targeting?env=production")
        assert [each.status for each in world.log.facts(VendorReviewEnded)] == ["applied"]
        assert world.log.facts(ActionFailed) == []


@pytest.mark.parametrize("end", ["declined", "nobody"])
async def test_without_launchdarklys_approval_nothing_is_done_and_people_are_told(
    temporal: WorkflowEnvironment, respond: Any, end: str
) -> None:
    with against("launchdarkly_on") as (world, subject):
        vendor = subject.extra["vendor"]
        vendor.reviews.required = True
        async with respond(temporal, world, most_renewals=0) as response:
            await response.say(Verdict.APPROVE, await response.asked())
            await response.until(lambda: bool(world.log.facts(VendorReviewAsked)))
            if end == "declined":
                vendor.reviews.review("decline")
            outcome = await response.end()
        assert outcome.resolution is Resolution.ESCALATED
        assert not subject.done()
        [failed] = world.log.facts(ActionFailed)
        assert failed.kind == "needs_approval"
        expected = {"declined": "was declined", "nobody": "nobody gave"}[end]
        assert expected in failed.reason
        if end == "nobody":
            assert vendor.reviews.requests == {}
        status = {"declined": "declined", "nobody": "withdrawn"}[end]
        assert [each.status for each in world.log.facts(VendorReviewEnded)] == [status]


async def test_a_rollout_is_waited_for_and_its_failure_is_no_success(
    temporal: WorkflowEnvironment, respond: Any
) -> None:
    with against("github") as (world, subject):
        vendor = subject.extra["vendor"]
        vendor.settle = ""
        async with respond(temporal, world, most_renewals=0) as response:
            await response.say(Verdict.APPROVE, await response.asked())
            await response.until(lambda: bool(world.log.facts(ActionApplied)))
            assert world.log.facts(ActionConfirmed) == []
            vendor.deployments[0]["state"] = "failure"
            outcome = await response.end()
        assert outcome.resolution is Resolution.ESCALATED
        [failed] = world.log.facts(ActionFailed)
        assert failed.kind == "deploy_failed"
        assert subject.effects() == 1


async def test_an_undo_that_the_vendor_holds_back_is_said_and_not_forced(
    temporal: WorkflowEnvironment, respond: Any
) -> None:
    """LaunchDarkly began to want its own approval after the switch: taking it back needs people."""
    with against("launchdarkly_on") as (world, subject):
        vendor = subject.extra["vendor"]

        def not_recovered() -> RecoveryVerdict:
            vendor.reviews.required = True
            return RecoveryVerdict.NOT_RECOVERED

        world.analyst.verdicts = [not_recovered]
        assert await play(temporal, world, respond, most_attempts=1) is Resolution.ESCALATED
        [undone] = world.log.facts(ActionUndone)
        assert not undone.restored
        assert "wants its own approval" in undone.reason
        assert subject.effects() == 1


def test_every_action_is_played() -> None:
    """Each shipped action is called by a playbook, and that playbook is played over the wire."""
    called = {
        spec.action
        for playbook in load_library().values()
        if any(playbook.name == undo["action"] for undo in UNDO.values())
        for spec in playbook.actions
    }
    assert called == set(shipped_actions())
