"""Hourly series: the orders of everyone, and the orders a visit of each of the largest values."""

from collections import deque

import numpy as np

from detectors.cohorts import EVERYONE_ID, CohortIndex
from detectors.columns import Ints
from detectors.layering.contract import SeriesLayer
from detectors.trials import Floats

LARGEST = 30
LEAST_VISITS = 20
ODD_SHARE = 0.05
LEAST_PAST = 24
PAST = 24 * 14


class HourlySeries:
    """Tallies of the running hour by leaf: visits (the first step) and orders (the last)."""

    def __init__(self) -> None:
        self._tally = np.zeros((2, 0))
        self._largest: Ints = np.zeros(0, dtype=np.int64)
        self._total: Floats = np.zeros(0)

    def take(self, leaf: Ints, place: Ints, last: int) -> None:
        """Count the events of a tick by the leaf of their session."""
        if len(leaf) and leaf.max() >= self._tally.shape[1]:
            more = np.zeros((2, int(leaf.max()) + 256))
            more[:, : self._tally.shape[1]] = self._tally
            self._tally = more
        np.add.at(self._tally[0], leaf[place == 0], 1.0)
        np.add.at(self._tally[1], leaf[place == last], 1.0)

    def close(self, index: CohortIndex) -> dict[int, float]:
        """Return the hour's value of each series, by cohort, and begin the next hour."""
        leaf = np.flatnonzero(self._tally.any(axis=0))
        tally = self._tally[:, leaf]
        self._tally[:] = 0.0
        single = np.array(index.single_of_value, dtype=np.int64)[index.codes_of(leaf)]
        sums = np.zeros((2, len(index)))
        for column in single.T:
            np.add.at(sums.T, column, tally.T)
        sums[:, EVERYONE_ID] = tally.sum(axis=1)
        self._total = np.concatenate([self._total, np.zeros(len(index) - len(self._total))])
        self._total = 0.98 * self._total + sums[0]
        largest = np.argsort(-self._total, kind="stable")[: LARGEST + 1]
        found = {EVERYONE_ID: float(np.log1p(sums[1, EVERYONE_ID]))}
        for cohort in largest.tolist():
            if cohort != EVERYONE_ID and sums[0, cohort] >= LEAST_VISITS:
                found[cohort] = float(np.log((sums[1, cohort] + 0.5) / (sums[0, cohort] + 0.5)))
        return found


class Watched:
    """One layer over all series: says which hours are odd, by the share it learned of each."""

    def __init__(self, kind: type[SeriesLayer]) -> None:
        self.kind = kind
        self._layers: dict[int, SeriesLayer] = {}
        self._past: dict[int, deque[float]] = {}

    def odd(self, values: dict[int, float], hour: int) -> dict[int, bool]:
        """Return whether the hour was odd, low that is, for each series with enough of a past."""
        found = {}
        for cohort, value in values.items():
            layer = self._layers.setdefault(cohort, self.kind())
            surprise = layer.surprise(value, hour)
            if surprise is None:
                continue
            past = self._past.setdefault(cohort, deque(maxlen=PAST))
            if len(past) >= LEAST_PAST:
                found[cohort] = -surprise > float(np.quantile(past, 1 - ODD_SHARE))
            past.append(-surprise)
        return found
