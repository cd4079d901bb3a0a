"""What an incident costs: orders and money lost since the onset, and at risk per hour."""

import math

import numpy as np

from detectors.evidence import IncidentEvidence
from recoup.domain.cohort import Cohort
from recoup.domain.money import Impact, MoneyRange, Range
from recoup.domain.storefront import ORDER_COMPLETED

Z90 = 1.645
HOUR_MS = 3_600_000


def estimate(evidence: IncidentEvidence, cohort: Cohort, until_ms: int) -> Impact:
    """Return the impact on a cohort from the onset until a moment, with 90 % intervals."""
    lost, spread, sessions = orders_lost(evidence, cohort, evidence.onset_ms, until_ms)
    value = float(evidence.order_value.mean()) if len(evidence.order_value) else 0.0
    hours = max(until_ms - evidence.onset_ms, 60_000) / HOUR_MS
    orders = [max(0.0, lost + k * spread) for k in (-Z90, 0.0, Z90)]

    def money(factor: float) -> MoneyRange:
        low, mid, high = (count * value * factor for count in orders)
        return MoneyRange(low=low, mid=mid, high=high, currency=evidence.currency)

    return Impact(
        at_risk_per_hour=money(1.0 / hours),
        lost_so_far=money(1.0),
        sessions_hit=round(sessions),
        orders_lost=Range(low=orders[0], mid=orders[1], high=orders[2]),
    )


def orders_lost(
    evidence: IncidentEvidence, cohort: Cohort, since_ms: int, until_ms: int
) -> tuple[float, float, float]:
    """Return lost orders, their standard deviation, and the trials of the cohort in that time."""
    inside = evidence.in_cohort(cohort)[evidence.leaf]
    inside &= (evidence.tick_ms >= since_ms) & (evidence.tick_ms < until_ms)
    best = (0.0, 0.0, 0.0)
    for number, name in enumerate(evidence.metrics):
        if not name.endswith(f"->{ORDER_COMPLETED}"):
            continue
        rows = inside & (evidence.metric == number)
        lost = float(evidence.expected[rows].sum() - evidence.observed[rows].sum())
        spread = math.sqrt(max(float(evidence.variance[rows].sum()), 0.0))
        trials = float(evidence.trials[rows].sum())
        if trials > 0 and lost >= best[0]:
            best = (lost, spread, trials)
    if best[2] == 0.0:
        return _from_own_metric(evidence, inside)
    return best


def _from_own_metric(
    evidence: IncidentEvidence, inside: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]"
) -> tuple[float, float, float]:
    if evidence.metric_name not in evidence.metrics:
        return 0.0, 0.0, 0.0
    rows = inside & (evidence.metric == evidence.metrics.index(evidence.metric_name))
    rate = evidence.order_rate[evidence.leaf[rows]]
    sign = 1.0 if evidence.direction == "drop" else -1.0
    lost = sign * float(((evidence.expected[rows] - evidence.observed[rows]) * rate).sum())
    spread = math.sqrt(max(float((evidence.variance[rows] * rate**2).sum()), 0.0))
    return lost, spread, float(evidence.trials[rows].sum())
