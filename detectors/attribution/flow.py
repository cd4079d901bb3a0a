"""Who comes to a step, and what comes of it: the next hour's successes, orders per success."""

import math
from dataclasses import dataclass

import numpy as np

from detectors.attribution.likelihood import MINUTE_MS, VOLUME
from detectors.evidence import IncidentEvidence
from detectors.trials import Bools
from recoup.domain.cohort import EVERYONE, Cohort
from recoup.domain.storefront import ORDER_COMPLETED

FLOW_MS = 120 * MINUTE_MS
STILL_COMING_MS = 10 * MINUTE_MS
"""Outcomes of the last minutes are still coming; the flow is taken from before them."""

PRIOR_TRIALS = 25.0
"""So many trials of its own outweigh what a cohort's visits let expect of it."""

ENOUGH_FOR_TREND = 300.0
LEAST_TREND, MOST_TREND = 0.6, 1.6
HOUR_MS = 3_600_000
AHEAD_DOUBT = 0.18
"""How far an hour's traffic is off its forecast, as a relative deviation."""


@dataclass(frozen=True)
class Coming:
    """What the next hour would bring if nothing were broken; ``doubt`` is relative."""

    successes: float
    doubt: float


def is_volume_metric(evidence: IncidentEvidence, metric: int) -> bool:
    """Tell whether a metric counts events instead of trials."""
    return evidence.metrics[metric].startswith(VOLUME)


def rows_of(evidence: IncidentEvidence, cohort: Cohort, metric: int) -> Bools:
    """Return the rows of a metric in a cohort; a volume is everybody's."""
    rows: Bools = evidence.metric == metric
    if is_volume_metric(evidence, metric):
        return rows
    return rows & evidence.in_cohort(cohort)[evidence.leaf]


def orders_each(evidence: IncidentEvidence, cohort: Cohort, metric: int) -> float:
    """Return how many orders come of one success of a metric in a cohort, step by step."""
    fallback = float(evidence.order_rate.mean()) if len(evidence.order_rate) else 0.0
    if is_volume_metric(evidence, metric):
        return fallback
    reached = evidence.metrics[metric].partition("->")[2]
    share = 1.0
    while reached != ORDER_COMPLETED:
        step = _step_from(evidence, reached)
        chance = None if step is None else _chance(evidence, cohort, step)
        if step is None or chance is None:
            return fallback
        share *= chance
        reached = evidence.metrics[step].partition("->")[2]
    return share


def next_hour(evidence: IncidentEvidence, cohort: Cohort, metric: int, until_ms: int) -> Coming:
    """Return the expected successes of a metric in a cohort in the hour from a moment."""
    end = max(until_ms - STILL_COMING_MS, evidence.onset_ms + MINUTE_MS)
    rows = rows_of(evidence, cohort, metric) & (evidence.tick_ms < end)
    rows &= evidence.tick_ms >= end - FLOW_MS
    start = _start(evidence, cohort, end)
    hours = max(end - start, MINUTE_MS) / HOUR_MS
    trials, successes = float(evidence.trials[rows].sum()), float(evidence.expected[rows].sum())
    per_hour = successes / hours
    if not is_volume_metric(evidence, metric):
        likely = _by_visits(evidence, cohort, metric, end, hours)
        if likely > 0:
            per_hour = (successes + PRIOR_TRIALS) / (hours + PRIOR_TRIALS / likely)
            trials += PRIOR_TRIALS
    per_hour *= _trend(evidence, cohort, end, hours)
    doubt = math.sqrt(AHEAD_DOUBT**2 + 1.0 / max(trials, 1.0) + 1.0 / max(per_hour, 0.5))
    return Coming(per_hour, doubt)


def _start(evidence: IncidentEvidence, cohort: Cohort, end_ms: int) -> int:
    """Return since when the cohort is there, at most two hours before a moment."""
    first = int(evidence.tick_ms.min(initial=end_ms))
    inside = evidence.in_cohort(cohort)[evidence.leaf]
    own = int(evidence.tick_ms[inside].min(initial=end_ms))
    return max(own if own > first + 5 * MINUTE_MS else first, end_ms - FLOW_MS)


def _by_visits(
    evidence: IncidentEvidence, cohort: Cohort, metric: int, end_ms: int, hours: float
) -> float:
    """Return the successes per hour that the cohort's visits lead to, by the baseline's chances."""
    start = evidence.metrics[metric].partition("->")[0]
    first = next((n for n, name in enumerate(evidence.metrics) if "->" in name), None)
    if first is None:
        return 0.0
    rows = rows_of(evidence, cohort, first) & (evidence.tick_ms < end_ms)
    rows &= evidence.tick_ms >= end_ms - FLOW_MS
    found = float(evidence.trials[rows].sum()) / hours
    reached = evidence.metrics[first].partition("->")[0]
    while reached != start:
        step = _step_from(evidence, reached)
        chance = None if step is None else _chance(evidence, cohort, step)
        if step is None or chance is None:
            return 0.0
        found *= chance
        reached = evidence.metrics[step].partition("->")[2]
    return found * (_chance(evidence, cohort, metric) or 0.0)


def _step_from(evidence: IncidentEvidence, reached: str) -> int | None:
    """Return the elementary step that starts at an event type."""
    steps = [n for n, name in enumerate(evidence.metrics) if name.startswith(f"{reached}->")]
    return min(steps, default=None)


def _chance(evidence: IncidentEvidence, cohort: Cohort, metric: int) -> float | None:
    """Return the baseline's chance of success in a cohort; None without trials."""
    rows = rows_of(evidence, cohort, metric)
    trials = float(evidence.trials[rows].sum())
    return float(evidence.expected[rows].sum()) / trials if trials >= 1.0 else None


def _trend(evidence: IncidentEvidence, cohort: Cohort, end_ms: int, hours: float) -> float:
    """Return how much busier the next hour is than the time that the flow was taken from."""
    if hours < 1.5:
        return 1.0
    first = evidence.metric == 0
    for people in (cohort, EVERYONE):
        rows = first & evidence.in_cohort(people)[evidence.leaf]
        age = (end_ms - evidence.tick_ms[rows]) / HOUR_MS
        weights = evidence.trials[rows]
        late = float(weights[(age > 0) & (age <= 1)].sum())
        soon = float(weights[(age > 1) & (age <= 2)].sum())
        if min(late, soon) >= ENOUGH_FOR_TREND:
            # From the middle of the last two hours to the middle of the next: an hour and a half.
            return float(np.clip((late / soon) ** 1.5, LEAST_TREND, MOST_TREND))
    return 1.0
