"""The test of the layers: quiet on usual shares, exact when one rises, and then it ends."""

import numpy as np

from detectors.cohorts import CohortIndex
from detectors.columns import Leaves
from detectors.configuration import HOUR_MS
from detectors.layering.oddness import LayerAlarm, Oddness, trials_of

STEP_MS = 5 * 60_000
SHARE = 0.05
VALUES = 8


def play(shares: list[float]) -> list[LayerAlarm]:
    """Return what is found when one of eight values has these shares of odd ones, an hour each."""
    leaves, index, rng = Leaves(500), CohortIndex(3, 1000), np.random.default_rng(4)
    texts = [leaves.read(f'{{"os":"v{n}"}}'.encode()) for n in range(VALUES)]
    leaf_of = np.array([leaves.number(text) for text in texts])
    test, found, now = Oddness(1, 43_200 / 5), [], 0
    for hour, share in enumerate(shares):
        for _ in range(HOUR_MS // STEP_MS):
            now += STEP_MS
            value = rng.integers(0, VALUES, 50)
            odd = rng.random(50) < np.where(value == 3, share, SHARE)
            leaf = leaf_of[value]
            index.ready(leaf, leaves, now)
            told = trials_of(0, leaf, odd, SHARE)
            found += test.take(told, index.members, index, index.covered, now)
        test.close_hour(index, now, settled=hour >= 12)
    return found


def test_usual_shares_alarm_nobody() -> None:
    assert play([SHARE] * 120) == []


def test_a_rise_is_found_where_it_is_and_ends() -> None:
    found = play([SHARE] * 60 + [0.3] * 4 + [SHARE] * 8)
    assert len(found) == 2
    alarm = found[0]
    assert found[1] is alarm
    assert alarm.cohort.root == {"os": "v3"}
    assert 60 * HOUR_MS < alarm.opened_ms <= 61 * HOUR_MS
    assert abs(alarm.onset_ms - 60 * HOUR_MS) <= HOUR_MS // 2
    assert alarm.observed > 3 * alarm.expected
    assert 64 * HOUR_MS < alarm.ended_ms <= 70 * HOUR_MS
