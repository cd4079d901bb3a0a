"""What a tick's trials do to the scores of all cohorts that they belong to, compiled.

Sums are kept by place, in the order in which rows were first told of: what a tick touches stays
in the processor's cache, which the arrays by metric and cohort do not.
"""

import math

import numpy as np
import numpy.typing as npt

from detectors.cohorts import Narrow
from detectors.compiled import compiled
from detectors.hourly import BIAS_LIMIT
from detectors.trials import LEAST, MOST, Bools, Floats, Ints

Singles = npt.NDArray[np.float32]
Places = npt.NDArray[np.int32]
FREE = -1
"""The place of a row that is watched, while nothing was told of it."""

UNWATCHED = -2
UP = math.exp(BIAS_LIMIT)
CORROBORATION = 6.0
"""So much of the evidence for a drop may come from errors in the same cohort."""


@compiled
def scatter(  # noqa: PLR0913 - a compiled loop takes its arrays one by one
    metric: Ints,
    leaf: Ints,
    p: Floats,
    before: Floats,
    after: Floats,
    won: Bools,
    ratios: Floats,
    flat: Narrow,
    start: Ints,
    stop: Ints,
    touched: Ints,
    slot: Places,
    sums: Singles,
) -> int:
    """Add what trials told to the sums of the rows (metric, cohort) that are watched.

    ``sums`` holds, by place and effect size, the log-likelihood ratio and by how much that grows
    with the logarithm of the baseline. Return how many rows were touched.
    """
    effects = ratios.shape[1]
    width = 2 * effects
    gain = np.empty(width, dtype=np.float32)
    watched = np.empty(np.max(stop[leaf] - start[leaf]), dtype=np.int32)
    count = 0
    for i in range(len(leaf)):
        m = metric[i]
        for e in range(effects):
            gain[e], gain[effects + e] = _gain(p[i], ratios[m, e], before[i], after[i], won[i])
        # Who is not watched is left out without a branch, which no processor could foresee.
        many = 0
        for k in range(start[leaf[i]], stop[leaf[i]]):
            watched[many] = flat[k]
            many += slot[m, flat[k]] != UNWATCHED
        for c in watched[:many]:
            place = slot[m, c]
            if place < 0:
                slot[m, c] = count
                touched[0, count], touched[1, count] = m, c
                for e in range(width):
                    sums[count, e] = gain[e]
                count += 1
            else:
                for e in range(width):
                    sums[place, e] += gain[e]
    return count


@compiled
def settle(  # noqa: PLR0913 - a compiled loop takes its arrays one by one
    count: int,
    touched: Ints,
    slot: Places,
    sums: Singles,
    bias: Floats,
    dispersion: Floats,
    excess: Floats,
    needed: Singles,
    steep: Singles,
    limit: Floats,
    doubt: Floats,
    score: Singles,
    left_zero: Places,
    now_s: np.int32,
    high: Ints,
) -> int:
    """Move the scores of the touched rows on; return how many are high, listed in ``high``.

    The rates of a cohort wobble together, which shows the more the more trials are summed up. So
    an effect that takes few trials to be told is held to less of the ``dispersion`` of a window:
    to ``excess`` for each trial ``needed``. A wobble that could pass for the effect (``excess``
    above ``steep``) lasts longer than that, and counts in full.
    """
    effects = score.shape[2]
    found = 0
    zero, one = np.float32(0.0), np.float32(1.0)
    for i in range(count):
        m, c = touched[0, i], touched[1, i]
        slot[m, c] = FREE
        off, top = np.float32(bias[m, c]), zero
        all_of_it, each = np.float32(dispersion[m, c]), np.float32(excess[m, c])
        # Nothing is loaded within a choice: what no processor foresees must not become a branch.
        for e in range(effects):
            since, need, most = left_zero[m, c, e], needed[m, e], steep[m, e]
            lively = min(all_of_it, one + each * need)
            lively = all_of_it if each > most else lively
            grown = score[m, c, e] + (sums[i, e] + off * sums[i, effects + e]) / lively
            left_zero[m, c, e] = max(since, now_s * np.int32(grown <= zero))
            grown = max(grown, zero)
            score[m, c, e] = grown
            top = max(top, grown)
        enough = limit[m, c] - CORROBORATION
        # Doubt only takes away: most rows need no second look.
        if top >= enough:
            doubted = 0.0
            for e in range(effects):
                doubted = max(doubted, score[m, c, e] / (1.0 + doubt[m, e] * score[m, c, e]))
            if doubted >= enough:
                high[0, found], high[1, found] = m, c
                found += 1
    return found


@compiled
def _gain(p: float, ratio: float, before: float, after: float, won: bool) -> tuple[float, float]:
    """Return the log-likelihood ratio, and by how much it grows with the logarithm of p.

    The second is the slope across all of the bias that is allowed.
    """
    above, below = (
        _odds(p * UP, ratio, before, after, won),
        _odds(p / UP, ratio, before, after, won),
    )
    gain = math.log(_odds(p, ratio, before, after, won))
    return gain, math.log(above / below) / (2 * BIAS_LIMIT)


@compiled
def _odds(p: float, ratio: float, before: float, after: float, won: bool) -> float:
    p = min(p, MOST)
    # A rise is one of the odds, which never leaves the range of a probability.
    q = ratio * p / (1 - p + ratio * p) if ratio > 1 else max(p * ratio, LEAST)
    was = (1 - p * before) / (1 - q * before)
    return q / p * was if won else (1 - q * after) / (1 - p * after) * was
