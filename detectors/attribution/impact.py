"""What an incident costs: orders and money lost since the onset, and at risk per hour.

The loss is measured at the step that is hit, where it shows best: the share of successes that is
missing, times the orders that come of as many. At risk per hour is the mean from the onset until an
hour from now, if nobody does anything: what was lost, and what the next hour's visitors would lose.
Those are reckoned from longer than the incident has lasted and from all who might come to the step.
"""

import math
from dataclasses import dataclass

import numpy as np

from detectors.attribution.flow import is_volume_metric, next_hour, orders_each, rows_of
from detectors.attribution.likelihood import gains_of
from detectors.evidence import FloatArray, IncidentEvidence
from detectors.trials import Bools
from recoup.domain.cohort import Cohort
from recoup.domain.money import Impact, MoneyRange, Range

Z90 = 1.645
HOUR_MS = 3_600_000
SIZES = np.linspace(0.01, 0.995, 198)
"""Shares of successes that may be missing."""

WHOLLY = 0.15
SIZE_PRIOR = np.where(SIZES > 0.97, WHOLLY / (SIZES > 0.97).sum(), (1 - WHOLLY) / len(SIZES))
"""What is broken is often broken for all; else one share is as likely as another."""

VALUE_DOUBT, ONSET_DOUBT = 0.06, 0.28
"""How far the value of an order is off, and the rate for want of an exact onset; relative."""


@dataclass(frozen=True)
class Loss:
    """The step that is hit: what share of its successes is missing, and what each is worth."""

    metric: int
    low: float
    mid: float
    high: float
    orders_each: float
    trials: float
    expected: float


def estimate(evidence: IncidentEvidence, cohort: Cohort, until_ms: int) -> Impact:
    """Return the impact on a cohort from the onset until a moment, with 90 % intervals."""
    loss = _loss(evidence, cohort, evidence.onset_ms, until_ms)
    if loss is None:
        return _nothing(evidence.currency)
    value = float(evidence.order_value.mean()) if len(evidence.order_value) else 0.0
    so_far = _range(loss, loss.expected * loss.orders_each, VALUE_DOUBT)
    coming = next_hour(evidence, cohort, loss.metric, until_ms)
    hours = max(until_ms - evidence.onset_ms, 0) / HOUR_MS
    total = loss.expected + coming.successes
    doubt = math.hypot(VALUE_DOUBT, ONSET_DOUBT, coming.doubt * coming.successes / max(total, 1e-9))
    per_hour = _range(loss, total / (hours + 1.0) * loss.orders_each, doubt)
    return Impact(
        at_risk_per_hour=_money(per_hour, value, evidence.currency),
        lost_so_far=_money(so_far, value, evidence.currency),
        sessions_hit=round(loss.trials),
        orders_lost=so_far,
    )


def orders_lost(
    evidence: IncidentEvidence, cohort: Cohort, since_ms: int, until_ms: int
) -> tuple[float, float, float]:
    """Return lost orders, their standard deviation, and the trials of the cohort in that time."""
    metric = _hit_metric(evidence, cohort)
    if metric is None:
        return 0.0, 0.0, 0.0
    rows = _rows(evidence, cohort, metric, since_ms, until_ms)
    each = orders_each(evidence, cohort, metric)
    sign = 1.0 if _falls(evidence, metric) else -1.0
    lost = sign * float((evidence.expected[rows] - evidence.observed[rows]).sum())
    spread = math.sqrt(max(float(evidence.variance[rows].sum()), 0.0))
    return lost * each, spread * each, float(evidence.trials[rows].sum())


def _nothing(currency: str) -> Impact:
    nothing = MoneyRange(low=0.0, mid=0.0, high=0.0, currency=currency)
    return Impact(at_risk_per_hour=nothing, lost_so_far=nothing)


def _money(orders: Range, value: float, currency: str) -> MoneyRange:
    return MoneyRange(
        low=orders.low * value, mid=orders.mid * value, high=orders.high * value, currency=currency
    )


def _range(loss: Loss, factor: float, doubt: float) -> Range:
    """Return share missing times a factor that is itself in doubt by a relative deviation."""
    if loss.mid <= 0:
        return Range(low=0.0, mid=0.0, high=loss.high * factor)
    below = math.log(loss.mid / max(loss.low, 1e-3))
    above = math.log(max(loss.high, loss.mid) / loss.mid)
    return Range(
        low=loss.mid * factor * math.exp(-math.hypot(below, Z90 * doubt)),
        mid=loss.mid * factor,
        high=loss.mid * factor * math.exp(math.hypot(above, Z90 * doubt)),
    )


def _loss(evidence: IncidentEvidence, cohort: Cohort, since_ms: int, until_ms: int) -> Loss | None:
    metric = _hit_metric(evidence, cohort)
    if metric is None:
        return None
    rows = _rows(evidence, cohort, metric, since_ms, until_ms)
    expected = float(evidence.expected[rows].sum())
    if expected <= 0:
        return None
    low, mid, high = _share_missing(evidence, rows, is_volume=is_volume_metric(evidence, metric))
    return Loss(
        metric=metric,
        low=low,
        mid=mid,
        high=high,
        orders_each=orders_each(evidence, cohort, metric),
        trials=float(evidence.trials[rows].sum()),
        expected=expected,
    )


def _share_missing(
    evidence: IncidentEvidence, rows: Bools, *, is_volume: bool
) -> tuple[float, float, float]:
    """Return the share of successes that is missing: 5 %, middle and 95 % of what is likely."""
    tallies: list[FloatArray] = [
        np.bincount(evidence.leaf[rows], column[rows], len(evidence.leaves)).astype(np.float64)
        for column in (evidence.trials, evidence.observed, evidence.expected)
    ]
    present = tallies[2] > 0
    n, k, e = (column[present] for column in tallies)
    log_odds = gains_of(n, k, e, 1 - SIZES, is_volume=is_volume).sum(axis=0)
    weights = SIZE_PRIOR * np.exp(log_odds - log_odds.max())
    below = np.cumsum(weights) / weights.sum()
    low, middle, high = np.interp([0.05, 0.5, 0.95], below, SIZES)
    return float(low), float(middle), float(high)


def _rows(
    evidence: IncidentEvidence, cohort: Cohort, metric: int, since_ms: int, until_ms: int
) -> Bools:
    rows = rows_of(evidence, cohort, metric)
    return rows & (evidence.tick_ms >= since_ms) & (evidence.tick_ms < until_ms)


def _falls(evidence: IncidentEvidence, metric: int) -> bool:
    return "->" in evidence.metrics[metric] or is_volume_metric(evidence, metric)


def _hit_metric(evidence: IncidentEvidence, cohort: Cohort) -> int | None:
    """Return the incident's own metric; for errors, the step where they are felt most."""
    own = evidence.metrics.index(evidence.metric_name)
    if _falls(evidence, own):
        return own
    if evidence.metric_name.startswith("missing:"):
        return None
    inside = evidence.in_cohort(cohort)[evidence.leaf] & (evidence.tick_ms >= evidence.onset_ms)
    felt = []
    for metric, name in enumerate(evidence.metrics):
        rows = inside & (evidence.metric == metric)
        if "->" in name and rows.any():
            lost = float((evidence.expected[rows] - evidence.observed[rows]).sum())
            felt.append((lost / math.sqrt(float(evidence.variance[rows].sum()) + 1.0), metric))
    return max(felt)[1] if felt else None
