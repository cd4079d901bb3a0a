"""An outage must not excuse itself: what may be harm teaches nobody what is usual."""

import numpy as np
import pytest

from detectors.sequential import Evidence

ILL, WELL = 1, 2
EXPECTED, SEEN = 60.0, 25.0


def close_hours(evidence: Evidence, hours: int) -> None:
    """Let both cohorts have bad hours."""
    for hour in range(1, hours + 1):
        evidence.window[0, :, 0, [ILL, WELL]] = SEEN, EXPECTED, EXPECTED / 4
        evidence.close_hour(hour, 3, settled=True)


@pytest.fixture
def evidence() -> Evidence:
    evidence = Evidence(np.array([[0.7, 0.3]]))
    evidence.score[0, ILL] = 12.0
    return evidence


def test_a_slow_outage_is_neither_bias_nor_liveliness(evidence: Evidence) -> None:
    close_hours(evidence, 3)
    assert evidence.bias[0, WELL] < -0.1
    assert evidence.dispersion[0, WELL] > 1.1
    assert evidence.bias[0, ILL] == 0.0
    assert evidence.dispersion[0, ILL] < evidence.dispersion[0, WELL]


def test_what_came_to_nothing_is_believed_after_all(evidence: Evidence) -> None:
    close_hours(evidence, 3)
    evidence.score[0, ILL] = 0.0
    close_hours(evidence, 1)
    assert evidence.bias[0, ILL] == pytest.approx(evidence.bias[0, WELL], rel=0.1)


def test_what_an_incident_explains_is_never_believed(evidence: Evidence) -> None:
    close_hours(evidence, 3)
    mine = np.zeros(3, dtype=bool)
    mine[ILL] = True
    evidence.reset(np.ones(1, dtype=bool), mine)
    assert evidence.score[0, ILL].max() == 0.0
    evidence.close_hour(4, 3, settled=True)
    assert evidence.bias[0, ILL] == 0.0
    assert evidence.bias[0, WELL] < -0.1


def test_what_waits_for_a_day_is_how_the_shop_is_now(evidence: Evidence) -> None:
    for hours, off in ((20, False), (6, True)):
        for _ in range(hours):
            evidence.score[0, ILL] = 12.0
            close_hours(evidence, 1)
        assert (evidence.bias[0, ILL] < -0.1) == off
