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
MINUTE_MS = 60_000

EARLIER_MS = 6 * 60 * MINUTE_MS
"""How long before the tallies begin it may have begun, when the harm grew slowly."""

EARLIER_STEP = 5
SLOW_SHARE = 0.12
RAMPS_H = (2.0, 6.0, 12.0)
"""Slow leaks: over how many hours the harm may have grown to its full size."""

RAMP_SIZES = (3, 6, 8)
"""Which of the alternatives a slow leak may be growing to."""


@dataclass(frozen=True)
class Picture:
    """The metric of an incident, as gains of its alternatives over the baseline.

    ``by_leaf[i, g]`` is the log-likelihood ratio of leaf i under alternative g since the onset;
    ``weight[i]`` how many of the metric's trials it had. ``ticks`` are moments from well before
    the onset until now, ``belief`` the probability that it began with each of them, in the root
    cohort. ``appeared_ms`` is set when the cohort itself is new: when its first trial came.
    """

    by_leaf: FloatArray
    weight: FloatArray
    ticks: IntArray
    belief: FloatArray
    is_volume: bool
    appeared_ms: int | None = None

    def explained(self, mask: Bools) -> float:
        """Return the log-likelihood ratio of a shared effect in these leaves since the onset.

        No size of effect is preferred.
        """
        sums = self.by_leaf[mask].sum(axis=0)
        top = float(sums.max())
        return top + math.log(float(np.exp(sums - top).mean()))

    @property
    def most_likely_ms(self) -> int:
        """The most likely moment of the onset."""
        return int(self.ticks[int(np.argmax(self.belief))])


def picture_of(evidence: IncidentEvidence, root: Cohort) -> Picture:
    """Return the picture of an incident; its metric must be among those of the evidence."""
    number = evidence.metrics.index(evidence.metric_name)
    rows = evidence.metric == number
    leaf, tick_ms = evidence.leaf[rows], evidence.tick_ms[rows]
    is_volume = evidence.metric_name.startswith(VOLUME)
    ratios = DROPS if evidence.direction == "drop" else RISES
    n, k, e = evidence.trials[rows], evidence.observed[rows], evidence.expected[rows]
    inside = np.ones(len(leaf), dtype=bool) if is_volume else evidence.in_cohort(root)[leaf]
    ticks, belief = _onset(evidence, (tick_ms[inside], n[inside], k[inside], e[inside]), ratios)
    appeared = _appearance(evidence, root)
    if appeared is not None:
        belief = belief * _since_it_appeared(ticks, *appeared)
        belief = belief / max(belief.sum(), 1e-300)
    late = tick_ms >= evidence.onset_ms - MINUTE_MS
    by_leaf = np.zeros((len(evidence.leaves), len(ratios)))
    gains = gains_of(n[late], k[late], e[late], ratios, is_volume=is_volume)
    np.add.at(by_leaf, leaf[late], gains)
    return Picture(
        by_leaf=by_leaf,
        weight=np.bincount(leaf, n, len(evidence.leaves)).astype(np.float64),
        ticks=ticks,
        belief=belief,
        is_volume=is_volume,
        appeared_ms=appeared[0] if appeared else None,
    )


def gains_of(
    n: FloatArray, k: FloatArray, e: FloatArray, ratios: FloatArray, *, is_volume: bool
) -> FloatArray:
    """Return the log-likelihood ratio of each tally under each alternative."""
    if is_volume:
        poisson: FloatArray = k[:, None] * np.log(ratios) + e[:, None] * (1 - ratios)
        return poisson
    p = np.clip(e / np.maximum(n, 1e-9), 1e-4, MOST)[:, None]
    q = alternative(p, ratios[None, :])
    misses = np.maximum(n - k, 0.0)[:, None]
    gains: FloatArray = k[:, None] * np.log(q / p) + misses * np.log((1 - q) / (1 - p))
    return gains


