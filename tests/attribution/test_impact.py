"""Money: measured at the step that is hit, in the shop's currency, with honest intervals."""

from typing import Any

import numpy as np
import pytest

from detectors.attribution.impact import estimate, orders_lost

Make = Any
DE = {"country": "DE"}
CHECKOUTS_AN_HOUR = 12.0 * 0.125 * 8 * 60 / 4
WORTH = CHECKOUTS_AN_HOUR * 0.8 * 0.6 * 0.9 * 50.0
"""What a drop of 60 % of the attempts in Germany costs per hour in the made-up shop."""


def test_a_break_before_the_payment_is_told_in_orders(make_evidence: Make) -> None:
    evidence = make_evidence(DE)
    found = estimate(evidence, evidence.cohort, evidence.until_ms)
    assert found.at_risk_per_hour.currency == "GBP"
    assert found.at_risk_per_hour.mid == pytest.approx(WORTH, rel=0.25)
    assert found.lost_so_far.mid == pytest.approx(WORTH / 2, rel=0.25)
    assert found.orders_lost.mid == pytest.approx(found.lost_so_far.mid / 50.0)


def test_intervals_cover_what_they_promise(make_evidence: Make) -> None:
    inside, errors = [], []
    for seed in range(40):
        evidence = make_evidence(DE, seed=seed, per_minute=6.0)
        found = estimate(evidence, evidence.cohort, evidence.until_ms).at_risk_per_hour
        inside.append(found.low <= WORTH / 2 <= found.high)
        errors.append(abs(found.mid / (WORTH / 2) - 1))
    assert np.mean(inside) >= 0.85
    assert np.median(errors) < 0.15


def test_nothing_is_lost_where_nothing_is_hit(make_evidence: Make) -> None:
    evidence = make_evidence(DE, drop=0.0)
    found = estimate(evidence, evidence.cohort, evidence.until_ms).at_risk_per_hour
    assert found.mid < 0.2 * WORTH


def test_lost_orders_of_a_time_carry_their_spread(make_evidence: Make) -> None:
    evidence = make_evidence(DE)
    lost, spread, trials = orders_lost(
        evidence, evidence.cohort, evidence.onset_ms, evidence.until_ms
    )
    assert lost == pytest.approx(WORTH / 2 / 50.0, rel=0.25)
    assert 0 < spread < lost
    assert trials > 80
