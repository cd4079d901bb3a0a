"""What came at this time a day ago, by cohort."""

import numpy as np

from detectors.arrivals import Arrivals
from detectors.configuration import DAY_MS, HOUR_MS

START = 20_000 * DAY_MS


def odd(leaf: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    return leaf % 2 == 1


def filled() -> Arrivals:
    arrivals = Arrivals(np.array([True, False]))
    for hour in range(3):
        for minute in range(60):
            at = START + hour * HOUR_MS + minute * 60_000
            arrivals.note(np.array([0, 0, 1]), np.array([1, 2, 1]), at)
    arrivals.note(np.array([0]), np.array([2]), START + 3 * HOUR_MS)
    return arrivals


def test_counts_are_of_the_same_span_a_day_before() -> None:
    since = START + DAY_MS + HOUR_MS // 2
    assert filled().a_day_before(0, odd, since, since + HOUR_MS) == 60.0
    assert filled().a_day_before(0, odd, since, since + HOUR_MS // 4) == 15.0


def test_where_nothing_was_recorded_nothing_is_claimed() -> None:
    since = START + 5 * DAY_MS
    assert filled().a_day_before(0, odd, since, since + HOUR_MS) is None
    assert filled().a_day_before(1, odd, START + DAY_MS, START + DAY_MS + HOUR_MS) is None


def test_what_is_older_than_a_day_and_a_bit_is_forgotten() -> None:
    arrivals = filled()
    arrivals.note(np.array([0]), np.array([1]), START + 2 * DAY_MS)
    arrivals.note(np.array([0]), np.array([1]), START + 2 * DAY_MS + HOUR_MS)
    assert arrivals.a_day_before(0, odd, START + DAY_MS, START + DAY_MS + HOUR_MS) is None
