"""The sequential test: for each metric and cohort, a mixture of CUSUMs over effect sizes.

Each CUSUM is an e-detector (Shin, Ramdas and Rinaldo, 2022): under the baseline the expected time
to cross ``log(b)`` is at least b, whatever the dependence between cohorts, so the threshold follows
from the false-alarm budget and the number of cohorts watched.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.cohorts import EVERYONE_ID, Members, Narrow
from detectors.compiled import compiled
from detectors.hourly import HOT, believe, close_window, cool_down, find_hot, judge
from detectors.scoring import FREE, UNWATCHED, scatter, settle
from detectors.trials import LEAST, MOST, Bools, Floats, Ints, Matured, Told

WOBBLE_MEMORY = 0.99
WOBBLE_STEP = 3.0
WOBBLE_FLOOR = 0.01
"""An hour counts as at most so many times the wobble that is known, or as one of a tenth (0.01)."""

LONG_WINDOW_H = 6
CHANCE_RATE = 0.05
ENOUGH = 11.0
"""The log evidence that an alarm usually takes."""

UNLIKELY = 16.0
"""A wobble of a rate is not taken for an effect that is this unlikely, in log evidence."""

LEAST_DOUBT = 0.01
"""No baseline is known better than this, as a standard deviation of its logarithm."""

FIRST_ROOM = 2048


class Evidence:
    """Growing arrays by metric, cohort and (for scores) effect size.

    ``ratios`` is M x E: below 1 the probability of success under an alternative over that of the
    baseline, above 1 its odds over those of the baseline.
    """

    BY_COHORT = ("learned", "seen", "expected", "bias", "dispersion", "excess", "_limit")
    WINDOWED = ("window", "surplus", "windows", "size", "extent", "pending")

    def __init__(self, ratios: Floats) -> None:
        self.ratios = ratios
        metrics, effects = ratios.shape
        self.room = 0
        self.score = np.zeros((metrics, 0, effects), dtype=np.float32)
        self.left_zero = np.zeros((metrics, 0, effects), dtype=np.int32)
        """In seconds."""
        for name in self.BY_COHORT:
            setattr(self, name, np.zeros((metrics, 0)))
        # For each of two window lengths: seen, expected, variance; then what was learned of them.
        self.window = np.zeros((2, 3, metrics, 0))
        self.surplus = np.zeros((2, metrics, 0))
        self.windows = np.zeros((2, metrics, 0))
        self.size = np.zeros((2, metrics, 0))
        """Sums of squared expectation over variance: how far a wobble of the rates would show."""
        self.extent = np.zeros((2, metrics, 0))
        """The size of a window of those who began with what others had taught; else infinite."""
        self.wobble = np.zeros((2, 2, metrics))
        """By window length: surprise beyond chance, and size, of all cohorts of a metric."""
        # What waits to be believed: seen, expected; then, by window length, surprise, count, size.
        self.pending = np.zeros((8, metrics, 0))
        self._slot = np.zeros((metrics, 0), dtype=np.int32)
        """Where the sums of a row are in this tick, if something was told of it."""
        self._forget_tick()
        self.doubt = self._doubt()
        self.chance = np.full(metrics, 0.5)
        """How likely a success is on the whole, by metric."""
        self._measure_effects()
        self.grow(1)

    learned: Floats
    seen: Floats
    expected: Floats
    bias: Floats
    dispersion: Floats
    excess: Floats
    _limit: Floats

    @property
    def limit(self) -> Floats:
        """The evidence that each row must reach, to be read; infinity where it is not watched."""
        limit = self._limit.view()
        limit.flags.writeable = False
        return limit

    def set_limit(self, rows: Any, limit: Any) -> None:
        """Set the thresholds of the rows (metric, cohort) that an index picks."""
        self._limit[rows] = limit
        self._slot[rows] = np.where(np.isfinite(self._limit[rows]), FREE, UNWATCHED)

    def _forget_tick(self) -> None:
        self._sums = np.empty((0, 2 * self.ratios.shape[1]), dtype=np.float32)
        self._touched = np.empty((2, 0), dtype=np.int64)

    def __getstate__(self) -> dict[str, Any]:
        # A snapshot need not carry megabytes that mean nothing between ticks.
        self._forget_tick()
        return vars(self)

    def grow(self, cohorts: int) -> bool:
        """Make room for at least so many cohorts; tell whether it had to be made."""
        if cohorts <= self.room:
            return False
        more = max(cohorts - self.room, self.room // 4, FIRST_ROOM)
        for name, axis in (
            *((name, 1) for name in ("score", "left_zero", "_slot", *self.BY_COHORT)),
            *((name, -1) for name in self.WINDOWED),
        ):
            old = getattr(self, name)
            shape = list(old.shape)
            shape[axis] = more
            fill = {"dispersion": 1.0, "_limit": np.inf, "_slot": UNWATCHED, "extent": np.inf}.get(
                name, 0
            )
            fresh = np.full(shape, fill, dtype=old.dtype)
            setattr(self, name, np.concatenate([old, fresh], axis=axis))
        self.room += more
        return True

    def add(self, told: Told, members: Members, now_ms: int) -> Ints:
        """Add what trials told to their cohorts; return rows (metric, cohort) that are high."""
        most = int((members.stop[told.leaf] - members.start[told.leaf]).sum())
        if most > len(self._sums):
            self._touched = np.empty((2, 2 * most), dtype=np.int64)
            self._sums = np.empty((2 * most, 2 * self.ratios.shape[1]), dtype=np.float32)
        tick = self._touched, self._slot, self._sums
        count = scatter(*told, self.ratios, *members, *tick)
        high = np.empty((2, count), dtype=np.int64)
        learned = self.bias, self.dispersion, self.excess
        told_by, judged = (self.needed, self.steep), (self._limit, self.doubt)
        state, now_s = (self.score, self.left_zero), np.int32(now_ms // 1000)
        found = settle(count, *tick, *learned, *told_by, *judged, *state, now_s, high)
        return high[:, :found].T

    def inherit(self, cohorts: Ints, parents: Ints) -> None:
        """Let new cohorts begin with what was learned of others: their bias and liveliness."""
        for values in (self.seen, self.expected, self.bias, self.dispersion, self.excess):
            values[:, cohorts] = values[:, parents]
        for values in (self.surplus, self.windows, self.size):
            values[:, :, cohorts] = values[:, :, parents]
        self.extent[:, :, cohorts] = 0.0

    def calibrate(self, matured: Matured, members: Members) -> None:
        """Take in matured trials: what cohorts always are off by, and how lively they are."""
        _tally(*matured.tallied, *members, self.learned, self.window)

    def close_hour(self, hour: int, cohorts: int, *, settled: bool) -> None:
        """End an hour: compare each cohort's surprise with what its baseline allows.

        ``cohorts`` is how many there are. Until the baseline has ``settled`` its errors say nothing
        about those to come.
        """
        if not settled:
            self.window[:] = 0.0
            return
        self._follow_chance()
        calm = np.empty(self.window.shape[2:], dtype=np.bool_)
        cool_down(cohorts, self.score, self._hot(), calm)
        hour_of = self.window, self.pending, self.extent, self.bias
        close_window(cohorts, *hour_of, hour % LONG_WINDOW_H == 0)
        self.wobble *= WOBBLE_MEMORY
        before = self.wobble.copy()
        rates, lively = (self.seen, self.expected), (self.surplus, self.windows, self.size)
        believe(cohorts, calm, self.pending, rates, lively, self.wobble)
        self._bound_wobble(before)
        wobble = np.maximum(self.wobble[:, 0], 0.0) / np.maximum(self.wobble[:, 1], 1.0)
        odds = self.chance / (1.0 - self.chance)
        told = self.bias, self.dispersion, self.excess
        judge(cohorts, (*rates, *lively), wobble, odds, self.extent, *told)
        self.doubt = self._doubt()

    def _bound_wobble(self, before: Floats) -> None:
        """Let one odd hour raise the wobble by a bounded step only.

        A fault shows in thousands of cohorts that overlap; what is not high yet in each of them
        must not excuse it in all.
        """
        added = self.wobble - before
        known = np.maximum(before[:, 0], 0.0) / np.maximum(before[:, 1], 1.0)
        most = np.maximum(WOBBLE_STEP * known, WOBBLE_FLOOR) * added[:, 1]
        self.wobble[:, 0] = before[:, 0] + np.minimum(added[:, 0], most)

    def _follow_chance(self) -> None:
        """Follow how likely a success is on the whole, by metric."""
        _, expected, variance = self.window[0, :, :, EVERYONE_ID]
        some = variance > 0.0
        chance = np.clip(1.0 - variance[some] / expected[some], LEAST, MOST)
        self.chance[some] += CHANCE_RATE * (chance - self.chance[some])
        self._measure_effects()

    def _measure_effects(self) -> None:
        """Work out, M x E, how many trials tell an effect, and what liveliness could pass for it.

        ``needed`` trials tell it from the baseline on average; ``steep`` is the most liveliness
        for each trial that is not taken for it.
        """
        p = self.chance[:, None]
        q = alternative(p, self.ratios)
        told = q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p))
        steep = np.log(self.ratios) ** 2 / (2 * UNLIKELY) * p / (1 - p)
        self.needed = (ENOUGH / np.maximum(told, 1e-9)).astype(np.float32)
        self.steep = steep.astype(np.float32)

    def _hot(self) -> Floats:
        """Return, M x E, from which score on the evidence is high, doubt taken off."""
        room = np.maximum(1.0 - HOT * self.doubt, 0.0)
        with np.errstate(divide="ignore"):
            return np.asarray(HOT / room)

    def _doubt(self) -> Floats:
        """Return, M x E, one over the most evidence that an effect can have.

        If the logarithm of the baseline is off with a standard deviation t, no number of trials
        tells an effect d from that error with more evidence than d^2 / 2 t^2. The long windows
        tell t; it is asked of drops only, as rises are many times over any error.
        """
        wobble = np.maximum(self.wobble[1, 0], 0.0) / np.maximum(self.wobble[1, 1], 1.0)
        variance = np.maximum(wobble, LEAST_DOUBT**2)[:, None]
        size = np.log(np.minimum(self.ratios, 1.0))
        doubt: Floats = np.where(size < 0, 2 * variance / np.maximum(size**2, 1e-12), 0.0)
        return doubt

    def is_hot(self, matured: Matured, members: Members, cohorts: int) -> Bools:
        """Tell of which trials some cohort's evidence is so high that learning had better wait.

        ``cohorts`` is how many there are.
        """
        hot = np.zeros(len(matured.leaf), dtype=bool)
        rows = np.zeros(self.score.shape[:2], dtype=bool)
        if find_hot(cohorts, self.score, self._hot(), rows):
            _find_hot(matured.metric, matured.leaf, *members, rows, hot)
        return hot

    def statistic(self, metric: int, cohort: int) -> float:
        """Return the log evidence of a row: the mixture over effect sizes."""
        score = _doubted(self.score[metric, cohort].astype(np.float64), self.doubt[metric])
        top = float(score.max())
        return top + float(np.log(np.mean(np.exp(score - top))))

    def onset_of(self, metric: int, cohort: int) -> tuple[int, int]:
        """Return when the strongest effect of a row last left zero, and which effect it is."""
        effect = int(np.argmax(_doubted(self.score[metric, cohort], self.doubt[metric])))
        return int(self.left_zero[metric, cohort, effect]) * 1000, effect

    def is_calm(self, metric: int, cohort: int, price: float) -> bool:
        """Tell whether no sum of gains since any moment can come near a price.

        Each CUSUM is the largest of those sums, over the row's liveliness; half the price leaves
        room for effects between those that are watched. A row nobody watches may be anything.
        """
        if not np.isfinite(self._limit[metric, cohort]):
            return False
        top = float(self.score[metric, cohort].max()) * float(self.dispersion[metric, cohort])
        return top < price / 2

    def reset(self, metrics: Bools, cohorts: Bools) -> None:
        """Start the test anew for the metrics of a mask, in the cohorts of another.

        What waits to be believed of them is forgotten: it may be the harm itself.
        """
        rows = np.ix_(metrics, np.flatnonzero(cohorts))
        for values in (self.score, *self.pending, *self.window[0], *self.window[1]):
            values[rows] = 0.0

    def of_row(self, metric: int, cohort: int) -> Floats:
        """Return the log evidence of a row for each effect size since it last left zero."""
        score: Floats = self.score[metric, cohort].astype(np.float64)
        return score

    def gains(self, told: Told) -> Floats:
        """Return the log-likelihood ratio that all rows together add for each effect size."""
        ratios = self.ratios[told.metric].T
        gains: Floats = _gains(told.p, told.before, told.after, told.won, ratios).sum(axis=1)
        return gains


def alternative(p: Floats, ratio: Floats) -> Floats:
    """Return the probability of success under an alternative: a drop of p, a rise of its odds."""
    risen = ratio * p / (1 - p + ratio * p)
    q: Floats = np.clip(np.where(ratio > 1, risen, p * ratio), LEAST, MOST)
    return q


def _doubted(score: npt.NDArray[Any], doubt: Floats) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = score / (1.0 + doubt * score)
    return found


def _gains(p: Floats, before: Floats, after: Floats, won: Bools, ratio: Floats) -> Floats:
    q = alternative(p, ratio)
    failing = np.log((1 - q * after) / (1 - p * after))
    was = np.log((1 - q * before) / (1 - p * before))
    gains: Floats = np.where(won, np.log(q / p), failing) - was
    return gains


@compiled
def _tally(  # noqa: PLR0913 - a compiled loop takes its arrays one by one
    metric: Ints,
    leaf: Ints,
    success: Bools,
    predicted: Floats,
    flat: Narrow,
    start: Ints,
    stop: Ints,
    learned: Floats,
    window: Floats,
) -> None:
    for i in range(len(leaf)):
        m, p = metric[i], predicted[i]
        for k in range(start[leaf[i]], stop[leaf[i]]):
            c = flat[k]
            learned[m, c] += 1.0
            window[0, 0, m, c] += success[i]
            window[0, 1, m, c] += p
            window[0, 2, m, c] += p * (1 - p)


@compiled
def _find_hot(
    metric: Ints, leaf: Ints, flat: Narrow, start: Ints, stop: Ints, rows: Bools, hot: Bools
) -> None:
    for i in range(len(leaf)):
        for k in range(start[leaf[i]], stop[leaf[i]]):
            if rows[metric[i], flat[k]]:
                hot[i] = True
                break
