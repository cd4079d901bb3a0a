"""What every client does when its vendor misbehaves, over the wire; docs/vendor-failures.md has it.

Each test is one case against every subject. A client added to ``subjects`` is tried by all.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from recoup.demo.standins.misbehaving import READS, Fault
from recoup.domain.errors import (
    StateMoved,
    TransientVendorError,
    VendorError,
    VendorNeedsApproval,
    VendorRefused,
)
from tests.integrations.subjects import SUBJECTS, Subject, started

REPEATABLE = ("pagerduty", "webhook")
"""What may be sent again as it is, because the receiver knows it by its key."""


@pytest.fixture(params=sorted(set(SUBJECTS) - {"github_unkeyed"}))
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    with started(request.param) as found:
        yield found


def fault(subject: Subject, **more: object) -> Fault:
    return Fault(path=subject.write_path, **more)  # type: ignore[arg-type]


async def test_nothing_is_wrong(subject: Subject) -> None:
    await subject.read()
    await subject.write(False)
    assert subject.done()
    assert subject.effects() == 1


async def test_429_with_retry_after(subject: Subject) -> None:
    subject.proxy.faults = [fault(subject, status=429, headers={"Retry-After": "7"})]
    await subject.write(False)
    assert subject.time.slept == [7]
    assert subject.done()
    assert subject.effects() == 1


async def test_429_with_a_date(subject: Subject) -> None:
    moment = datetime.fromtimestamp(subject.time.now().timestamp() + 9, UTC)
    wish = moment.strftime("%a, %d %b %Y %H:%M:%S GMT")
    subject.proxy.faults = [fault(subject, status=429, headers={"Retry-After": wish})]
    await subject.write(False)
    assert 7 < sum(subject.time.slept) <= 10
    assert subject.effects() == 1


async def test_429_with_a_long_pause(subject: Subject) -> None:
    subject.proxy.faults = [fault(subject, status=429, headers={"Retry-After": "600"})]
    with pytest.raises(TransientVendorError) as caught:
        await subject.write(False)
    assert caught.value.retry_after_s == pytest.approx(600, abs=0.5)
    assert subject.effects() == 0
    with pytest.raises(TransientVendorError, match="asked for a pause"):
        await subject.write(True)
    assert subject.time.slept == []
    await subject.time.sleep(600)
    await subject.write(True)
    assert subject.effects() == 1


async def test_429_with_a_reset_moment(subject: Subject) -> None:
    at = subject.time.now().timestamp() + 5
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(at * 1000))}
    subject.proxy.faults = [fault(subject, status=429, headers=headers)]
    await subject.write(False)
    assert sum(subject.time.slept) == pytest.approx(5, abs=0.5)
    assert subject.effects() == 1


async def test_budget_used_up(subject: Subject) -> None:
    """GitHub's way: 403, nothing remaining, and the moment in seconds."""
    at = int(subject.time.now().timestamp() + 6)
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(at)}
    subject.proxy.faults = [fault(subject, status=403, headers=headers)]
    await subject.write(False)
    assert 4 < sum(subject.time.slept) <= 6.5
    assert subject.effects() == 1


async def test_409_conflict(subject: Subject) -> None:
    subject.proxy.faults = [fault(subject, status=409, body={"message": "busy"})]
    with pytest.raises((StateMoved, VendorRefused)) as caught:
        await subject.write(False)
    assert isinstance(caught.value, StateMoved) or caught.value.kind == "conflict"
    assert subject.effects() == 0
    assert not subject.done()


async def test_409_because_somebody_was_faster(subject: Subject) -> None:
    if subject.interfere is None:
        pytest.skip("it has no state that somebody could change")
    await subject.read()
    await first_look(subject)
    subject.interfere()
    with pytest.raises(StateMoved):
        await subject.write(False)
    assert not subject.done()


@pytest.mark.parametrize("name", ["meta", "google", "tiktok"])
async def test_a_campaign_somebody_else_ended_is_not_resumed(name: str) -> None:
    with started(name) as subject:
        campaign = subject.extra["vendor"].campaigns["120"]
        campaign[subject.extra["status"]] = subject.extra["paused"]
        state = await subject.read()
        campaign[subject.extra["status"]] = "ARCHIVED"
        with pytest.raises(StateMoved):
            await subject.extra["control"].set_active(state, active=True, idempotency_key="k")
        assert subject.effects() == 0


async def test_what_nobody_can_see_is_not_sent_again() -> None:
    """A workflow whose runs do not show the key: started or not, nobody can tell."""
    with started("github_unkeyed") as subject:
        subject.extra["vendor"].run_names = False
        subject.proxy.faults = [fault(subject, reached=True)]
        with pytest.raises(VendorRefused) as caught:
            await subject.write(False)
        assert caught.value.kind == "unknown_outcome"
        subject.extra["vendor"].deployments.pop(0)
        with pytest.raises(VendorRefused, match="not started again"):
            await subject.write(True)
        assert subject.effects() == 1


