"""The sequential test: for each metric and cohort, a mixture of CUSUMs over effect sizes.

Each CUSUM is an e-detector (Shin, Ramdas and Rinaldo, 2022): under the baseline the expected time
to cross ``log(b)`` is at least b, whatever the dependence between cohorts, so the threshold follows
from the false-alarm budget and the number of cohorts watched.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from detectors.trials import Bools, Floats, Ints

MONTH_MS = 30 * 24 * 3600 * 1000
BIAS_PRIOR = 60.0
BIAS_LIMIT = 0.35
BIAS_MEMORY = 0.995
SURPLUS_PRIOR = 4.0
SURPLUS_MEMORY = 0.97


@dataclass
class Evidence:
    """Growing arrays over rows; a row is one cohort under one metric."""

    effects: int
    score: Floats = field(init=False)
    left_zero: Ints = field(init=False)
    learned: Floats = field(init=False)
    seen: Floats = field(init=False)
    expected: Floats = field(init=False)
    window: Floats = field(init=False)
    surplus: Floats = field(init=False)
    windows: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.score = np.zeros((0, self.effects))
        self.left_zero = np.zeros((0, self.effects), dtype=np.int64)
        self.learned = np.zeros(0)
        self.seen = np.zeros(0)
        self.expected = np.zeros(0)
        self.window = np.zeros((0, 3))
        self.surplus = np.zeros(0)
        self.windows = np.zeros(0)

    def grow(self, rows: int) -> None:
        """Make room for at least ``rows`` rows."""
        present = len(self.learned)
        if rows <= present:
            return
        more = max(rows - present, present // 2, 1024)
        for name in (
            "score",
            "left_zero",
            "learned",
            "seen",
            "expected",
            "window",
            "surplus",
            "windows",
        ):
            old = getattr(self, name)
            fresh = np.zeros((more, *old.shape[1:]), dtype=old.dtype)
            setattr(self, name, np.concatenate([old, fresh]))

    def add(self, rows: Ints, gain: Floats, slope: Floats, now_ms: int) -> None:
        """Add one tick's increments to the rows they concern (each row once)."""
        corrected = gain + self.bias(rows)[:, None] * slope
        corrected /= self.dispersion(rows)[:, None]
        score = np.maximum(0.0, self.score[rows] + corrected)
        self.score[rows] = score
        self.left_zero[rows] = np.where(score <= 0.0, now_ms, self.left_zero[rows])

    def bias(self, rows: Ints) -> Floats:
        """Return the slow correction of a cohort's baseline, in log p: what it always is off by."""
        ratio = (self.seen[rows] + BIAS_PRIOR) / (self.expected[rows] + BIAS_PRIOR)
        off: Floats = np.clip(np.log(ratio), -BIAS_LIMIT, BIAS_LIMIT)
        return off

    def dispersion(self, rows: Ints) -> Floats:
        """Return how much livelier than its baseline a cohort is, at least 1."""
        mean = (self.surplus[rows] + SURPLUS_PRIOR) / (self.windows[rows] + SURPLUS_PRIOR)
        at_least_one: Floats = np.maximum(1.0, mean)
        return at_least_one

    def calibrate(
        self, rows: Ints, trials: Floats, seen: Floats, expected: Floats, variance: Floats
    ) -> None:
        """Take in matured trials of the rows they concern (each row once)."""
        self.learned[rows] += trials
        self.seen[rows] = self.seen[rows] * BIAS_MEMORY + seen
        self.expected[rows] = self.expected[rows] * BIAS_MEMORY + expected
        self.window[rows] += np.stack([seen, expected, variance], axis=1)

    def close_window(self) -> None:
        """End an hour: compare each cohort's surprise with what its baseline allows."""
        seen, expected, variance = self.window.T
        rows = np.flatnonzero(variance > 1.0)
        surprise = (seen[rows] - expected[rows] * np.exp(self.bias(rows))) ** 2 / variance[rows]
        self.surplus[rows] = self.surplus[rows] * SURPLUS_MEMORY + np.minimum(surprise, 25.0)
        self.windows[rows] = self.windows[rows] * SURPLUS_MEMORY + 1.0
        self.window[:] = 0.0

    def statistic(self, rows: Ints) -> Floats:
        """Return the log evidence of rows: the mixture over effect sizes."""
        score = self.score[rows]
        top = score.max(axis=1, initial=0.0)
        mean = np.mean(np.exp(score - top[:, None]), axis=1)
        mixture: Floats = top + np.log(mean)
        return mixture

    def onset_of(self, row: int) -> tuple[int, int]:
        """Return when the strongest effect of a row last left zero, and which effect it is."""
        effect = int(np.argmax(self.score[row]))
        return int(self.left_zero[row, effect]), effect

    def reset(self, mask: Bools) -> None:
        """Start the test anew for the rows of a mask."""
        self.score[mask] = 0.0


def threshold(rows: int, tick_ms: int, false_alarms_per_month: float) -> float:
    """Return the log evidence at which an alarm stays within the budget."""
    chances = max(rows, 1) * MONTH_MS / tick_ms
    return math.log(chances / max(false_alarms_per_month, 1e-6))
