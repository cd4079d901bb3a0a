"""Trials of one metric: exposures with their outcomes, and the likelihood of those that wait.

A trial is an exposure (a session reached a step, saw a page, called an endpoint) whose success is
known later or never. While it waits at age a, where F is the learned distribution of the lag and p
the predicted probability of success, the hypothesis "success has probability q" has gained
``log((1 - q F(a)) / (1 - p F(a)))`` over the baseline; once it succeeds, exactly ``log(q / p)``.
Summing the increments gives the censored-data likelihood: nothing waits for the horizon.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

LAG_BINS = np.concatenate([[0.0], np.geomspace(500.0, 7_200_000.0, 40)])
STAGE_SHARES = (0.3, 0.6, 0.8, 0.92, 0.98)
PRIOR_LAGS = 20.0
LAG_MEMORY = 5_000.0
MOST = 0.985
LEAST = 1e-6


class Increments(NamedTuple):
    """What one tick adds to the evidence: n rows, one for each trial that told something new.

    ``gain`` (n x E) is the log-likelihood ratio of each of the E alternatives; ``slope`` its
    derivative by the logarithm of p, by which a cohort's own calibration corrects the sum.
    """

    leaf: Ints
    gain: Floats
    slope: Floats


class Matured(NamedTuple):
    """Trials that reached the age at which they are learned, success or failure alike."""

    leaf: Ints
    exposed_ms: Ints
    success: Bools
    predicted: Floats

    def part(self, mask: Bools) -> "Matured":
        """Return the trials that a mask picks."""
        return Matured(
            self.leaf[mask], self.exposed_ms[mask], self.success[mask], self.predicted[mask]
        )


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
        np.add.at(self.counts, places, 1.0)

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
    """The trials of one metric, in order of arrival, kept for as long as anything asks for them."""

    def __init__(self, name: str, direction: str, horizon_ms: int, effects: Floats) -> None:
        self.name = name
        self.direction = direction
        self.horizon_ms = horizon_ms
        self.ratios = effects
        self.lags = LagModel(horizon_ms)
        self.first = 0
        """The number of the first trial still kept."""
        self._learned = 0
        self._open: list[tuple[int, int]] = []
        self._succeeded: list[tuple[int, int]] = []
        self.exposed_ms = np.empty(0, dtype=np.int64)
        self.leaf = np.empty(0, dtype=np.int64)
        self.predicted = np.empty(0, dtype=np.float64)
        self.seen_share = np.empty(0, dtype=np.float64)
        self.stage = np.empty(0, dtype=np.int64)
        self.success_ms = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.leaf)

    def expose(self, time_ms: int, leaf: int) -> int:
        """Add a trial; return its number, by which its success is reported."""
        self._open.append((time_ms, leaf))
        return self.first + len(self.leaf) + len(self._open) - 1

    def succeed(self, number: int, time_ms: int) -> None:
        """Report the success of a trial."""
        self._succeeded.append((number, time_ms))

    def new_leaves(self) -> list[int]:
        """Return the leaves of the trials that wait for their prediction, in order."""
        return [leaf for _, leaf in self._open]

    def admit(self, predicted: Floats) -> None:
        """Take in the new trials with their predicted probabilities of success."""
        if not self._open:
            return
        fresh = np.array(self._open, dtype=np.int64)
        n = len(fresh)
        self.exposed_ms = np.append(self.exposed_ms, fresh[:, 0])
        self.leaf = np.append(self.leaf, fresh[:, 1])
        self.predicted = np.append(self.predicted, np.clip(predicted, 1e-4, MOST))
        self.seen_share = np.append(self.seen_share, np.zeros(n))
        self.stage = np.append(self.stage, np.zeros(n, dtype=np.int64))
        self.success_ms = np.append(self.success_ms, np.full(n, -1, dtype=np.int64))
        self._open.clear()

    def advance(self, now_ms: int) -> Increments:
        """Return what the trials tell that they did not tell before ``now_ms``."""
        won = self._take_successes()
        waiting = self._waiting_since(now_ms)
        age = now_ms - self.exposed_ms[waiting]
        target = np.searchsorted(self.lags.stages, age, side="right")
        due = target > self.stage[waiting]
        waiting, target = waiting[due], target[due]
        share = self.lags.shares[target - 1]
        p = self.predicted[waiting]
        gain, slope = self._failing(p, share)
        old_gain, old_slope = self._failing(p, self.seen_share[waiting])
        gain -= old_gain
        slope -= old_slope
        self.stage[waiting] = target
        self.seen_share[waiting] = share
        won_gain, won_slope = self._winning(won)
        return Increments(
            np.concatenate([self.leaf[waiting], self.leaf[won]]),
            np.concatenate([gain, won_gain]),
            np.concatenate([slope, won_slope]),
        )

    def _take_successes(self) -> Ints:
        if not self._succeeded:
            return np.empty(0, dtype=np.int64)
        reported = np.array(self._succeeded, dtype=np.int64)
        self._succeeded.clear()
        index, times = reported[:, 0] - self.first, reported[:, 1]
        usable = index >= 0
        index, times = index[usable], times[usable]
        in_time = (times - self.exposed_ms[index] <= self.horizon_ms) & (
            self.stage[index] < len(self.lags.stages)
        )
        index, times = index[in_time], times[in_time]
        self.success_ms[index] = np.maximum(times, self.exposed_ms[index])
        self.stage[index] = len(self.lags.stages)
        return index

    def _waiting_since(self, now_ms: int) -> Ints:
        start = int(np.searchsorted(self.exposed_ms, now_ms - 2 * self.horizon_ms - 600_000))
        return start + np.flatnonzero(self.stage[start:] < len(self.lags.stages))

    def _failing(self, p: Floats, share: Floats) -> tuple[Floats, Floats]:
        """Return gain and slope of having waited until a share of the successes has come."""
        q = self._alternative(p)
        pf = (p * share)[:, None]
        qf = q * share[:, None]
        return np.log((1 - qf) / (1 - pf)), pf / (1 - pf) - qf / (1 - qf)

    def _winning(self, won: Ints) -> tuple[Floats, Floats]:
        p = self.predicted[won]
        gain, slope = self._failing(p, self.seen_share[won])
        return np.log(self._alternative(p) / p[:, None]) - gain, -slope

    def _alternative(self, p: Floats) -> Floats:
        return np.clip(p[:, None] * self.ratios[None, :], LEAST, MOST)

    def mature(self, now_ms: int) -> Matured:
        """Return the trials that have reached the horizon since the last call, and learn lags."""
        stop = int(np.searchsorted(self.exposed_ms, now_ms - self.horizon_ms, side="right"))
        stop = max(stop, self._learned)
        part = slice(self._learned, stop)
        self._learned = stop
        success = self.success_ms[part] >= 0
        lags = (self.success_ms[part] - self.exposed_ms[part])[success]
        self.lags.learn(lags.astype(np.float64))
        return Matured(self.leaf[part], self.exposed_ms[part], success, self.predicted[part])

    def forget(self, before_ms: int) -> None:
        """Drop matured trials exposed before a moment."""
        stop = int(np.searchsorted(self.exposed_ms, before_ms))
        stop = min(stop, self._learned)
        if stop < 4096 and stop < len(self.leaf) // 2:
            return
        for name in ("exposed_ms", "leaf", "predicted", "seen_share", "stage", "success_ms"):
            setattr(self, name, getattr(self, name)[stop:].copy())
        self.first += stop
        self._learned -= stop
