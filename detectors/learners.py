"""The River learners: what should happen, for any dimensions at any time of the week.

One logistic model a metric learns from every trial once it has reached a fixed age, success or
failure alike (learning successes when they come would teach it that recent trials succeed). A
combination never seen before has a prediction at once, from its parts.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from river.linear_model import LogisticRegression
from river.optim import AdaGrad
from river.stats import EWMean, Quantile

from detectors.cohorts import CohortIndex
from detectors.columns import Ints
from detectors.compiled import compiled
from detectors.configuration import DAY_MS, HOUR_MS
from detectors.trials import Bools, Floats, Matured
from recoup.domain.cohort import Cohort

RATE = 0.05
WEEKEND_FROM = 5
EPOCH_WEEKDAY = 3
"""1 January 1970 was a Thursday."""

FEW, MANY, FEW_SHARE = 16, 512, 50
"""Trials of one step of the optimiser: at least, at most, and the learned ones for one more."""

USUAL_RATE = 0.01
LEVEL_PRIOR = 300.0
LEVEL_GAIN = 0.25
LEVEL_BOUND = 1.4
TIMES = ("level", "weekend", "sin1", "cos1", "sin2", "cos2")


def time_features(hour: Ints, first_ms: int) -> Floats:
    """Return n x 6 for hours since 1970: one, whether it is a weekend, and two daily harmonics.

    A weekend is told apart once a week was seen: before, its weight and the level could not be
    told from each other, and the first working day would be a guess.
    """
    features = BY_HOUR[hour % len(BY_HOUR)]
    features[:, 1] = _is_weekend(hour * HOUR_MS, first_ms)
    return features


def _is_weekend(time_ms: Any, first_ms: int) -> Any:
    """Tell of a moment, or of an array of them, whether it is a known weekend."""
    weekend = (time_ms // DAY_MS + EPOCH_WEEKDAY) % 7 >= WEEKEND_FROM
    return weekend & (time_ms - first_ms >= 6 * DAY_MS)


def _features_of(time_ms: int, first_ms: int) -> tuple[float, ...]:
    """Return the ``time_features`` of one moment."""
    weekend = _is_weekend(time_ms, first_ms)
    angle = 2 * math.pi * (time_ms % DAY_MS) / DAY_MS
    waves = (math.sin(angle), math.cos(angle), math.sin(2 * angle), math.cos(2 * angle))
    return (1.0, float(weekend), *waves)


BY_HOUR = np.array([_features_of(hour * HOUR_MS, 0) for hour in range(24)])


class ArrayRegression(LogisticRegression):
    """River's logistic regression; it learns a mini-batch from arrays, without data frames."""

    def learn_array(
        self, features: Floats, names: list[str], success: Bools, weights: Floats
    ) -> None:
        """As ``learn_many``, for n x p ``features`` with their p ``names``."""
        river: Any = self  # Its steps of learning are written without types.

        def gradient(columns: list[str], y: Bools, w: Floats) -> tuple[dict[str, float], float]:
            found, mean = river._eval_gradient_many(features, columns, y, w)
            # The optimiser works number by number, which is slow with those of NumPy.
            return dict(zip(found, map(float, found.values()), strict=True)), mean

        saved = river._enter_learn_mode(set(names))
        try:
            river._fit(x=names, y=success, w=weights, get_grad=gradient)
        finally:
            river._exit_learn_mode(saved)


