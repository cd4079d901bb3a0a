"""What an hour teaches the sequential test: how each cohort is off, and how lively it is.

Arrays are by metric and cohort as in ``Evidence``; every loop changes them in place.
"""

import math
from typing import Any

import numpy.typing as npt

from detectors.compiled import compiled
from detectors.trials import Bools, Floats

HOT = 6.0
"""Log evidence from which on a cohort may be ill, so that its trials must not teach yet."""

LONGEST_WAIT_H = 24.0
"""After so many hours in which a cohort was counted its surprises are believed after all."""

BIAS_PRIOR = 150.0
BIAS_LIMIT = 0.35
BIAS_MEMORY_H = 48.0
SURPLUS_PRIOR = 50.0
SURPLUS_MEMORY = 0.985
MOST_SURPRISE = 25.0
EXTENT_MEMORY = 0.9
MEMORY = 0.5 ** (1 / BIAS_MEMORY_H)
FADING_H = 12.0
"""Evidence fades with this time constant: what takes days to add up is the shop's own drift."""

FADE = math.exp(-1 / FADING_H)


@compiled
def cool_down(rows: int, score: npt.NDArray[Any], hot: Floats, calm: Bools) -> None:
    """Tell where no evidence is high, and let all evidence fade.

    ``rows`` is how many cohorts there are, here and below; ``hot`` says, by metric and effect, how
    much evidence is high.
    """
    for m in range(score.shape[0]):
        for c in range(rows):
            calm[m, c] = True
            for e in range(score.shape[2]):
                found = score[m, c, e]
                if found > 0.0:
                    if found >= hot[m, e]:
                        calm[m, c] = False
                    score[m, c, e] = found * FADE


@compiled
def close_window(
    rows: int, window: Floats, pending: Floats, extent: Floats, bias: Floats, also_long: bool
) -> None:
    """Move what an hour has seen to what waits to be believed; the long window when it ends.

    ``window`` is by window length: seen, expected, variance. ``pending`` is seen, expected, then by
    window length: surprise, count, size. ``extent`` follows, by window length, the largest sizes.
    """
    for m in range(window.shape[2]):
        for c in range(rows):
            if window[0, 2, m, c] > 0.0:
                pending[0, m, c] += window[0, 0, m, c]
                pending[1, m, c] += window[0, 1, m, c]
                for part in range(3):
                    window[1, part, m, c] += window[0, part, m, c]
            for kind in range(2 if also_long else 1):
                expected, variance = window[kind, 1, m, c], window[kind, 2, m, c]
                if variance <= 0.0:
                    continue
                if variance > 1.0:
                    off = window[kind, 0, m, c] - expected * math.exp(bias[m, c])
                    pending[2 + 3 * kind, m, c] += min(off * off / variance, MOST_SURPRISE)
                    pending[3 + 3 * kind, m, c] += 1.0
                    size = expected * expected / variance
                    pending[4 + 3 * kind, m, c] += size
                    extent[kind, m, c] = max(size, extent[kind, m, c] * EXTENT_MEMORY)
                for part in range(3):
                    window[kind, part, m, c] = 0.0


@compiled
def believe(
    rows: int,
    calm: Bools,
    pending: Floats,
    rates: tuple[Floats, Floats],
    lively: tuple[Floats, Floats, Floats],
    wobble: Floats,
) -> None:
    """Believe what waited where nothing looks ill, or for long; an outage must not excuse itself.

    ``rates`` are seen and expected; ``lively`` is by window length: surprise, windows, size.
    ``wobble`` is by window length: surprise beyond chance and size, of all cohorts of a metric.
    """
    seen, expected = rates
    surplus, windows, size = lively
    for m in range(calm.shape[0]):
        for c in range(rows):
            if not calm[m, c] and pending[3, m, c] < LONGEST_WAIT_H:
                continue
            seen[m, c] = seen[m, c] * MEMORY + pending[0, m, c]
            expected[m, c] = expected[m, c] * MEMORY + pending[1, m, c]
            if pending[1, m, c] <= 0.0 and pending[6, m, c] <= 0.0:
                continue
            for kind in range(2):
                count = pending[3 + 3 * kind, m, c]
                if count > 0.0:
                    wobble[kind, 0, m] += pending[2 + 3 * kind, m, c] - count
                    wobble[kind, 1, m] += pending[4 + 3 * kind, m, c]
                    fade = SURPLUS_MEMORY if count == 1.0 else SURPLUS_MEMORY**count
                    surplus[kind, m, c] = surplus[kind, m, c] * fade + pending[2 + 3 * kind, m, c]
                    windows[kind, m, c] = windows[kind, m, c] * fade + count
                    size[kind, m, c] = size[kind, m, c] * fade + pending[4 + 3 * kind, m, c]
            pending[:, m, c] = 0.0


@compiled
def judge(  # noqa: PLR0913 - a compiled loop takes its arrays one by one
    rows: int,
    learned: tuple[Floats, Floats, Floats, Floats, Floats],
    wobble: Floats,
    odds: Floats,
    extent: Floats,
    bias: Floats,
    dispersion: Floats,
    excess: Floats,
) -> None:
    """Say by how much each cohort is always off, and how much livelier than chance it is, >= 1.

    All rates of a metric share one wobble, which shows the more the larger a cohort is; what a
    cohort shows beyond that moves its own figure slowly. ``excess`` is what liveliness beyond one
    comes to for each trial of a window; ``odds`` are those of a success, by metric. Whose people
    are but a part of those it learned from (their ``extent`` is less) is held to that part.
    """
    seen, expected, surplus, windows, size = learned
    for m in range(bias.shape[0]):
        for c in range(rows):
            if expected[m, c] <= 0.0:
                continue
            ratio = (seen[m, c] + BIAS_PRIOR) / (expected[m, c] + BIAS_PRIOR)
            bias[m, c] = min(max(math.log(ratio), -BIAS_LIMIT), BIAS_LIMIT)
            most, each = 1.0, 0.0
            for kind in range(2):
                count = windows[kind, m, c]
                usual = 1.0 + wobble[kind, m] * size[kind, m, c] / max(count, 1.0)
                mean = (surplus[kind, m, c] + SURPLUS_PRIOR * usual) / (count + SURPLUS_PRIOR)
                if mean > 1.0 and size[kind, m, c] > 0.0:
                    of_size = (mean - 1.0) * count / size[kind, m, c]
                    each = max(each, of_size * odds[m])
                    mean = min(mean, 1.0 + of_size * extent[kind, m, c])
                most = max(most, mean)
            dispersion[m, c], excess[m, c] = most, each


@compiled
def find_hot(rows: int, score: npt.NDArray[Any], hot: Floats, found: Bools) -> bool:
    """Mark the rows whose evidence is high; tell whether there are any."""
    some = False
    for m in range(score.shape[0]):
        for c in range(rows):
            for e in range(score.shape[2]):
                if score[m, c, e] >= hot[m, e]:
                    found[m, c] = some = True
    return some
