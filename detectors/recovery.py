"""The recovery test: is the cohort back at its baseline, still ill, or can nobody tell yet?

Two simple hypotheses, healthy and as ill as before the action, are compared by a sequential
probability ratio test (Wald, 1945), whose error holds at whatever moment it is looked at. The gap
is given with a confidence sequence from a normal mixture (Robbins, 1970), valid at all times too.
"""

import math

import numpy as np
import numpy.typing as npt

from detectors.attribution.impact import orders_lost
from detectors.evidence import IncidentEvidence
from recoup.domain.base import from_ms
from recoup.domain.money import MoneyRange
from recoup.domain.verification import RecoveryCheck, RecoveryVerdict

WRONG = 0.01
ALPHA = 0.1
MIXTURE = 6.0
MIN_TRIALS = 12.0
HOUR_MS = 3_600_000
Mask = npt.NDArray[np.bool_]


def check_recovery(
    evidence: IncidentEvidence, since_ms: int, *, margin: float, within_s: int
) -> RecoveryCheck:
    """Look at the cohort since an action. ``margin`` is the share of the baseline that counts as
    back; after ``within_s`` without a verdict the answer is inconclusive, or no data.
    """
    rows = _rows(evidence, since_ms, evidence.until_ms + 1)
    trials = float(evidence.trials[rows].sum())
    observed, expected = float(evidence.observed[rows].sum()), float(evidence.expected[rows].sum())
    variance = max(float(evidence.variance[rows].sum()), 1e-9)
    gap = observed / expected - 1 if expected > 0 else 0.0
    radius = math.sqrt((variance + MIXTURE) * math.log((variance + MIXTURE) / (MIXTURE * ALPHA**2)))
    radius = radius / expected if expected > 0 else 1.0
    log_evidence = _healthy_against_ill(evidence, rows, since_ms)
    over = evidence.until_ms - since_ms >= within_s * 1000
    verdict, reason = _judge(
        trials,
        gap,
        math.sqrt(variance) / max(expected, 1e-9),
        log_evidence,
        margin,
        over,
        drop=evidence.direction == "drop",
    )
    return RecoveryCheck(
        verdict=verdict,
        at=from_ms(evidence.until_ms),
        since=from_ms(since_ms),
        trials=round(trials),
        observed=observed / trials if trials else 0.0,
        expected=expected / trials if trials else 0.0,
        gap=gap,
        gap_low=gap - radius,
        gap_high=gap + radius,
        log_evidence=log_evidence,
        reason=reason,
        recovered_per_hour=_recovered(evidence, since_ms),
    )


def _judge(
    trials: float,
    gap: float,
    gap_error: float,
    log_evidence: float,
    margin: float,
    over: bool,
    *,
    drop: bool,
) -> tuple[RecoveryVerdict, str]:
    limit = math.log(1 / WRONG)
    harm = -gap if drop else gap
    if trials >= MIN_TRIALS and log_evidence >= limit and harm <= max(margin, gap_error):
        return RecoveryVerdict.RECOVERED, "healthy explains it at least 100 times better than ill"
    if trials >= MIN_TRIALS and log_evidence <= -limit:
        return RecoveryVerdict.NOT_RECOVERED, "the cohort is as ill as before"
    if not over:
        return RecoveryVerdict.UNDECIDED, ""
    if trials < MIN_TRIALS:
        return RecoveryVerdict.NO_DATA, f"only {trials:.0f} trials since the action"
    return RecoveryVerdict.INCONCLUSIVE, "neither healthy nor ill explains it well"


def _rows(evidence: IncidentEvidence, start_ms: int, end_ms: int) -> Mask:
    number = evidence.metrics.index(evidence.metric_name)
    mask: Mask = evidence.in_cohort(evidence.cohort)[evidence.leaf]
    mask &= (evidence.metric == number) & (evidence.tick_ms >= start_ms)
    return mask & (evidence.tick_ms < end_ms)


def _healthy_against_ill(evidence: IncidentEvidence, rows: Mask, since_ms: int) -> float:
    """Return the log-likelihood ratio of healthy over as ill as between onset and action."""
    ill = _rows(evidence, evidence.onset_ms, since_ms)
    expected = float(evidence.expected[ill].sum())
    ratio = float(evidence.observed[ill].sum()) / expected if expected > 0 else 1.0
    ratio = min(ratio, 0.95) if evidence.direction == "drop" else max(ratio, 1.3)
    n, k, e = evidence.trials[rows], evidence.observed[rows], evidence.expected[rows]
    p = np.clip(e / np.maximum(n, 1e-9), 1e-6, 0.995)
    q = np.clip(p * ratio, 1e-6, 0.995)
    misses = np.maximum(n - k, 0.0)
    return float((k * np.log(p / q) + misses * np.log((1 - p) / (1 - q))).sum())


def _recovered(evidence: IncidentEvidence, since_ms: int) -> MoneyRange | None:
    """Return what no longer is lost per hour: the loss before the action minus the loss since."""
    before_h = max(since_ms - evidence.onset_ms, 60_000) / HOUR_MS
    after_h = max(evidence.until_ms - since_ms, 60_000) / HOUR_MS
    cohort = evidence.cohort
    lost, spread, _ = orders_lost(evidence, cohort, evidence.onset_ms, since_ms)
    still, still_spread, _ = orders_lost(evidence, cohort, since_ms, evidence.until_ms + 1)
    value = float(evidence.order_value.mean()) if len(evidence.order_value) else 0.0
    mid = lost / before_h - still / after_h
    error = 1.645 * math.hypot(spread / before_h, still_spread / after_h)
    low, high = max(0.0, mid - error) * value, max(0.0, mid + error) * value
    return MoneyRange(low=low, mid=max(0.0, mid) * value, high=high, currency=evidence.currency)
