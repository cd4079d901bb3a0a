"""Trials: exposures with their outcomes, and the likelihood of those that wait.

A trial is an exposure (a session reached a step, saw a page, called an endpoint) whose success is
known later or never. While it waits at age a, where F is the learned distribution of the lag and p
the predicted probability of success, the hypothesis "success has probability q" has gained
``log((1 - q F(a)) / (1 - p F(a)))`` over the baseline; once it succeeds, exactly ``log(q / p)``.
Summing the increments gives the censored-data likelihood: nothing waits for the horizon.
"""

import math
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
LEAST_TOLD = 0.01
"""A look that would tell less, in probability of success that came to nothing, waits."""

FIRST_ROOM = 8192


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
        self.counts *= math.exp(-len(lags_ms) / LAG_MEMORY)
        places = np.searchsorted(LAG_BINS, lags_ms, side="right") - 1
        self.counts += np.bincount(places, minlength=len(LAG_BINS))

    def refresh(self) -> None:
        """Recompute the ages at which waiting trials are looked at."""
        ages = np.minimum(np.append(LAG_BINS[1:], LAG_BINS[-1] * 2), self.horizon_ms)
        share = np.cumsum(self.counts) / self.counts.sum()
        self.stages = np.append(np.interp(STAGE_SHARES, share, ages), self.horizon_ms)
        self.shares = np.append(np.asarray(STAGE_SHARES), 1.0)


class _Queue:
    """Places of trials, in order, in a growing array."""

    def __init__(self) -> None:
        self.places = np.empty(FIRST_ROOM, dtype=np.int64)
        self.size = 0

    def make_room(self, count: int) -> None:
        """Let there be room for so many places more."""
        if self.size + count > len(self.places):
            more = np.empty(max(count, len(self.places)), dtype=np.int64)
            self.places = np.concatenate([self.places, more])

    def first(self, otherwise: int) -> int:
        """Return the earliest place."""
        return int(self.places[: self.size].min()) if self.size else otherwise


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
        self._ints = np.zeros((5, FIRST_ROOM), dtype=np.int64)
        self._floats = np.zeros((2, FIRST_ROOM))
        # The places of trials that have not told all, and of those that have not matured.
        self._waiting = _Queue()
        self._ripening = _Queue()
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

    def due_share(self, part: slice | Ints, now_ms: int) -> Floats:
        """Return the share of successes due by now of each trial of a part, or of some places."""
        metric, exposed_ms = self._ints[:2, part]
        return _due_share(metric, now_ms - exposed_ms, self.stages, self.shares)

    def sums(self, part: slice, now_ms: int) -> Floats:
        """Return 5 x M sums over the trials of a part.

        They are: their number, the share of it that is due by now, successes, those expected, and
        the variance of these.
        """
        share = self.due_share(part, now_ms)
        sums = np.zeros((5, len(self.horizons)))
        _sum_up(self.metric[part], share, self.success_ms[part], self.p[part], sums)
        return sums

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
        queues = self._waiting, self._ripening
        for queue in queues:
            queue.make_room(fresh)
        columns = self._ints, self._floats
        places = tuple((queue.places, queue.size) for queue in queues)
        _admit(metric, exposed_ms, leaf, success_ms, predicted, *columns, self.count, places)
        for queue in queues:
            queue.size += fresh
        self.count = stop

    def succeed(self, number: Ints, time_ms: Ints) -> None:
        """Report successes of trials; what comes after the horizon is none."""
        _succeed(number, time_ms, self.first, self.horizons, self.stages.shape[1], self._ints)

    def tell(self, now_ms: int) -> Told:
        """Return what the trials tell that they did not tell before ``now_ms``."""
        queue, most = self._waiting, self._waiting.size
        metric, leaf = np.empty((2, most), dtype=np.int64)
        p, before, after = np.empty((3, most))
        told = Told(metric, leaf, p, before, after, np.empty(most, dtype=np.bool_))
        count, queue.size = _tell(
            queue.places, most, self._ints, self._floats, self.stages, self.shares, now_ms, told
        )
        return Told._make(column[:count] for column in told)

    def mature(self, now_ms: int) -> Matured:
        """Return the trials that have reached their horizon since the last call; learn lags."""
        queue = self._ripening
        ripe = np.empty(queue.size, dtype=np.int64)
        count = _ripen(queue.places, queue.size, self._ints, self.horizons, now_ms, ripe)
        queue.size -= count
        place = ripe[:count]
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
        for queue in (self._waiting, self._ripening):
            stop = min(stop, queue.first(stop))
        if stop < 4096 and stop < self.count // 2:
            return
        self._ints = self._ints[:, stop:].copy()
        self._floats = self._floats[:, stop:].copy()
        for queue in (self._waiting, self._ripening):
            queue.places -= stop
        self.first += stop
        self.count -= stop


