"""Looking up any cohort: slices read from the store, added up by scope, metric and dimension."""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from detectors.slices import SLICE_MS, Slice, from_bytes
from detectors.trials import Bools, Floats
from store.opening import Store

Scope = Mapping[str, str | Sequence[str]]
FEW = 3.0
ENOUGH = 20.0
"""Below this many expected trials a share says little and is not shown."""


class Tally(NamedTuple):
    """Trials with what was observed and what the baseline expected."""

    trials: float
    observed: float
    expected: float
    variance: float

    @property
    def rate(self) -> float:
        """The observed share."""
        return self.observed / self.trials if self.trials else 0.0

    @property
    def baseline(self) -> float:
        """The expected share."""
        return self.expected / self.trials if self.trials else 0.0

    @property
    def gap(self) -> float:
        """How far the observed share is from the expected one, as a part of it."""
        return self.observed / self.expected - 1 if self.expected else 0.0

    @property
    def sigmas(self) -> float:
        """The distance in standard errors of the baseline."""
        return (self.observed - self.expected) / math.sqrt(max(self.variance, 1e-9))

    @property
    def is_thin(self) -> bool:
        """Whether too little happened to say anything."""
        few = self.expected < FEW and self.observed < FEW
        return self.trials < ENOUGH or few


class Course(NamedTuple):
    """One metric of one scope over time; one entry a slice."""

    times_ms: list[int]
    trials: Floats
    observed: Floats
    expected: Floats
    variance: Floats

    def total(self) -> Tally:
        """Return the sums over the whole time."""
        return Tally(*(float(column.sum()) for column in self[1:]))

    def between(self, start_ms: int, end_ms: int) -> Tally:
        """Return the sums over ``start_ms <= time < end_ms``."""
        times = np.asarray(self.times_ms)
        inside = (times >= start_ms) & (times < end_ms)
        return Tally(*(float(column[inside].sum()) for column in self[1:]))

    def shares(self, least: float = 3.0) -> tuple[Floats, Floats, Floats, Floats]:
        """Return observed and expected shares and the 90 % band, NaN where nearly nothing was."""
        trials = np.where(self.trials >= least, self.trials, np.nan)
        expected = self.expected / trials
        error = 1.645 * np.sqrt(self.variance) / trials
        low, high = np.clip(expected - error, 0, 1), np.clip(expected + error, 0, 1)
        return np.clip(self.observed / trials, 0, 1), expected, low, high


@lru_cache(maxsize=400)
def _unpacked(payload: bytes) -> Slice | None:
    return from_bytes(payload)


class Looking:
    """The slices of a stretch of time."""

    def __init__(self, slices: Sequence[Slice]) -> None:
        self.slices = list(slices)

    @classmethod
    def load(cls, store: Store, start_ms: int, end_ms: int) -> "Looking":
        """Read the slices that begin in a stretch of time."""
        found = [_unpacked(payload) for payload in store.pictures.slices(start_ms, end_ms)]
        return cls([each for each in found if each is not None])

    @property
    def metrics(self) -> list[str]:
        """The metrics that were watched, in the order of the funnel."""
        return list(dict.fromkeys(name for each in self.slices for name in each.metrics))

    @property
    def steps(self) -> list[str]:
        """The metrics that are steps of the funnel."""
        return [name for name in self.metrics if "->" in name]

    def course(self, metric: str, scope: Scope, *, outside: bool = False) -> Course:
        """Return one metric of a scope over time; ``outside`` is everybody else."""
        columns = np.zeros((4, len(self.slices)))
        for place, each in enumerate(self.slices):
            if metric in each.metrics:
                members = each.members(scope)
                sums = each.sums(~members if outside else members)
                columns[:, place] = sums[:, each.metrics.index(metric)]
        return Course([each.start_ms for each in self.slices], *columns)

    def totals(self, scope: Scope) -> dict[str, Tally]:
        """Return the sums of every metric of a scope."""
        return {metric: self.course(metric, scope).total() for metric in self.metrics}

    def by_value(self, within: Scope | None = None) -> dict[tuple[str, str], dict[str, Tally]]:
        """Return the sums of every step by dimension and value, inside a scope."""
        sums: dict[tuple[str, str], dict[str, Floats]] = {}
        for each in self.slices:
            members = each.members(within or {})
            for d, dimension in enumerate(each.dimensions):
                table = _by_code(each, members, d)
                for code, value in enumerate(each.values[d]):
                    if not value:
                        continue
                    mine = sums.setdefault((dimension, value), {})
                    for m, metric in enumerate(each.metrics):
                        mine[metric] = mine.get(metric, np.zeros(4)) + table[:, code, m]
        return {
            key: {metric: Tally(*column.tolist()) for metric, column in mine.items()}
            for key, mine in sums.items()
        }


def _by_code(each: Slice, members: Bools, d: int) -> Floats:
    """Return four sums by code of a dimension and metric."""
    inside = members[each.leaf]
    codes, metrics = len(each.values[d]), len(each.metrics)
    place = each.leaves[each.leaf[inside], d] * metrics + each.metric[inside]
    columns = (each.trials, each.observed, each.expected, each.variance)
    sums = [np.bincount(place, column[inside], codes * metrics) for column in columns]
    return np.stack(sums).astype(np.float64).reshape(4, codes, metrics)


def span(now_ms: int, newest_ms: int | None, hours: float) -> tuple[int, int]:
    """Return the last hours until now; if the newest slice is older than that, until its end."""
    end = now_ms
    if newest_ms is not None and newest_ms + SLICE_MS < now_ms - hours * 3_600_000:
        end = newest_ms + SLICE_MS
    return int(end - hours * 3_600_000), end