def _onset(
    evidence: IncidentEvidence,
    tallies: tuple[IntArray, FloatArray, FloatArray, FloatArray],
    ratios: FloatArray,
) -> tuple[IntArray, FloatArray]:
    """Return moments and the probability that it began with each, for one cohort's tallies."""
    tick_ms, *counts = tallies
    size = evidence.tick_size_ms
    first = int(tick_ms.min(initial=evidence.onset_ms)) // size
    last = max(evidence.until_ms // size, first + 1)
    place = np.clip(tick_ms // size - first, 0, last - first - 1)
    n, k, e = (np.bincount(place, each, last - first).astype(np.float64) for each in counts)
    is_volume = evidence.metric_name.startswith(VOLUME)
    earlier = np.arange(-EARLIER_MS // size, 0, EARLIER_STEP)
    starts = np.concatenate([earlier, np.arange(last - first)])
    by_tick = gains_of(n, k, e, ratios, is_volume=is_volume)
    suffix = np.cumsum(by_tick[::-1], axis=0)[::-1]
    sudden = suffix[np.maximum(starts, 0)]
    slow = np.stack(
        [
            _ramp(starts, (n, k, e), float(ratios[size_of]), hours * 3_600_000 / size, is_volume)
            for hours in RAMPS_H
            for size_of in RAMP_SIZES
            if size_of < len(ratios)
        ],
        axis=1,
    )
    top = max(float(sudden.max()), float(slow.max()))
    weight = np.where(starts < 0, EARLIER_STEP, 1.0)
    found = weight * (
        (1 - SLOW_SHARE) * np.exp(sudden - top).mean(axis=1)
        + SLOW_SHARE * np.exp(slow - top).mean(axis=1)
    )
    return (first + starts) * size, found / found.sum()


def _ramp(
    starts: IntArray,
    tallies: tuple[FloatArray, FloatArray, FloatArray],
    ratio: float,
    length: float,
    is_volume: bool,
) -> FloatArray:
    """Return, for each start, the log-likelihood ratio of an effect that grows from it."""
    n, k, e = tallies
    ages = np.arange(len(n))[None, :] - starts[:, None]
    grown = 1.0 + (ratio - 1.0) * np.clip(ages / length, 0.0, 1.0)
    if is_volume:
        gains = k * np.log(grown) + e * (1 - grown)
    else:
        p = np.clip(e / np.maximum(n, 1e-9), 1e-4, MOST)[None, :]
        q = alternative(p, grown)
        gains = k * np.log(q / p) + np.maximum(n - k, 0.0) * np.log((1 - q) / (1 - p))
    found: FloatArray = gains.sum(axis=1)
    return found


NEW_AFTER_MS = 10 * MINUTE_MS
"""A cohort without a trial for so long at the start of the tallies has come into being since."""

ENOUGH_FOR_NEW = 8
MISSED = 6.0
"""So many trials must have failed to come before: silence for that long is not chance."""


def _appearance(evidence: IncidentEvidence, root: Cohort) -> tuple[int, float] | None:
    """Return when a new cohort's first trial came and its trials per minute then, if it is new."""
    if not len(root) or evidence.metric_name.startswith(VOLUME):
        return None
    inside = evidence.in_cohort(root)[evidence.leaf]
    ticks = evidence.tick_ms[inside]
    if len(ticks) < ENOUGH_FOR_NEW:
        return None
    first, start = int(ticks.min()), int(evidence.tick_ms.min())
    minutes = max((evidence.until_ms - first) / MINUTE_MS, 1.0)
    rate = len(ticks) / minutes
    before = (first - start) / MINUTE_MS
    # Silence as long as that must be beyond chance at the rate that was seen since.
    return (first, rate) if before * rate > MISSED and first - start > NEW_AFTER_MS else None


def _since_it_appeared(ticks: IntArray, first_ms: int, rate: float) -> FloatArray:
    """Return how likely so long a silence is, had the cohort been there since each moment."""
    waited = np.maximum(first_ms - ticks, 0) / MINUTE_MS
    found: FloatArray = np.exp(-min(rate, 1.0) * waited) + 1e-12
    return found


def interval(picture: Picture, share: float = 0.9) -> tuple[int, int]:
    """Return between which moments it began, with this probability."""
    ends = np.interp([(1 - share) / 2, (1 + share) / 2], np.cumsum(picture.belief), picture.ticks)
    return int(ends[0]), int(ends[1])


def log_mean(values: list[tuple[float, float]]) -> float:
    """Return the log of a weighted mean, given (weight, log value) pairs."""
    top = max(value for _, value in values)
    return top + math.log(sum(weight * math.exp(value - top) for weight, value in values))