@compiled
def _due_share(metric: Ints, age_ms: Ints, stages: Floats, shares: Floats) -> Floats:
    """Return F(age) of each trial, between the ages at which it is known linearly."""
    found = np.ones(len(metric))
    for i in range(len(metric)):
        m, age = metric[i], max(age_ms[i], 0)
        since, share = 0.0, 0.0
        for stage in range(stages.shape[1]):
            if age < stages[m, stage]:
                slope = (shares[m, stage] - share) / (stages[m, stage] - since)
                found[i] = share + slope * (age - since)
                break
            since, share = stages[m, stage], shares[m, stage]
    return found


@compiled
def _sum_up(metric: Ints, share: Floats, success_ms: Ints, p: Floats, sums: Floats) -> None:
    for i in range(len(metric)):
        m, due = metric[i], p[i] * share[i]
        sums[0, m] += 1.0
        sums[1, m] += share[i]
        sums[2, m] += success_ms[i] >= 0
        sums[3, m] += due
        sums[4, m] += due * (1 - due)


@compiled
def _admit(  # noqa: PLR0913 - a compiled loop takes its arrays one by one
    metric: Ints,
    exposed_ms: Ints,
    leaf: Ints,
    success_ms: Ints,
    predicted: Floats,
    ints: Ints,
    floats: Floats,
    count: int,
    queues: tuple[tuple[Ints, int], ...],
) -> None:
    for i in range(len(metric)):
        row = count + i
        ints[0, row], ints[1, row], ints[2, row] = metric[i], exposed_ms[i], leaf[i]
        ints[3, row], ints[4, row] = success_ms[i], 0
        floats[0, row], floats[1, row] = min(max(predicted[i], 1e-4), MOST), 0.0
        for places, size in queues:
            places[size + i] = row


@compiled
def _succeed(
    number: Ints, time_ms: Ints, first: int, horizons: Ints, last_stage: int, columns: Ints
) -> None:
    for i in range(len(number)):
        row = number[i] - first
        if row < 0 or columns[4, row] >= last_stage:
            continue
        if time_ms[i] - columns[1, row] <= horizons[columns[0, row]]:
            columns[3, row] = time_ms[i]


@compiled
def _ripen(rows: Ints, size: int, columns: Ints, horizons: Ints, now_ms: int, ripe: Ints) -> int:
    count = 0
    for i in range(size):
        row = rows[i]
        if now_ms - columns[1, row] >= horizons[columns[0, row]]:
            ripe[count] = row
            count += 1
        else:
            rows[i - count] = row
    return count


@compiled
def _tell(  # noqa: PLR0913 - a compiled loop takes its arrays one by one
    waiting: Ints,
    size: int,
    columns: Ints,
    numbers: Floats,
    stages: Floats,
    shares: Floats,
    now_ms: int,
    out: Told,
) -> tuple[int, int]:
    last = stages.shape[1]
    told, left = 0, 0
    for i in range(size):
        row = waiting[i]
        metric, age = columns[0, row], now_ms - columns[1, row]
        stage, won = columns[4, row], columns[3, row] >= 0
        target = last if won else stage
        while target < last and stages[metric, target] <= age:
            target += 1
        p, before = numbers[0, row], numbers[1, row]
        due = before if target == 0 else max(before, shares[metric, target - 1])
        # What is left to tell is too little for a look of its own.
        if target > 0 and p * (1.0 - due) < LEAST_TOLD:
            due = 1.0
        if won or p * (due - before) >= LEAST_TOLD or (target == last and before < 1.0):
            out.metric[told], out.leaf[told] = metric, columns[2, row]
            out.p[told], out.won[told] = p, won
            out.before[told], out.after[told] = before, due
            numbers[1, row] = due
            told += 1
        columns[4, row] = target
        if target < last:
            waiting[left] = row
            left += 1
    return told, left