async def first_look(subject: Subject) -> None:
    """Let the subject remember the state, by a write that does not get through."""
    subject.proxy.faults = [fault(subject, status=400, body={"message": "not now"})]
    with pytest.raises(VendorError):
        await subject.write(False)
    subject.proxy.faults = []


async def test_401_in_mid_incident(subject: Subject) -> None:
    body = {"message": f"token {subject.secret} was revoked"}
    subject.proxy.faults = [fault(subject, status=401, body=body)]
    if subject.renews:
        await subject.write(False)
        assert subject.extra["vendor"].tokens == 2
        subject.proxy.faults = [fault(subject, status=401, body=body) for _ in range(2)]
        subject.extra["vendor"].campaigns["120"]["status"] = "ENABLED"
    with pytest.raises(VendorRefused) as caught:
        await subject.write(False)
    assert caught.value.kind == "unauthorized"
    assert subject.secret not in str(caught.value)
    assert not subject.done()


async def test_reset_before_apply(subject: Subject) -> None:
    subject.proxy.faults = [fault(subject)]
    if subject.name in REPEATABLE:
        await subject.write(False)
    else:
        with pytest.raises(TransientVendorError):
            await subject.write(False)
        assert subject.effects() == 0
        await subject.write(True)
    assert subject.done()
    assert subject.effects() == 1


@pytest.mark.parametrize("way", ["reset", "502", "silence"])
async def test_answer_lost_after_apply(subject: Subject, way: str) -> None:
    spoilt = {
        "reset": fault(subject, reached=True),
        "502": fault(subject, reached=True, status=502, body={"message": "bad gateway"}),
        "silence": fault(subject, reached=True, silent_s=0.8),
    }[way]
    subject.proxy.faults = [spoilt]
    await subject.write(False)
    assert subject.done()
    assert subject.effects() == 1


async def test_the_process_dies_after_apply(subject: Subject) -> None:
    """The next attempt finds what the first one did, and does nothing again."""
    await subject.write(False)
    await subject.write(True)
    assert subject.done()
    assert subject.effects() == 1


async def test_5xx_without_effect(subject: Subject) -> None:
    subject.proxy.faults = [fault(subject, status=503, body={"message": "maintenance"})]
    if subject.name in REPEATABLE:
        await subject.write(False)
    else:
        with pytest.raises(TransientVendorError):
            await subject.write(False)
        await subject.write(True)
    assert subject.done()
    assert subject.effects() == 1


async def test_5xx_while_reading(subject: Subject) -> None:
    if subject.name in REPEATABLE:
        pytest.skip("nothing is read from it")
    methods = READS | ({"POST"} if subject.name == "google" else set())
    path = "googleAds:search" if subject.name == "google" else ""
    subject.proxy.faults = [
        Fault(status=500, methods=frozenset(methods), path=path) for _ in range(2)
    ]
    await subject.write(False)
    assert subject.done()
    assert subject.effects() == 1
    assert len(subject.time.slept) == 2


async def test_200_with_an_error_body(subject: Subject) -> None:
    subject.proxy.faults = [fault(subject, status=200, body=subject.error_200)]
    with pytest.raises(VendorError):
        await subject.write(False)
    assert not subject.done()


async def test_404_the_target_is_gone(subject: Subject) -> None:
    subject.proxy.faults = [fault(subject, status=404, body={"message": "gone"})]
    with pytest.raises(VendorRefused) as caught:
        await subject.write(False)
    assert caught.value.kind == "not_found"
    assert subject.effects() == 0


@pytest.mark.parametrize("name", ["launchdarkly_on", "launchdarkly_serving"])
async def test_405_approval_required(name: str) -> None:
    with started(name) as subject:
        client, vendor = subject.extra["client"], subject.extra["vendor"]
        vendor.reviews.required = True
        state = await subject.read()
        with pytest.raises(VendorNeedsApproval):
            await subject.write(False)
        change = {"on": False} if name == "launchdarkly_on" else {}
        change |= {} if change else {"serving": {"value": "provider_a"}}
        asked = await client.ask(state, **change, description="why", idempotency_key="act_1")
        again = await client.ask(state, **change, description="why", idempotency_key="act_1")
        assert asked == again
        assert len(vendor.reviews.requests) == 1
        assert (await client.look(state, asked.review_id)).status == "pending"
        assert not subject.done()
        vendor.reviews.review("approve")
        subject.proxy.faults = [Fault(path="/apply", reached=True)]
        assert (await client.look(state, asked.review_id)).status == "applied"
        assert (await client.look(state, asked.review_id)).status == "applied"
        assert subject.done()
        assert subject.effects() == 1


async def test_405_declined_or_withdrawn() -> None:
    with started("launchdarkly_on") as subject:
        client, vendor = subject.extra["client"], subject.extra["vendor"]
        state = await subject.read()
        asked = await client.ask(state, on=False, description="why", idempotency_key="act_1")
        vendor.reviews.review("decline")
        assert (await client.look(state, asked.review_id)).status == "declined"
        await client.withdraw(state, asked.review_id)
        await client.withdraw(state, asked.review_id)
        assert (await client.look(state, asked.review_id)).status == "withdrawn"
        assert subject.effects() == 0
