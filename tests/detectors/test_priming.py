"""A change lowers the threshold of whom it touches, for some hours, and of nobody else."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from detectors.cohorts import CohortIndex
from detectors.columns import Leaves
from detectors.priming import KEPT_MS, WATCHED_MS, Priming
from detectors.sequential import Evidence
from recoup.domain.base import to_ms
from recoup.domain.changes import Change, ChangeKind

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
USUAL = 18.0


@pytest.fixture
def shop() -> tuple[Evidence, CohortIndex]:
    leaves = Leaves(100)
    index = CohortIndex(3, 1000)
    texts = [
        leaves.read(b'{"country":"%s","os":"%s"}' % (country, system))
        for country in (b"DE", b"FR")
        for system in (b"iOS", b"Linux")
    ]
    index.ready(np.array([leaves.number(text) for text in texts]), leaves, 0)
    evidence = Evidence(np.array([[0.5], [0.5], [3.0]]))
    evidence.set_limit((slice(None), slice(len(index))), USUAL)
    return evidence, index


def change(scope: dict[str, str | list[str]], at: datetime = NOW) -> Change:
    return Change(id="c1", kind=ChangeKind.FLAG, time=at, scope=scope)


def limits(shop: tuple[Evidence, CohortIndex], values: dict[str, str]) -> list[float]:
    evidence, index = shop
    return [round(float(limit), 3) for limit in evidence.limit[:, index.find(values)]]


def test_steps_of_the_cohort_it_names_need_less(shop: tuple[Evidence, CohortIndex]) -> None:
    priming = Priming(2, 1.0)
    priming.note(change({"country": "DE", "os": "iOS"}))
    priming.apply(*shop, to_ms(NOW))
    lowered = limits(shop, {"country": "DE", "os": "iOS"})
    assert lowered[0] == lowered[1] < USUAL
    assert lowered[2] == USUAL
    assert limits(shop, {"country": "FR", "os": "iOS"}) == [USUAL] * 3


def test_children_share_what_is_left(shop: tuple[Evidence, CohortIndex]) -> None:
    priming = Priming(2, 1.0)
    priming.note(change({"country": ["DE", "FR"]}))
    priming.apply(*shop, to_ms(NOW))
    named, child = limits(shop, {"country": "FR"}), limits(shop, {"country": "FR", "os": "iOS"})
    assert named[0] < child[0] < USUAL


def test_a_cohort_without_a_baseline_stays_silent(shop: tuple[Evidence, CohortIndex]) -> None:
    shop[0].set_limit((slice(None), shop[1].find({"country": "DE"})), math.inf)
    priming = Priming(2, 1.0)
    priming.note(change({"country": "DE"}))
    priming.apply(*shop, to_ms(NOW))
    assert limits(shop, {"country": "DE"}) == [math.inf] * 3


@pytest.mark.parametrize("scope", [{}, {"country": "XX"}, {"a": "1", "b": "1", "c": "1", "d": "1"}])
def test_everyone_and_strangers_are_not_singled_out(
    shop: tuple[Evidence, CohortIndex], scope: dict[str, str | list[str]]
) -> None:
    priming = Priming(2, 1.0)
    priming.note(change(scope))
    priming.apply(*shop, to_ms(NOW))
    assert np.all(shop[0].limit[:, : len(shop[1])] == USUAL)


def test_it_waits_for_its_time_and_is_over_after_it(shop: tuple[Evidence, CohortIndex]) -> None:
    priming = Priming(2, 1.0)
    priming.note(change({"country": "DE"}, NOW + timedelta(hours=1)))
    priming.apply(*shop, to_ms(NOW))
    assert limits(shop, {"country": "DE"})[0] == USUAL
    priming.apply(*shop, to_ms(NOW + timedelta(hours=1)))
    assert limits(shop, {"country": "DE"})[0] < USUAL
    shop[0].set_limit(slice(None), USUAL)
    priming.apply(*shop, to_ms(NOW + timedelta(hours=1)) + WATCHED_MS)
    assert limits(shop, {"country": "DE"})[0] == USUAL


def test_a_shop_that_changes_all_the_time_pays_with_a_higher_threshold(
    shop: tuple[Evidence, CohortIndex],
) -> None:
    busy = Priming(2, 1.0)
    for minute in range(400):
        busy.note(change({"country": "FR"}, NOW - timedelta(hours=5, minutes=minute)))
    busy.apply(*shop, to_ms(NOW - timedelta(minutes=1)))
    busy.note(change({"country": "DE"}))
    busy.apply(*shop, to_ms(NOW))
    often = limits(shop, {"country": "DE"})[0]
    shop[0].set_limit(slice(None), USUAL)
    seldom = Priming(2, 1.0)
    seldom.note(change({"country": "DE"}))
    seldom.apply(*shop, to_ms(NOW))
    assert limits(shop, {"country": "DE"})[0] < often


def test_whom_changes_named_is_remembered_for_a_while(
    shop: tuple[Evidence, CohortIndex],
) -> None:
    priming, index = Priming(2, 1.0), shop[1]
    priming.note(change({"country": ["DE", "FR"]}))
    priming.note(change({}, NOW + timedelta(hours=1)))
    priming.note(change({"os": "iOS"}, NOW + timedelta(hours=2)))
    at, later = to_ms(NOW), to_ms(NOW + timedelta(hours=2))
    (first,) = priming.named(at, later - 1)
    assert first == (at, ({"country": "DE"}, {"country": "FR"}))
    assert [each.at_ms for each in priming.named(0, later)] == [at, later]
    priming.begin_hour(index, at + KEPT_MS)
    assert [each.at_ms for each in priming.named(0, later)] == [later]
