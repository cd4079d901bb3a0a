"""A business period moves the thresholds of whom it covers while it lasts, and of nobody else."""

import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from detectors.cohorts import CohortIndex
from detectors.columns import Leaves
from detectors.configuration import DetectionConfig
from detectors.seasons import Seasons
from detectors.sequential import Evidence
from recoup.domain.base import to_ms
from recoup.domain.errors import ConfigurationError
from recoup.domain.periods import Period, parse_when
from recoup.settings import load

METRICS = ("cart->order", "page->cart", "script_error")
BLACK_FRIDAY = to_ms(datetime(2026, 11, 27, 12, tzinfo=UTC))
WEEK_BEFORE = to_ms(datetime(2026, 11, 20, 12, tzinfo=UTC))
USUAL = 12.0


@pytest.fixture
def shop() -> tuple[Evidence, CohortIndex]:
    leaves = Leaves(100)
    index = CohortIndex(3, 1000)
    texts = [leaves.read(b'{"country":"%s","os":"iOS"}' % country) for country in (b"DE", b"FR")]
    index.ready(np.array([leaves.number(text) for text in texts]), leaves, 0)
    evidence = Evidence(np.array([[0.5], [0.5], [3.0]]))
    evidence.set_limit((slice(None), slice(len(index))), USUAL)
    return evidence, index


def limits(shop: tuple[Evidence, CohortIndex], **values: str) -> list[float]:
    evidence, index = shop
    return [float(limit) for limit in evidence.limit[:, index.find(values)]]


def test_it_covers_a_cohort_and_its_children_for_as_long_as_it_lasts(
    shop: tuple[Evidence, CohortIndex],
) -> None:
    sale = Period(when="2026-11-27..2026-11-30", metric="cart->*", cohort={"country": "DE"})
    seasons = Seasons((sale,), METRICS)
    seasons.apply(*shop, WEEK_BEFORE)
    assert limits(shop, country="DE") == [USUAL] * 3
    seasons.apply(*shop, BLACK_FRIDAY)
    raised = pytest.approx(USUAL + math.log(10))
    assert limits(shop, country="DE") == [raised, USUAL, USUAL]
    assert limits(shop, country="DE", os="iOS") == [raised, USUAL, USUAL]
    assert limits(shop, country="FR") == limits(shop, os="iOS") == [USUAL] * 3


def test_nothing_is_said_where_eagerness_is_zero_and_sooner_where_it_is_large(
    shop: tuple[Evidence, CohortIndex],
) -> None:
    never = Period(when="Fri 00:00-23:59", metric="script_error", eagerness=0)
    eager = Period(when="Fri 10:00-14:00", metric="page->*", eagerness=math.e)
    Seasons((never, eager), METRICS).apply(*shop, BLACK_FRIDAY)
    assert limits(shop, country="FR") == [USUAL, pytest.approx(USUAL - 1), math.inf]


def test_volumes_follow_the_periods_of_everyone() -> None:
    night = Period(when="Fri 11:00-13:00", metric="volume:*", eagerness=0.5)
    local = Period(when="Fri 11:00-13:00", cohort={"country": "DE"}, eagerness=0)
    seasons = Seasons((night, local), METRICS)
    assert seasons.extra_of("volume:page", BLACK_FRIDAY) == pytest.approx(math.log(2))
    assert seasons.extra_of("volume:page", WEEK_BEFORE + 3 * 3_600_000) == 0


def test_periods_are_settings_and_a_wrong_one_says_why(tmp_path: Path) -> None:
    good = tmp_path / "good.toml"
    good.write_text('[[detect.periods]]\nwhen = "2026-11-27..2026-11-30 Europe/Berlin"\n')
    [period] = DetectionConfig.from_settings(load(good).detect).periods
    assert period.eagerness == 0.1
    bad = tmp_path / "bad.toml"
    bad.write_text('[[detect.periods]]\nwhen = "next week"\n')
    with pytest.raises(ConfigurationError, match=r"periods.*next week"):
        load(bad)
    with pytest.raises(ValueError, match="ends before"):
        parse_when("2026-11-30..2026-11-27")
    with pytest.raises(ValueError, match="no time zone"):
        parse_when("2026-11-30 Mars/Olympus")