@dataclass
class OutcomeLearner:
    """Predicts the success of a trial of one metric, and learns from it.

    Features are one-hot values (by their numbers in the cohort index), the time, and cohorts
    whose own level people declared to be normal.
    """

    ignored: frozenset[str]
    model: "ArrayRegression" = field(
        default_factory=lambda: ArrayRegression(optimizer=AdaGrad(RATE), intercept_lr=0.0)
    )
    accepted: list[Cohort] = field(default_factory=list)
    learned: int = 0
    first_ms: int = 0
    level: float = 1.0
    """A slow factor on all predictions: how the shop as a whole does these hours."""
    _names: list[str | None] = field(default_factory=lambda: [None])
    _usual: Floats = field(default_factory=lambda: np.zeros(1))
    _trials: float = 0.0
    _kept: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """The values that are features: all but those of the ignored dimensions."""
    _column: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Which feature each value is; -1 for none."""
    values: Floats = field(default_factory=lambda: np.zeros(1))
    """The weight of each value, by its number in the cohort index."""
    times: Floats = field(default_factory=lambda: np.zeros(len(TIMES)))
    levels: Floats = field(default_factory=lambda: np.zeros(0))
    """The weights of the accepted cohorts."""

    def learn(self, matured: Matured, index: CohortIndex) -> None:
        """Learn from trials that have reached their age; equal ones at one hour are one step."""
        hour = matured.exposed_ms // HOUR_MS
        key = (hour << 1 | matured.success) << 32 | matured.leaf
        _, first, counts = np.unique(key, return_index=True, return_counts=True)
        order = np.argsort(first)
        rows, counts = first[order], counts[order].astype(float)
        leaf, hour, success = matured.leaf[rows], hour[rows], matured.success[rows]
        if not self.learned:
            self.first_ms = int(matured.exposed_ms.min())
            self._begin_at(float(matured.success.sum() + 0.5) / (len(matured.success) + 1.0))
        self._read_names(index)
        names = self._columns()
        start = 0
        while start < len(rows):
            # Small steps while every trial still moves the model, larger ones later.
            size = min(max(self.learned // FEW_SHARE, FEW), MANY)
            part = slice(start, start + size)
            features = self._features(leaf[part], hour[part], counts[part], index)
            # River takes the mean of the gradients; every trial is to count as one.
            weights = counts[part] * len(features)
            self.model.learn_array(features, names, success[part], weights)
            self.learned += int(counts[part].sum())
            start += size

    def _begin_at(self, share: float) -> None:
        """Start from the first hour's share of successes; from a half, rare ones take days."""
        self.model._weights.update({TIMES[0]: math.log(share / (1 - share))})

    def follow_level(self, seen: float, expected: float) -> None:
        """Take in how many successes an hour had against what was expected."""
        ratio = (seen + LEVEL_PRIOR) / (expected + LEVEL_PRIOR)
        level = self.level * ratio**LEVEL_GAIN
        self.level = min(max(level, 1 / LEVEL_BOUND), LEVEL_BOUND)

    def accept(self, cohort: Cohort, log_odds: float, index: CohortIndex) -> None:
        """Give a cohort a level of its own, from which learning goes on."""
        if cohort not in self.accepted:
            self.accepted.append(cohort)
            self.model._weights.update({_level_name(cohort): 0.0})
        name = _level_name(cohort)
        self.model._weights.update({name: self.model.weights.get(name, 0.0) + log_odds})
        self.read_weights(index)

    def _features(self, leaf: Ints, hour: Ints, counts: Floats, index: CohortIndex) -> Floats:
        codes, times = index.codes_of(leaf), time_features(hour, self.first_ms)
        self._follow_usual(codes, counts)
        values = _one_hot(codes, self._usual[self._kept], self._column)
        own = [index.covered(cohort, leaf)[:, None].astype(float) for cohort in self.accepted]
        return np.hstack([values, times, *own])

    def _columns(self) -> list[str]:
        """Return the names of the features."""
        names = [name for name in self._names if name is not None]
        return names + list(TIMES) + [_level_name(cohort) for cohort in self.accepted]

    def _follow_usual(self, codes: Ints, counts: Floats) -> None:
        """Follow how usual each value is; features are told from there.

        So what all trials have in common moves the level alone, and not every value a little.
        """
        share = _shares(codes, counts, len(self._names))
        self._trials += float(counts.sum())
        rate = max(counts.sum() / self._trials, USUAL_RATE)
        self._usual += rate * (share - self._usual)

    def _read_names(self, index: CohortIndex) -> None:
        for dimension, value in index.values[len(self._names) :]:
            ignored = dimension in self.ignored
            self._names.append(None if ignored else f"{dimension}={value}")
        fresh = len(self._names) - len(self._usual)
        if fresh:
            kept = [number for number, name in enumerate(self._names) if name is not None]
            self._kept = np.array(kept, dtype=np.int64)
            self._column = np.full(len(self._names), -1, dtype=np.int64)
            self._column[self._kept] = np.arange(len(kept))
        self._usual = np.concatenate([self._usual, np.zeros(fresh)])

    def read_weights(self, index: CohortIndex) -> None:
        """Take over the model's weights as arrays."""
        self._read_names(index)
        weights = self.model.weights
        self.values = np.array([weights.get(name, 0.0) for name in self._names])
        self.times = np.array([weights.get(name, 0.0) for name in TIMES])
        self.times[0] -= float(self.values @ self._usual)
        names = map(_level_name, self.accepted)
        self.levels = np.array([weights.get(name, 0.0) for name in names])


