"""How busy every cohort was at this time a day ago: what a flood is told from."""

from collections.abc import Callable

import numpy as np

from detectors.columns import Ints
from detectors.configuration import DAY_MS, HOUR_MS
from detectors.trials import Bools

KEPT_H = 27
NO_LEAVES = np.empty((2, 0), dtype=np.int64)

Covered = Callable[[Ints], Bools]
"""Tells which of some leaves are in the cohort in question."""


class Arrivals:
    """Trials that began in each hour of the last day, by metric and leaf."""

    def __init__(self, counted: Bools) -> None:
        self.counted = counted
        """Which metrics are counted, one of them each."""
        self._hours: dict[tuple[int, int], Ints] = {}
        """By hour and metric: 2 x n, leaves and how often each began."""
        self._now: list[tuple[Ints, Ints]] = []
        self._hour = -1

    def note(self, metric: Ints, leaf: Ints, start_ms: int) -> None:
        """Take in the trials that began in a tick."""
        hour = start_ms // HOUR_MS
        if hour != self._hour:
            self._end_hour()
            self._hour = hour
        mine = self.counted[metric]
        self._now.append((metric[mine], leaf[mine]))

    def a_day_before(
        self, metric: int, covered: Covered, since_ms: int, until_ms: int
    ) -> float | None:
        """Return how many began in this span a day ago; None where nothing was recorded then."""
        start, stop = since_ms - DAY_MS, until_ms - DAY_MS
        total, known = 0.0, False
        for hour in range(start // HOUR_MS, stop // HOUR_MS + 1):
            counted = self._hours.get((hour, metric))
            if counted is None:
                continue
            known = True
            inside = min(stop, (hour + 1) * HOUR_MS) - max(start, hour * HOUR_MS)
            total += float(counted[1][covered(counted[0])].sum()) * inside / HOUR_MS
        return total if known else None

    def _end_hour(self) -> None:
        if self._now:
            metric, leaf = (np.concatenate(column) for column in zip(*self._now, strict=True))
            for number in np.flatnonzero(self.counted).tolist():
                leaves, counts = np.unique(leaf[metric == number], return_counts=True)
                self._hours[self._hour, number] = np.stack([leaves, counts])
        self._now = []
        oldest = self._hour - KEPT_H
        self._hours = {key: value for key, value in self._hours.items() if key[0] > oldest}
