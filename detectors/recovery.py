"""The recovery test: is the cohort back at its baseline, still ill, or can nobody tell yet?

The line is drawn where half of the harm is left. On each side of it stands a test martingale: the
likelihood of *healthy* (or of *as ill as before the action*) over that of the line itself. The
chance that one ever passes 1/WRONG while the truth is on the other side of the line is at most
WRONG, at whatever moments it is looked at (Ville, 1939; Wald, 1945). Liveliness of the shop tempers
both. The gap has a confidence sequence from a normal mixture (Robbins, 1970), valid at all times.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.evidence import IncidentEvidence
from detectors.reference import Mask, Reference, reference_of, rows_of
from recoup.domain.base import from_ms
from recoup.domain.money import MoneyRange
from recoup.domain.storefront import ORDER_COMPLETED
from recoup.domain.verification import RecoveryCheck, RecoveryVerdict

WRONG = 0.01
ALPHA = 0.1
MIXTURE = 6.0
MIN_TRIALS = 12.0
LEAST_DROP, LEAST_RISE = 0.05, 0.3
Z90 = 1.645
HOUR_MS = 3_600_000
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Look:
    """What one look saw. ``harm`` is the gap with its sign turned so that above zero is ill."""

    trials: float
    harm: float
    harm_error: float
    healthy: float
    ill: float
    over: bool


def check_recovery(
    evidence: IncidentEvidence, since_ms: int, *, margin: float, within_s: int
) -> RecoveryCheck:
    """Look at the cohort since an action. ``margin`` is the share of the baseline that counts as
    back; after ``within_s`` without a verdict the answer is inconclusive, or no data.
    """
    rows = rows_of(evidence, since_ms, evidence.until_ms + 1)
    reference = reference_of(evidence, since_ms)
    trials = float(evidence.trials[rows].sum())
    observed = float(evidence.observed[rows].sum())
    expected = float(evidence.expected[rows].sum()) * reference.level
    variance = max(float(evidence.variance[rows].sum()), 1e-9) * reference.dispersion
    gap = observed / expected - 1 if expected > 0 else 0.0
    radius = math.sqrt((variance + MIXTURE) * math.log((variance + MIXTURE) / (MIXTURE * ALPHA**2)))
    radius = radius / expected + 2 * reference.level_error if expected > 0 else 1.0
    healthy, ill = _evidence_each_way(evidence, rows, since_ms, margin, reference)
    error = math.hypot(math.sqrt(variance) / max(expected, 1e-9), reference.level_error)
    over = evidence.until_ms - since_ms >= within_s * 1000
    harm = -gap if evidence.direction == "drop" else gap
    verdict, reason = _judge(_Look(trials, harm, error, healthy, ill, over), margin)
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
        log_evidence=healthy if healthy >= ill else -ill,
        reason=reason,
        recovered_per_hour=_recovered(evidence, since_ms, reference),
        complement_trials=round(reference.complement_trials),
        complement_gap=reference.level - 1.0,
    )


def _judge(look: _Look, margin: float) -> tuple[RecoveryVerdict, str]:
    limit = math.log(1 / WRONG)
    enough = look.trials >= MIN_TRIALS
    if enough and look.healthy >= limit and look.harm <= max(margin, look.harm_error):
        return RecoveryVerdict.RECOVERED, "healthy explains it 100 times better than half as ill"
    if enough and look.ill >= limit:
        return RecoveryVerdict.NOT_RECOVERED, "more than half of the harm is still there"
    if not look.over:
        return RecoveryVerdict.UNDECIDED, ""
    if not enough:
        return RecoveryVerdict.NO_DATA, f"only {look.trials:.0f} trials since the action"
    return RecoveryVerdict.INCONCLUSIVE, "neither healthy nor ill explains it well"


def _evidence_each_way(
    evidence: IncidentEvidence, rows: Mask, since_ms: int, margin: float, reference: Reference
) -> tuple[float, float]:
    """Return the log evidence against "half of the harm or more is left", and against less."""
    ratio, line = _ill_and_line(evidence, since_ms, margin)
    n, k = evidence.trials[rows], evidence.observed[rows]
    usual = evidence.expected[rows]
    counts = evidence.metric_name.startswith("volume:")

    def against_line(factor: float, level: float) -> float:
        return (log_likelihood(factor * level) - log_likelihood(line * level)) / (
            reference.dispersion
        )

    def log_likelihood(factor: float) -> float:
        if counts:
            mean = np.maximum(usual * factor, 1e-9)
            return float((k * np.log(mean) - mean).sum())
        p = np.clip(usual * factor / np.maximum(n, 1e-9), 1e-6, 0.995)
        return float((k * np.log(p) + np.maximum(n - k, 0.0) * np.log1p(-p)).sum())

    # To call it ill, the level is taken as low as the complement's own error allows.
    sign = -1.0 if evidence.direction == "drop" else 1.0
    doubted = reference.level + sign * reference.level_error
    return against_line(1.0, reference.level), against_line(ratio, doubted)


def _ill_and_line(evidence: IncidentEvidence, since_ms: int, margin: float) -> tuple[float, float]:
    """Return the ratio to the baseline between onset and action, and the one of half the harm.

    The harm that drew attention tends to be overestimated; the line is drawn for a smaller one.
    """
    rows = rows_of(evidence, evidence.onset_ms, since_ms)
    expected = float(evidence.expected[rows].sum())
    drop = evidence.direction == "drop"
    sign, least = (-1.0, LEAST_DROP) if drop else (1.0, LEAST_RISE)
    if expected <= 0:
        return 1.0 + sign * least, 1.0 + sign * least / 2
    harm = sign * (float(evidence.observed[rows].sum()) / expected - 1.0)
    error = math.sqrt(max(float(evidence.variance[rows].sum()), 0.0)) / expected
    surely = max(harm - error / 2, harm / 2, least)
    harm = max(harm, least)
    return max(1.0 + sign * harm, 1e-3), 1.0 + sign * max(surely / 2, min(margin, harm / 2))


def _recovered(
    evidence: IncidentEvidence, since_ms: int, reference: Reference
) -> MoneyRange | None:
    """Return what is no longer lost per hour: what the illness would have cost the people who came
    since the action, less what they still cost; with a 90 % interval.
    """
    name = _order_metric(evidence)
    before = _orders(evidence, name, evidence.onset_ms, since_ms)
    after = _orders(evidence, name, since_ms, evidence.until_ms + 1)
    usual = after[1] * reference.level
    if before[1] <= 0 or usual <= 0:
        return None
    hours = _hours_due(evidence, name, since_ms)
    sign = -1.0 if evidence.direction == "rise" and name == evidence.metric_name else 1.0
    ill = 1.0 - before[0] / before[1]
    mid = sign * (ill * usual - (usual - after[0]))
    noise = reference.dispersion * (before[2] * (usual / before[1]) ** 2 + after[2])
    unsure = (1.0 - ill) * after[1] * reference.level_error
    error = Z90 * math.hypot(math.sqrt(noise), unsure)
    value = float(evidence.order_value.mean()) if len(evidence.order_value) else 0.0
    low, mid, high = (max(0.0, x) * value / hours for x in (mid - error, mid, mid + error))
    return MoneyRange(low=low, mid=mid, high=high, currency=evidence.currency)


def _hours_due(evidence: IncidentEvidence, name: str, since_ms: int) -> float:
    """Return how many hours of people the outcomes due by now stand for; the last ones wait yet."""
    tick = evidence.tick_size_ms
    rows = (evidence.metric == evidence.metrics.index(name)) & (evidence.tick_ms >= since_ms)
    due = np.bincount((evidence.tick_ms[rows] - since_ms) // tick, evidence.trials[rows])
    older = due[: (len(due) + 1) // 2]
    ticks = float(due.sum() / older.mean()) if older.sum() > 0 else 1.0
    return min(max(ticks, 1.0), max(len(due), 1.0)) * tick / HOUR_MS


def _order_metric(evidence: IncidentEvidence) -> str:
    """Return the step to an order that loses most since the onset, else the incident's metric."""
    found: list[tuple[float, str]] = []
    for name in evidence.metrics:
        if name.endswith(f"->{ORDER_COMPLETED}"):
            observed, expected, _ = _orders(evidence, name, evidence.onset_ms, evidence.until_ms)
            if expected > 0:
                found.append((expected - observed, name))
    return max(found)[1] if found else evidence.metric_name


def _orders(
    evidence: IncidentEvidence, name: str, start_ms: int, end_ms: int
) -> tuple[float, float, float]:
    """Return a cohort's orders in a time: observed, expected, and the variance of the observed."""
    rows = evidence.in_cohort(evidence.cohort)[evidence.leaf]
    rows &= evidence.metric == evidence.metrics.index(name)
    rows &= (evidence.tick_ms >= start_ms) & (evidence.tick_ms < end_ms)
    rate: Floats = np.ones(int(rows.sum()))
    if not name.endswith(f"->{ORDER_COMPLETED}"):
        rate = evidence.order_rate[evidence.leaf[rows]]
    return (
        float((evidence.observed[rows] * rate).sum()),
        float((evidence.expected[rows] * rate).sum()),
        float((evidence.variance[rows] * rate**2).sum()),
    )