class Baseline:
    """The learners of all metrics, asked at once for the trials of a tick."""

    def __init__(self, metrics: int, ignored: frozenset[str]) -> None:
        self.learners = [OutcomeLearner(ignored) for _ in range(metrics)]
        self._values = np.zeros((metrics, 1))
        self._times = np.zeros((metrics, len(TIMES)))
        self.first_ms = 0
        self.revision = 0
        """How often the weights were read."""

    def predict(
        self, metric: Ints, leaf: Ints, index: CohortIndex, tick: Ints, starts_ms: list[int]
    ) -> Floats:
        """Return the probability of success of trials that begin in ticks with these starts."""
        if self._values.shape[1] < len(index.values):
            self.take_over(index)
        times = np.array([_features_of(start_ms, self.first_ms) for start_ms in starts_ms])
        scores = _scores(metric, index.codes_of(leaf), self._values, self._times, tick, times)
        for number, learner in enumerate(self.learners):
            for place, cohort in enumerate(learner.accepted):
                mine = (metric == number) & index.covered(cohort, leaf)
                scores[mine] += learner.levels[place]
        return _share(metric, scores, np.array([learner.level for learner in self.learners]))

    def take_over(self, index: CohortIndex) -> None:
        """Read the weights after the learners have learned, or values became known."""
        self.revision += 1
        self._values = np.zeros((len(self.learners), len(index.values)))
        for number, learner in enumerate(self.learners):
            learner.read_weights(index)
            self._values[number] = learner.values
            self.first_ms = self.first_ms or learner.first_ms
            self._times[number] = learner.times


@compiled
def _shares(codes: Ints, counts: Floats, values: int) -> Floats:
    """Return how large a share of so many trials has each value."""
    shares = np.zeros(values)
    for i in range(len(codes)):
        for code in codes[i]:
            shares[code] += counts[i]
    shares /= counts.sum()
    return shares


@compiled
def _one_hot(codes: Ints, usual: Floats, column: Ints) -> Floats:
    """Return n x features: one for each value of a trial, less the usual share of each."""
    found = np.empty((len(codes), len(usual)))
    for i in range(len(codes)):
        found[i] = -usual
        for code in codes[i]:
            if column[code] >= 0:
                found[i, column[code]] = 1.0 - usual[column[code]]
    return found


@compiled
def _scores(
    metric: Ints, codes: Ints, values: Floats, weights: Floats, tick: Ints, times: Floats
) -> Floats:
    """Return the log odds of trials: of their metric at their time, and of each of their values.

    They are the same to the bit however many trials are asked for at once.
    """
    scores = np.empty(len(metric))
    for i in range(len(metric)):
        score = 0.0
        for k in range(times.shape[1]):
            score += weights[metric[i], k] * times[tick[i], k]
        for value in codes[i]:
            score += values[metric[i], value]
        scores[i] = score
    return scores


