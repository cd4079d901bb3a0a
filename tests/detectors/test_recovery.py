"""'Recovered' is hardly ever wrong, is found when true, and is never said for lack of data."""

from dataclasses import replace

import numpy as np
import pytest

from detectors.evidence import IncidentEvidence
from detectors.recovery import check_recovery
from recoup.domain.cohort import Cohort
from recoup.domain.verification import RecoveryCheck, RecoveryVerdict
from tests.benchmarks.recoveries import METRIC, SICK, TICK_MS, simulate

RUNS = 50
ACTED = 60


def shop(
    ratio_before: float,
    ratio_after: float,
    *,
    rate: float = 20.0,
    others: float = 1.0,
    p: float = 0.5,
    minutes: int = 120,
    **more: object,
) -> IncidentEvidence:
    """Return a shop without noise: ill from minute 30 on, acted upon at minute 60."""
    ticks = ACTED + minutes
    trials = np.full((ticks, 2), rate)
    trials[:, 1] = 50.0
    observed = trials * p
    observed[30:ACTED, 0] *= ratio_before
    observed[ACTED:, 0] *= ratio_after
    observed[ACTED:, 1] *= others
    expected = trials * p
    made = IncidentEvidence(
        incident_id="inc_1",
        metric_name=METRIC,
        direction="drop",
        cohort=Cohort({"os": "iOS 16"}),
        onset_ms=30 * TICK_MS,
        opened_ms=40 * TICK_MS,
        until_ms=ticks * TICK_MS,
        tick_size_ms=TICK_MS,
        currency="EUR",
        dimensions=("os",),
        values=(("", "iOS 16", "other"),),
        leaves=np.array([[1], [2]]),
        metrics=(METRIC,),
        tick_ms=np.repeat(np.arange(ticks) * TICK_MS, 2),
        leaf=np.tile(np.array([0, 1]), ticks),
        metric=np.zeros(2 * ticks, dtype=np.int64),
        trials=trials.ravel(),
        observed=observed.ravel(),
        expected=expected.ravel(),
        variance=(expected * (1 - p)).ravel(),
        order_value=np.full(2, 100.0),
        order_rate=np.ones(2),
    )
    return replace(made, **more)  # type: ignore[arg-type]  # a test gives what it wants to


def look(evidence: IncidentEvidence, within_s: int = 7200) -> RecoveryCheck:
    return check_recovery(evidence, ACTED * TICK_MS, margin=0.03, within_s=within_s)


@pytest.mark.parametrize("truth", SICK)
def test_recovered_is_wrong_in_at_most_one_of_fifty(truth: str) -> None:
    assert float(str(simulate(truth, RUNS, seed=7)["recovered"])) <= 0.02


def test_a_true_recovery_is_found_mostly_and_soon() -> None:
    found = simulate("healthy", RUNS, seed=7)
    assert float(str(found["recovered"])) >= 0.6
    assert float(str(found["not_recovered"])) <= 0.02
    assert float(str(found["median_minutes_to_recovered"])) <= 45


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (0.6, 1.0, RecoveryVerdict.RECOVERED),
        (0.6, 0.6, RecoveryVerdict.NOT_RECOVERED),
        (0.6, 0.3, RecoveryVerdict.NOT_RECOVERED),
        (0.6, 0.8, RecoveryVerdict.INCONCLUSIVE),
    ],
)
def test_what_is_left_of_the_harm_decides(
    before: float, after: float, verdict: RecoveryVerdict
) -> None:
    assert look(shop(before, after)).verdict is verdict


def test_a_lift_of_the_whole_shop_is_no_recovery() -> None:
    lifted = look(shop(0.75, 0.75 * 1.3, others=1.3))
    assert lifted.verdict is RecoveryVerdict.NOT_RECOVERED
    assert lifted.complement_gap == pytest.approx(0.3, abs=0.02)
    assert look(shop(0.75, 0.98)).verdict is RecoveryVerdict.RECOVERED


def test_a_slump_of_the_whole_shop_is_no_failure() -> None:
    assert look(shop(0.6, 0.8, others=0.8)).verdict is RecoveryVerdict.RECOVERED


def test_no_data_is_never_a_success() -> None:
    empty = shop(0.6, 1.0, rate=0.0)
    silent = look(empty)
    assert silent.verdict is RecoveryVerdict.NO_DATA
    assert silent.recovered_per_hour is None
    early = look(shop(0.6, 1.0, rate=0.3, minutes=10))
    assert early.verdict is RecoveryVerdict.UNDECIDED
    assert look(shop(0.6, 1.0, rate=0.3, minutes=20), 600).verdict is RecoveryVerdict.NO_DATA


def test_a_cohort_that_is_everyone_is_compared_with_its_baseline_alone() -> None:
    everyone = look(shop(0.6, 1.0, cohort=Cohort({})))
    assert everyone.complement_trials == 0
    assert everyone.complement_gap == 0.0


def test_errors_that_rose_are_back_when_they_are_rare_again() -> None:
    ill = shop(4.0, 1.0, p=0.02, rate=200.0, direction="rise")
    assert look(ill).verdict is RecoveryVerdict.RECOVERED
    still = shop(4.0, 4.0, p=0.02, rate=200.0, direction="rise")
    assert look(still).verdict is RecoveryVerdict.NOT_RECOVERED


def test_a_volume_is_a_count_and_not_a_share() -> None:
    names = {"metric_name": "volume:page_viewed", "metrics": ("volume:page_viewed",)}
    assert look(shop(0.1, 1.0, p=1.0, **names)).verdict is RecoveryVerdict.RECOVERED
    assert look(shop(0.1, 0.1, p=1.0, **names)).verdict is RecoveryVerdict.NOT_RECOVERED


def test_what_was_saved_is_what_the_illness_would_have_cost() -> None:
    saved = look(shop(0.6, 1.0)).recovered_per_hour
    assert saved is not None
    assert saved.mid == pytest.approx(20 * 60 * 0.5 * 0.4 * 100, rel=0.02)
    assert 0 < saved.low < saved.mid < saved.high
