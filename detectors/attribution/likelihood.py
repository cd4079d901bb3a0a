"""What the tallies say about when it began and whom it hits, as likelihoods to weigh causes by."""

import math
from dataclasses import dataclass

import numpy as np

from detectors.evidence import FloatArray, IncidentEvidence, IntArray
from detectors.localising import DROPS, RISES
from detectors.sequential import alternative
from detectors.trials import Bools
from recoup.domain.cohort import Cohort

MOST = 0.985
VOLUME = "volume:"


@dataclass(frozen=True)
class Picture:
    """The metric of an incident, as gains of its alternatives over the baseline.

    ``gains[r, g]`` is the log-likelihood ratio of row r under alternative g; ``ticks`` the starts
    of the ticks from well before the onset until now, ``belief`` the probability that it began
    with each of them, in the root cohort.
    """

    rows: Bools
    leaf: IntArray
    tick_ms: IntArray
    gains: FloatArray
    best: int
    ticks: IntArray
    belief: FloatArray
    onset_ms: int
    leaves: int

    def explained(self, mask: Bools) -> float:
        """Return the log-likelihood ratio of a shared effect in these leaves since the onset."""
        used = mask[self.leaf] & (self.tick_ms >= self.onset_ms - 60_000)
        return max(0.0, float(self.gains[used].sum(axis=0).max(initial=0.0)))


def picture_of(evidence: IncidentEvidence, root: Cohort) -> Picture:
    """Return the picture of an incident; its metric must be among those of the evidence."""
    number = evidence.metrics.index(evidence.metric_name)
    rows = evidence.metric == number
    leaf, tick_ms = evidence.leaf[rows], evidence.tick_ms[rows]
    ratios = DROPS if evidence.direction == "drop" else RISES
    gains = _gains(evidence, rows, ratios)
    inside = evidence.in_cohort(root)[leaf]
    since = inside & (tick_ms >= evidence.onset_ms)
    best = int(np.argmax(gains[since].sum(axis=0))) if since.any() else 0
    size = evidence.tick_size_ms
    first = int(tick_ms.min(initial=evidence.onset_ms)) // size
    last = max(evidence.until_ms // size, first + 1)
    place = np.clip(tick_ms[inside] // size - first, 0, last - first - 1)
    by_tick = np.bincount(place, gains[inside, best], last - first)
    suffix = np.cumsum(by_tick[::-1])[::-1]
    belief = np.exp(suffix - suffix.max())
    return Picture(
        rows=rows,
        leaf=leaf,
        tick_ms=tick_ms,
        gains=gains,
        best=best,
        ticks=(first + np.arange(last - first)) * size,
        belief=belief / belief.sum(),
        onset_ms=evidence.onset_ms,
        leaves=len(evidence.leaves),
    )


def _gains(evidence: IncidentEvidence, rows: Bools, ratios: FloatArray) -> FloatArray:
    n, k, e = evidence.trials[rows], evidence.observed[rows], evidence.expected[rows]
    if evidence.metric_name.startswith(VOLUME):
        poisson: FloatArray = k[:, None] * np.log(ratios) + e[:, None] * (1 - ratios)
        return poisson
    p = np.clip(e / np.maximum(n, 1e-9), 1e-4, MOST)[:, None]
    q = alternative(p, ratios[None, :])
    misses = np.maximum(n - k, 0.0)[:, None]
    gains: FloatArray = k[:, None] * np.log(q / p) + misses * np.log((1 - q) / (1 - p))
    return gains


def interval(picture: Picture, share: float = 0.9) -> tuple[int, int]:
    """Return between which moments it began, with this probability."""
    ends = np.interp([(1 - share) / 2, (1 + share) / 2], np.cumsum(picture.belief), picture.ticks)
    return int(ends[0]), int(ends[1])


def log_mean(values: list[tuple[float, float]]) -> float:
    """Return the log of a weighted mean, given (weight, log value) pairs."""
    top = max(value for _, value in values)
    return top + math.log(sum(weight * math.exp(value - top) for weight, value in values))