@compiled
def _share(metric: Ints, scores: Floats, levels: Floats) -> Floats:
    shares = np.empty(len(metric))
    for i in range(len(metric)):
        shares[i] = levels[metric[i]] / (1.0 + math.exp(-scores[i]))
    return shares


def _level_name(cohort: Cohort) -> str:
    return f"accepted:{cohort.label}"


@dataclass
class SlownessLearner:
    """The learned 95th percentile of one endpoint's latency."""

    quantile: Quantile = field(default_factory=lambda: Quantile(0.95))

    def observe(self, ms: float) -> bool:
        """Tell whether a call is slower than the quantile so far, then learn from it."""
        limit = self.quantile.get()
        slow = limit is not None and ms > limit
        self.quantile.update(ms)
        return slow


SURGE = 1.3
"""A tick teaches at most so many times what was expected."""

BINS = 96
"""Times of day that are told apart."""

TICKS_A_BIN = 10
TICKS_A_QUARTER = 15
BUSIER = 1.5
"""So much busier than at this time of other days is believed when the stream is to fall silent."""


@dataclass
class VolumeLearner:
    """The expected number of events of one type in a tick: a daily profile times a recent level."""

    profile: list[float] = field(default_factory=lambda: [0.0] * BINS)
    """By time of day: the mean count, and how often there was one."""
    visits: list[int] = field(default_factory=lambda: [0] * BINS)
    recent: EWMean = field(default_factory=lambda: EWMean(1 / 45))
    recent_profile: EWMean = field(default_factory=lambda: EWMean(1 / 45))
    surplus: EWMean = field(default_factory=lambda: EWMean(0.005))
    """Squared deviation over expectation: 1 for a Poisson count, more for a lively shop."""

    clumps: EWMean = field(default_factory=lambda: EWMean(0.05))
    """The same of quarters of an hour: a session's events come in clumps longer than a tick."""
    _quarter: tuple[int, float, float] = 0, 0.0, 0.0
    """Ticks, events and expected ones of the quarter that is under way."""

    @property
    def liveliness(self) -> float:
        """How many times the variance of a Poisson count deviations have; at least one."""
        return max(1.0, self.surplus.get() or 1.0, self.clumps.get() or 1.0)

    def expect(self, now_ms: int) -> float:
        """Return the expected count of the tick that begins now; 0 while too little is known."""
        ratio = self.profile[self._bin(now_ms)] / max(self.recent_profile.get() or 0.0, 1e-9)
        return float((self.recent.get() or 0.0) * min(max(ratio, 0.25), 4.0))

    def at_least(self, now_ms: int, expected: float) -> float:
        """Return what is expected, but no more than other days allow, once there was one.

        What a flood brought up falls back when it ends, and that is no silence.
        """
        place = self._bin(now_ms)
        if self.visits[place] < TICKS_A_BIN:
            return expected
        return min(expected, BUSIER * self.profile[place])

    def learn(self, now_ms: int, count: float, expected: float) -> None:
        """Learn from a tick; of a surge only so much that the end of a flood is no silence."""
        if expected > 0:
            self.surplus.update(min(50.0, (count - expected) ** 2 / max(expected, 0.5)))
            count = min(count, max(SURGE * expected, expected + 3.0 * math.sqrt(expected) + 1.0))
            self._follow_clumps(count, expected)
        place = self._bin(now_ms)
        self.visits[place] += 1
        rate = max(1 / self.visits[place], 1 / 60)
        self.profile[place] += rate * (count - self.profile[place])
        self.recent.update(count)
        self.recent_profile.update(self.profile[place])

    def _follow_clumps(self, count: float, expected: float) -> None:
        ticks, came, due = self._quarter
        self._quarter = ticks, came, due = ticks + 1, came + count, due + expected
        if ticks >= TICKS_A_QUARTER:
            self.clumps.update(min(50.0, (came - due) ** 2 / max(due, 0.5)))
            self._quarter = 0, 0.0, 0.0

    @staticmethod
    def _bin(now_ms: int) -> int:
        return now_ms % DAY_MS // (DAY_MS // BINS)
