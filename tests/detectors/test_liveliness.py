"""Rates that wobble make evidence worth less, the more so the more trials it is summed up from."""

import numpy as np
import pytest

from detectors.cohorts import EVERYONE_ID, Members
from detectors.sequential import Evidence
from detectors.trials import Matured, Told

EFFECTS = np.array([0.1, 0.5, 0.97])
CHANCE = 0.8
CHILD = 1
EVERYONE = Members(np.zeros(1, dtype=np.int32), np.zeros(1, dtype=np.int64), np.ones(1, np.int64))


def watched() -> Evidence:
    evidence = Evidence(1.0 - EFFECTS[None, :])
    evidence.set_limit((0, EVERYONE_ID), 11.0)
    return evidence


def live(evidence: Evidence, a_hour: int, wobble: float, hours: int = 600) -> None:
    """Let hours pass whose rates have this standard deviation of their logarithm."""
    draw = np.random.default_rng(5)
    for hour in range(hours):
        rate = min(CHANCE * np.exp(draw.normal(0.0, wobble)), 0.99)
        success = draw.random(a_hour) < rate
        zeros = np.zeros(a_hour, dtype=np.int64)
        matured = Matured(zeros, zeros, zeros, success, np.full(a_hour, CHANCE))
        evidence.calibrate(matured, EVERYONE)
        evidence.close_hour(hour, 1, settled=True)


def scores_of(evidence: Evidence, failures: int) -> np.ndarray:
    """Return the scores after so many trials that failed."""
    zeros, ones = np.zeros(failures, dtype=np.int64), np.ones(failures)
    told = Told(zeros, zeros, CHANCE * ones, 0 * ones, ones, np.zeros(failures, dtype=bool))
    evidence.reset(np.ones(1, dtype=bool), np.ones(1, dtype=bool))
    evidence.add(told, EVERYONE, 60_000)
    return np.asarray(evidence.score[0, EVERYONE_ID], dtype=float)


@pytest.fixture(scope="module")
def lively() -> Evidence:
    evidence = watched()
    live(evidence, a_hour=200, wobble=0.1)
    return evidence


def test_a_wobble_of_all_rates_is_learned(lively: Evidence) -> None:
    assert lively.dispersion[0, EVERYONE_ID] > 2.0
    calm = watched()
    live(calm, a_hour=200, wobble=0.0)
    assert calm.dispersion[0, EVERYONE_ID] < 1.3


def test_a_sharp_drop_is_held_to_less_of_it_than_a_slight_one(lively: Evidence) -> None:
    lively.bias[:] = 0.0
    kept = scores_of(lively, failures=4) / scores_of(watched(), failures=4)
    slight, half, sharp = kept.tolist()
    assert slight < half < sharp
    assert slight == pytest.approx(1.0 / lively.dispersion[0, EVERYONE_ID], rel=0.02)
    assert sharp > 0.75


def test_a_part_of_its_people_is_held_to_their_wobble_by_its_own_size(lively: Evidence) -> None:
    lively.inherit(np.array([CHILD]), np.array([EVERYONE_ID]))
    of_all = lively.dispersion[0, EVERYONE_ID]
    assert lively.dispersion[0, CHILD] == of_all
    few = Members(np.array([CHILD], dtype=np.int32), np.zeros(1, np.int64), np.ones(1, np.int64))
    zeros, success = np.zeros(20, dtype=np.int64), np.arange(20) < 20 * CHANCE
    for hour in range(2):
        lively.calibrate(Matured(zeros, zeros, zeros, success, np.full(20, CHANCE)), few)
        lively.close_hour(hour, 2, settled=True)
    assert lively.dispersion[0, CHILD] == pytest.approx(1 + (of_all - 1) / 10, rel=0.2)


def test_one_odd_hour_raises_the_wobble_by_a_bounded_step() -> None:
    evidence = watched()
    live(evidence, a_hour=200, wobble=0.02, hours=96)
    before = evidence.wobble[0, 0, 0] / evidence.wobble[0, 1, 0]
    zeros, failed = np.zeros(200, dtype=np.int64), np.zeros(200, dtype=bool)
    evidence.calibrate(Matured(zeros, zeros, zeros, failed, np.full(200, CHANCE)), EVERYONE)
    evidence.close_hour(97, 1, settled=True)
    assert evidence.wobble[0, 0, 0] / evidence.wobble[0, 1, 0] < before + 0.02 * 0.01


def test_it_takes_the_fewer_trials_the_larger_the_effect(lively: Evidence) -> None:
    slight, half, sharp = lively.needed[0].tolist()
    assert slight > 10 * half > 20 * sharp
    assert 4 < sharp < 12
