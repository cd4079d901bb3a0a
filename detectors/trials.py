"""Trials: exposures with their outcomes, and the likelihood of those that wait.

A trial is an exposure (a session reached a step, saw a page, called an endpoint) whose success is
known later or never. While it waits at age a, where F is the learned distribution of the lag and p
the predicted probability of success, the hypothesis "success has probability q" has gained
``log((1 - q F(a)) / (1 - p F(a)))`` over the baseline; once it succeeds, exactly ``log(q / p)``.
Summing the increments gives the censored-data likelihood: nothing waits for the horizon.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.compiled import compiled

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

LAG_BINS = np.concatenate([[0.0], np.geomspace(500.0, 7_200_000.0, 40)])
STAGE_SHARES = (0.3, 0.6, 0.8, 0.92, 0.98)
PRIOR_LAGS = 20.0
LAG_MEMORY = 5_000.0
MOST = 0.985
LEAST = 1e-6


class Told(NamedTuple):
    """What trials told in one tick, one row each: n arrays of the same length.

    Between shares ``before`` and ``after`` of the successes due nothing came; if ``won``, the
    success came after ``before``.
    """

    metric: Ints
    leaf: Ints
    p: Floats
    before: Floats
    after: Floats
    won: Bools

    def part(self, mask: Bools) -> "Told":
        """Return the rows that a mask picks."""
        return Told._make(column[mask] for column in self)

    def __bool__(self) -> bool:
        return len(self.leaf) > 0


class Matured(NamedTuple):
    """Trials that reached the age at which they are learned, success or failure alike."""

    metric: Ints
    leaf: Ints
    exposed_ms: Ints
    success: Bools
    predicted: Floats

    @property
    def tallied(self) -> tuple[Ints, Ints, Bools, Floats]:
        """Metric, leaf, success and predicted probability."""
        return self.metric, self.leaf, self.success, self.predicted

    def part(self, mask: Bools) -> "Matured":
        """Return the trials that a mask picks."""
        return Matured._make(column[mask] for column in self)

    def __bool__(self) -> bool:
        return len(self.leaf) > 0


@dataclass
class LagModel:
    """The learned distribution of the time from exposure to success."""

    horizon_ms: int
    counts: Floats = field(default_factory=lambda: np.zeros(len(LAG_BINS)))
    stages: Floats = field(init=False)
    shares: Floats = field(init=False)

    def __post_init__(self) -> None:
        middle = max(self.horizon_ms / 12.0, 1.0)
        prior = np.diff(1.0 - np.exp(-LAG_BINS / middle), append=1.0)
        self.counts = self.counts + PRIOR_LAGS * prior / prior.sum()
        self.refresh()

    def learn(self, lags_ms: Floats) -> None:
        """Take in the lags of successes that have reached the horizon; older ones fade."""
        if len(lags_ms) == 0:
            return
        self.counts *= max(0.0, 1.0 - len(lags_ms) / LAG_MEMORY)
        places = np.searchsorted(LAG_BINS, lags_ms, side="right") - 1
        self.counts += np.bincount(places, minlength=len(LAG_BINS))

    def refresh(self) -> None:
        """Recompute the ages at which waiting trials are looked at."""
        ages = np.minimum(np.append(LAG_BINS[1:], LAG_BINS[-1] * 2), self.horizon_ms)
        share = np.cumsum(self.counts) / self.counts.sum()
        self.stages = np.append(np.interp(STAGE_SHARES, share, ages), self.horizon_ms)
        self.shares = np.append(np.asarray(STAGE_SHARES), 1.0)

    def share_by(self, ages_ms: Floats) -> Floats:
        """Return F(age), the share of successes that have come by then."""
        ages, shares = np.append(0.0, self.stages), np.append(0.0, self.shares)
        found: Floats = np.interp(ages_ms, ages, shares)
        return found


class TrialTable:
    """The trials of all metrics in order of exposure, kept for as long as anything asks for them.

    ``horizons_ms`` is by metric. Columns are views of growing arrays; ``first`` is the number of
    the first trial that is still kept.
    """

    COLUMNS = ("metric", "exposed_ms", "leaf", "success_ms", "stage", "p", "told")

    def __init__(self, horizons_ms: list[int]) -> None:
        self.horizons = np.array(horizons_ms, dtype=np.int64)
        self.lags = [LagModel(horizon) for horizon in horizons_ms]
        self.first = 0
        self.count = 0
        self._learned = 0
        """Trials before this place have all reached their horizon."""
        self._ints = np.zeros((5, 8192), dtype=np.int64)
        self._floats = np.zeros((2, 8192))
        self._waiting = np.empty(0, dtype=np.int64)
        self._ripening = np.empty(0, dtype=np.int64)
        self.refresh()

    def __len__(self) -> int:
        return self.count

    def __getattr__(self, name: str) -> Any:
        if name not in self.COLUMNS:
            raise AttributeError(name)
        place = self.COLUMNS.index(name)
        return (
            self._ints[place, : self.count] if place < 5 else self._floats[place - 5, : self.count]
        )

    @property
    def next_number(self) -> int:
        """The number that the next trial gets."""
        return self.first + self.count

    def since(self, moment_ms: int) -> slice:
        """Return the place of the trials exposed since a moment."""
        return slice(int(np.searchsorted(self.exposed_ms, moment_ms)), self.count)

    def refresh(self) -> None:
        """Take over what the lag models have learned."""
        for lag in self.lags:
            lag.refresh()
        self.stages = np.stack([lag.stages for lag in self.lags])
        self.shares = np.stack([lag.shares for lag in self.lags])

    def due_share(self, part: slice, now_ms: int) -> Floats:
        """Return the share of successes due by now of each trial of a part."""
        ages = (now_ms - self.exposed_ms[part]).astype(np.float64)
        share = np.ones(len(ages))
        metrics = self.metric[part]
        for number in np.unique(metrics).tolist():
            mine = metrics == number
            share[mine] = self.lags[number].share_by(ages[mine])
        return share

    def admit(
        self, metric: Ints, exposed_ms: Ints, leaf: Ints, success_ms: Ints, predicted: Floats
    ) -> None:
        """Take in new trials with their predicted probabilities of success."""
        fresh = len(metric)
        stop = self.count + fresh
        if stop > self._ints.shape[1]:
            more = max(fresh, self._ints.shape[1])
            self._ints = np.concatenate([self._ints, np.zeros((5, more), dtype=np.int64)], axis=1)
            self._floats = np.concatenate([self._floats, np.zeros((2, more))], axis=1)
        part = slice(self.count, stop)
        zero = np.zeros(fresh, dtype=np.int64)
        self._ints[:, part] = np.stack([metric, exposed_ms, leaf, success_ms, zero])
        self._floats[0, part] = np.clip(predicted, 1e-4, MOST)
        self._floats[1, part] = 0.0
        numbers = np.arange(self.count, stop)
        self._waiting = np.concatenate([self._waiting, numbers])
        self._ripening = np.concatenate([self._ripening, numbers])
        self.count = stop

    def succeed(self, number: Ints, time_ms: Ints) -> None:
        """Report successes of trials; what comes after the horizon is none."""
        place = number - self.first
        usable = place >= 0
        place, time_ms = place[usable], time_ms[usable]
        in_time = time_ms - self.exposed_ms[place] <= self.horizons[self.metric[place]]
        in_time &= self.stage[place] < self.stages.shape[1]
        self.success_ms[place[in_time]] = time_ms[in_time]

    def tell(self, now_ms: int) -> Told:
        """Return what the trials tell that they did not tell before ``now_ms``."""
        most = len(self._waiting)
        ints, floats = np.empty((3, most), dtype=np.int64), np.empty((2, most))
        told, left = _tell(
            self._waiting, self._ints, self._floats, self.stages, self.shares, now_ms, ints, floats
        )
        self._waiting = self._waiting[:left].copy()
        place = ints[0, :told]
        return Told(
            self.metric[place],
            self.leaf[place],
            self.p[place],
            floats[0, :told],
            floats[1, :told],
            ints[1, :told] > 0,
        )

    def mature(self, now_ms: int) -> Matured:
        """Return the trials that have reached their horizon since the last call; learn lags."""
        place = self._ripening
        ripe, left = np.empty_like(place), np.empty_like(place)
        count = _ripen(place, self._ints, self.horizons, now_ms, ripe, left)
        self._ripening, place = left[: len(place) - count].copy(), ripe[:count]
        metric, success = self.metric[place], self.success_ms[place] >= 0
        lag = (self.success_ms[place] - self.exposed_ms[place]).astype(np.float64)
        for number in np.unique(metric[success]).tolist():
            self.lags[number].learn(lag[success & (metric == number)])
        return Matured(
            metric, self.leaf[place], self.exposed_ms[place], success, self.p[place].copy()
        )

    def forget(self, before_ms: int) -> None:
        """Drop trials exposed before a moment that nothing waits for."""
        stop = int(np.searchsorted(self.exposed_ms, before_ms))
        for kept in (self._waiting, self._ripening):
            stop = min(stop, int(kept.min()) if len(kept) else stop)
        if stop < 4096 and stop < self.count // 2:
            return
        self._ints = self._ints[:, stop:].copy()
        self._floats = self._floats[:, stop:].copy()
        self._waiting = self._waiting - stop
        self._ripening = self._ripening - stop
        self.first += stop
        self.count -= stop


@compiled
def _ripen(rows: Ints, columns: Ints, horizons: Ints, now_ms: int, ripe: Ints, left: Ints) -> int:
    count = 0
    for i in range(len(rows)):
        row = rows[i]
        if now_ms - columns[1, row] >= horizons[columns[0, row]]:
            ripe[count] = row
            count += 1
        else:
            left[i - count] = row
    return count


@compiled
def _tell(  # noqa: PLR0913 - a compiled loop takes its arrays one by one
    waiting: Ints,
    columns: Ints,
    numbers: Floats,
    stages: Floats,
    shares: Floats,
    now_ms: int,
    ints: Ints,
    floats: Floats,
) -> tuple[int, int]:
    last = stages.shape[1]
    told, left = 0, 0
    for i in range(len(waiting)):
        row = waiting[i]
        metric, age = columns[0, row], now_ms - columns[1, row]
        stage = columns[4, row]
        target = stage
        if columns[3, row] >= 0:
            target = last
        else:
            while target < last and stages[metric, target] <= age:
                target += 1
        if target > stage or columns[3, row] >= 0:
            ints[0, told], ints[1, told] = row, 1 if columns[3, row] >= 0 else 0
            floats[0, told] = numbers[1, row]
            floats[1, told] = shares[metric, target - 1]
            numbers[1, row] = floats[1, told]
            columns[4, row] = target
            told += 1
        if target < last:
            waiting[left] = row
            left += 1
    return told, left
