"""The generated periods keep the contract, repeat by seed, and hold what the truth says."""

import gzip
import json
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from recoup.demo.world.bound import BAR, minutes_of_silence, minutes_to_notice
from recoup.demo.world.generating import CHANGES, EVENTS, QUIET, generate, read_period
from recoup.demo.world.kinds import KINDS
from recoup.demo.world.shop import open_shop
from recoup.demo.world.truth import Period
from recoup.demo.world.visits import arrive, chances
from recoup.domain.changes import Change
from recoup.domain.cohort import Cohort
from recoup.domain.storefront import USUAL_DIMENSIONS, StorefrontEvent

DAYS, SESSIONS = 2.5, 3600.0


@pytest.fixture(scope="module")
def periods(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Period]]:
    root = tmp_path_factory.mktemp("world")
    return {
        name: (root / name, generate(11, name, root / name, DAYS, SESSIONS))
        for name in (*KINDS, QUIET)
    }


@cache
def events_of(folder: Path) -> list[StorefrontEvent]:
    with gzip.open(folder / EVENTS) as lines:
        return [StorefrontEvent.model_validate_json(line) for line in lines]


def ordering(folder: Path) -> set[str]:
    with gzip.open(folder / EVENTS) as lines:
        orders = [json.loads(line) for line in lines if b'"order_completed"' in line]
    return {order["session"] for order in orders}


def test_every_line_keeps_the_contract(periods: dict[str, tuple[Path, Period]]) -> None:
    folder, period = periods["fraud_rule"]
    events = events_of(folder)
    assert len(events) == period.events
    assert len({event.id for event in events}) == len(events)
    assert all(set(event.dims) == set(USUAL_DIMENSIONS) for event in events)
    orders = [event for event in events if event.type == "order_completed"]
    assert {type(order.props["value"]) for order in orders} == {float}
    assert len({order.props["currency"] for order in orders}) == 1


def test_lines_come_nearly_in_order(periods: dict[str, tuple[Path, Period]]) -> None:
    times = np.array([event.time.timestamp() for event in events_of(periods[QUIET][0])])
    behind = np.maximum.accumulate(times) - times
    assert 0 < behind.max() < 60
    assert np.quantile(behind, 0.99) < 5


@pytest.mark.parametrize("name", [*KINDS, QUIET])
def test_every_kind_has_changes_and_a_truth(
    name: str, periods: dict[str, tuple[Path, Period]]
) -> None:
    folder, period = periods[name]
    assert read_period(folder) == period
    lines = (folder / CHANGES).read_text().splitlines()
    changes = {change.id: change for change in map(Change.model_validate_json, lines)}
    assert len(changes) == len(lines)
    times = [change.time for change in changes.values()]
    assert times == sorted(times)
    for truth in period.truths:
        assert truth.onset < truth.end
        near = [time for time in times if abs((time - truth.onset).total_seconds()) < 6 * 3600]
        assert len(near) >= 6
        if truth.change_id:
            cause = changes[truth.change_id]
            assert -1 < (truth.onset - cause.time).total_seconds() <= 600
            assert Cohort(truth.cohort).overlaps_scope(cause.scope)
        if truth.kind == "business":
            expected = sum(truth.loss_curve)
            assert expected > 0
            assert abs(truth.lost_revenue - expected) < 0.4 * expected + 500
    assert len(period.truths) == {QUIET: 0, "two_at_once": 2}.get(name, 1)


def test_the_same_seed_gives_the_same_bytes(
    periods: dict[str, tuple[Path, Period]], tmp_path: Path
) -> None:
    folder, _ = periods["two_at_once"]
    generate(11, "two_at_once", tmp_path, DAYS, SESSIONS)
    for path in sorted(folder.iterdir()):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name
    other = generate(12, "two_at_once", tmp_path, DAYS, SESSIONS)
    assert other.truths[0].cohort != read_period(folder).truths[0].cohort


def test_a_fault_changes_nothing_before_its_onset(
    periods: dict[str, tuple[Path, Period]],
) -> None:
    folder, period = periods["orders_stop"]
    onset = period.truths[0].onset
    hurt, quiet = (
        [event for event in events_of(path) if event.time < onset and event.type != "api_timed"]
        for path in (folder, periods[QUIET][0])
    )
    key = [Counter((e.session, e.type, e.time) for e in events) for events in (hurt, quiet)]
    assert key[0] == key[1]


def test_nothing_arrives_in_a_total_outage(periods: dict[str, tuple[Path, Period]]) -> None:
    folder, period = periods["total_outage"]
    truth = period.truths[0]
    assert not [e for e in events_of(folder) if truth.onset <= e.time < truth.end]
    assert truth.bound_minutes is None or truth.bound_minutes > 0


def test_lost_beacons_lose_no_orders(periods: dict[str, tuple[Path, Period]]) -> None:
    folder, period = periods["tracking_loss"]
    truth = period.truths[0]
    lost = truth.metric_hint.removeprefix("volume:")

    def during(path: Path) -> Counter[str]:
        return Counter(
            event.type
            for event in events_of(path)
            if truth.onset <= event.time < truth.end and Cohort(truth.cohort).covers(event.dims)
        )

    hurt, quiet = during(folder), during(periods[QUIET][0])
    assert hurt[lost] < quiet[lost]
    assert {**hurt, lost: 0} == {**quiet, lost: 0}
    assert truth.lost_orders == 0


def test_lost_orders_are_those_a_quiet_period_has(
    periods: dict[str, tuple[Path, Period]],
) -> None:
    """Both worlds share their luck, so the difference is exactly what the fault took."""
    for name in ("provider_outage", "fraud_rule", "slow_leak", "inventory_wrong", "two_at_once"):
        folder, period = periods[name]
        hurt, quiet = (ordering(path) for path in (folder, periods[QUIET][0]))
        lost = sum(truth.lost_orders for truth in period.truths)
        assert abs(len(quiet - hurt) - lost) <= max(2, 0.1 * lost), name


def test_chances_are_what_they_say() -> None:
    shop = open_shop(5, 8, 4000)
    visits = arrive(shop)
    assert 0.6 < len(visits) / (8 * 4000) < 1.7
    expected = chances(shop, visits)
    assert expected.shape == (5, len(visits))
    assert 0.02 < expected[:3].prod(axis=0).mean() < 0.3


def test_the_bound_is_the_time_to_reach_the_bar() -> None:
    """Without lag, a total break of an even chance tells log 2 a trial; a lag makes it later."""
    ages = np.arange(1, 200) * 60_000
    half = np.full(len(ages), 0.5)
    at_once = minutes_to_notice(ages, half, np.ones(len(ages)), (1e-3, 0.1))
    trials = BAR / np.log(2)
    assert at_once == pytest.approx(np.ceil(trials), abs=0.1)
    slow = minutes_to_notice(ages, half, np.ones(len(ages)), (600, 0.5))
    assert slow is not None
    assert slow > at_once + 5
    assert minutes_to_notice(ages[:10], half[:10], np.ones(10), (1e-3, 0.1)) is None
    assert minutes_of_silence(ages) == pytest.approx(np.ceil(BAR))


def test_metadata_is_plain_json(periods: dict[str, tuple[Path, Period]]) -> None:
    folder, period = periods["bots"]
    world = json.loads((folder / "world.json").read_text())
    assert world["events"] == period.events
    assert json.loads((folder / "truth.json").read_text())[0]["kind"] == "traffic"
