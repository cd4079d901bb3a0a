"""Thresholds by business period: who knows of a sale need not be told that all is unusual."""

import math
from collections.abc import Sequence

import numpy as np

from detectors.cohorts import CohortIndex
from detectors.sequential import Evidence
from recoup.domain.base import from_ms
from recoup.domain.periods import Period


class Seasons:
    """Moves thresholds while a period lasts; periods are followed to the hour."""

    def __init__(self, periods: Sequence[Period], metrics: Sequence[str]) -> None:
        self.periods = tuple(periods)
        self.metrics = tuple(metrics)

    def apply(self, evidence: Evidence, index: CohortIndex, now_ms: int) -> None:
        """Move the thresholds that the budget has just set."""
        now = from_ms(now_ms)
        for period in self.periods:
            inside = np.flatnonzero(index.within(period.cohort))
            for number, name in enumerate(self.metrics):
                if period.covers(name, now):
                    raised = evidence.limit[number, inside] + extra(period.eagerness)
                    evidence.set_limit((number, inside), raised)

    def extra_of(self, metric: str, now_ms: int) -> float:
        """Return how much more evidence a metric of everyone needs now, such as a volume."""
        if not self.periods:
            return 0.0
        now = from_ms(now_ms)
        covering = [each for each in self.periods if not each.cohort and each.covers(metric, now)]
        return sum(extra(each.eagerness) for each in covering)


def extra(eagerness: float) -> float:
    """Return how much more log evidence is asked for; infinity where nothing is to be said."""
    return -math.log(eagerness) if eagerness > 0 else math.inf
