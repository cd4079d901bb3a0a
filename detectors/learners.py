"""The River learners: what should happen, for any dimensions at any time of the week.

One logistic model a metric learns from every trial once it has reached a fixed age, success or
failure alike (learning successes when they come would teach it that recent trials succeed). A
combination never seen before has a prediction at once, from its parts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from river.linear_model import LogisticRegression
from river.optim import AdaGrad
from river.stats import EWMean, Quantile

from detectors.configuration import DAY_MS, HOUR_MS
from detectors.trials import Floats, Matured
from recoup.domain.cohort import Cohort

RATE = 0.05
WEEKEND_FROM = 5
EPOCH_WEEKDAY = 3
"""1 January 1970 was a Thursday."""


def time_features(time_ms: int) -> dict[str, float]:
    """Return two daily harmonics and whether it is a weekend.

    The harmonics are shared: a shop's second day is a weekend as often as not, and a curve of its
    own for each sort of day would be a guess wherever that sort was not seen yet.
    """
    weekday = (time_ms // DAY_MS + EPOCH_WEEKDAY) % 7
    angle = 2 * math.pi * (time_ms % DAY_MS) / DAY_MS
    return {
        "weekend": 1.0 if weekday >= WEEKEND_FROM else 0.0,
        "sin1": math.sin(angle),
        "cos1": math.cos(angle),
        "sin2": math.sin(2 * angle),
        "cos2": math.cos(2 * angle),
    }


@dataclass
class OutcomeLearner:
    """Predicts the success of a trial of one metric, and learns from it."""

    ignored: frozenset[str]
    model: LogisticRegression = field(
        default_factory=lambda: LogisticRegression(optimizer=AdaGrad(RATE), intercept_lr=0.02)
    )
    accepted: list[Cohort] = field(default_factory=list)
    """Cohorts whose own level people declared to be normal: each is a feature of its own."""
    learned: int = 0
    _features: dict[int, dict[str, float]] = field(default_factory=dict)

    def features(self, leaf: int, dims: dict[str, str]) -> dict[str, float]:
        """Return the one-hot features of a leaf, remembered by its number."""
        known = self._features.get(leaf)
        if known is None:
            known = {f"{k}={v}": 1.0 for k, v in dims.items() if k not in self.ignored}
            for cohort in self.accepted:
                if cohort.covers(dims):
                    known[f"accepted:{cohort.label}"] = 1.0
            self._features[leaf] = known
        return known

    def predict(self, leaves: list[int], dims: Sequence[dict[str, str]], now_ms: int) -> Floats:
        """Return the probability of success of trials that begin now."""
        when = time_features(now_ms)
        cache: dict[int, float] = {}
        for leaf in leaves:
            if leaf not in cache:
                x = {**self.features(leaf, dims[leaf]), **when}
                known = self.model.predict_proba_one(x)  # type: ignore[no-untyped-call] # River has no types here.
                cache[leaf] = known.get(True, 0.5)
        return np.array([cache[leaf] for leaf in leaves], dtype=np.float64)

    def learn(self, matured: Matured, dims: Sequence[dict[str, str]]) -> None:
        """Learn from trials that have reached their age."""
        learn_one = self.model.learn_one
        hours: dict[int, dict[str, float]] = {}
        for leaf, exposed, success in zip(
            matured.leaf.tolist(),
            matured.exposed_ms.tolist(),
            matured.success.tolist(),
            strict=True,
        ):
            hour = exposed // HOUR_MS
            when = hours.get(hour)
            if when is None:
                when = hours[hour] = time_features(hour * HOUR_MS)
            learn_one({**self.features(leaf, dims[leaf]), **when}, success)
        self.learned += len(matured.leaf)

    def accept(self, cohort: Cohort) -> None:
        """Give a cohort a level of its own, which released trials will teach."""
        if cohort not in self.accepted:
            self.accepted.append(cohort)
            self._features.clear()


@dataclass
class SlownessLearner:
    """The learned 95th percentile of one endpoint's latency; slower is a success of a rise."""

    quantile: Quantile = field(default_factory=lambda: Quantile(0.95))
    seen: int = 0

    def observe(self, ms: float) -> bool:
        """Tell whether a call is slower than the quantile so far, then learn from it."""
        limit = self.quantile.get()
        self.quantile.update(ms)
        self.seen += 1
        return limit is not None and ms > limit


@dataclass
class CountLearner:
    """The expected number of events of one type in a tick: a weekly profile times a level."""

    fading: float = 0.3
    bins: dict[int, EWMean] = field(default_factory=dict)
    level: EWMean = field(default_factory=lambda: EWMean(0.02))
    surplus: EWMean = field(default_factory=lambda: EWMean(0.01))
    """Squared deviation over expectation: 1 for a Poisson count, more for a lively shop."""
    seen: int = 0

    def expect(self, now_ms: int) -> float:
        """Return the expected count of the tick that starts now; 0 while nothing is known."""
        profile = self.bins.get(self._bin(now_ms))
        if profile is None:
            return 0.0
        return float(profile.get() * max(0.05, self.level.get() or 1.0))

    def learn(self, now_ms: int, count: float) -> None:
        """Learn from a tick."""
        expected = self.expect(now_ms)
        bin_number = self._bin(now_ms)
        profile = self.bins.setdefault(bin_number, EWMean(self.fading / 10))
        if expected > 0:
            self.level.update(min(5.0, count / max(profile.get(), 1e-9)))
            self.surplus.update(min(50.0, (count - expected) ** 2 / max(expected, 0.5)))
        profile.update(count)
        self.seen += 1

    @staticmethod
    def _bin(now_ms: int) -> int:
        weekday = (now_ms // DAY_MS + EPOCH_WEEKDAY) % 7
        return int((now_ms % DAY_MS) // HOUR_MS) + (24 if weekday >= WEEKEND_FROM else 0)
