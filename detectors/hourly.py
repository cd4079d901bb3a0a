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

BIAS_PRIOR = 150.0
BIAS_LIMIT = 0.35
BIAS_MEMORY_H = 48.0
SURPLUS_PRIOR = 50.0
SURPLUS_MEMORY = 0.985
MOST_SURPRISE = 25.0
MEMORY = 0.5 ** (1 / BIAS_MEMORY_H)
FADING_H = 12.0
"""Evidence fades with this time constant: what takes days to add up is the shop's own drift."""

FADE = math.exp(-1 / FADING_H)


@compiled
def close(  # noqa: PLR0913 - a compiled loop takes its arrays one by one
    rows: int,
    score: npt.NDArray[Any],
    hot: Floats,
    window: Floats,
    pending: Floats,
    bias: Floats,
    rates: tuple[Floats, Floats],
    lively: tuple[Floats, Floats, Floats],
    wobble: Floats,
    also_long: bool,
) -> None:
    """End an hour for the first so many cohorts; the long window too, when it ends.

    All evidence fades; ``hot`` says, by metric and effect, how much of it is high. ``window`` is by
    window length: seen, expected, variance. ``pending`` is seen, expected, then by window length:
    surprise, count, size. ``rates`` are seen and expected; ``lively`` is by window length:
    surprise, windows, size. ``wobble`` is by window length: surprise beyond chance and size, of
    all cohorts of a metric.
    """
    for m in range(window.shape[2]):
        for c in range(rows):
            calm = _cool_down(score[m, c], hot[m])
            _close_window(window[:, :, m, c], pending[:, m, c], bias[m, c], also_long)
            if calm:
                _believe(m, c, pending[:, m, c], rates, lively, wobble)


@compiled
def _cool_down(score: npt.NDArray[Any], hot: Floats) -> bool:
    """Let the evidence of a row fade; tell whether none of it is high."""
    calm = True
    for e in range(len(score)):
        found = score[e]
        if found > 0.0:
            calm = calm and found < hot[e]
            score[e] = found * FADE
    return calm


@compiled
def _close_window(window: Floats, pending: Floats, bias: float, also_long: bool) -> None:
    """Move what an hour has seen of a row to what waits to be believed."""
    pending[0] += window[0, 0]
    pending[1] += window[0, 1]
    for part in range(3):
        window[1, part] += window[0, part]
    for kind in range(2 if also_long else 1):
        seen, expected, variance = window[kind]
        if variance > 1.0:
            off = seen - expected * math.exp(bias)
            pending[2 + 3 * kind] += min(off * off / variance, MOST_SURPRISE)
            pending[3 + 3 * kind] += 1.0
            pending[4 + 3 * kind] += expected * expected / variance
        window[kind, :] = 0.0


@compiled
def _believe(
    m: int,
    c: int,
    pending: Floats,
    rates: tuple[Floats, Floats],
    lively: tuple[Floats, Floats, Floats],
    wobble: Floats,
) -> None:
    """Believe what waited, as nothing looks ill; an outage must not excuse itself."""
    for rate in range(2):
        rates[rate][m, c] = rates[rate][m, c] * MEMORY + pending[rate]
    for kind in range(2):
        count = pending[3 + 3 * kind]
        if count > 0.0:
            wobble[kind, 0, m] += pending[2 + 3 * kind] - count
            wobble[kind, 1, m] += pending[4 + 3 * kind]
            fade = SURPLUS_MEMORY**count
            for part in range(3):
                learned = lively[part][kind, m, c]
                lively[part][kind, m, c] = learned * fade + pending[2 + part + 3 * kind]
    pending[:] = 0.0


@compiled
def judge(
    rows: int,
    learned: tuple[Floats, Floats, Floats, Floats, Floats],
    wobble: Floats,
    bias: Floats,
    dispersion: Floats,
) -> None:
    """Say by how much each cohort is always off, and how much livelier than chance it is, >= 1.

    All rates of a metric share one wobble, which shows the more the larger a cohort is; what a
    cohort shows beyond that moves its own figure slowly.
    """
    seen, expected, surplus, windows, size = learned
    for m in range(bias.shape[0]):
        for c in range(rows):
            if expected[m, c] <= 0.0:
                continue
            ratio = (seen[m, c] + BIAS_PRIOR) / (expected[m, c] + BIAS_PRIOR)
            bias[m, c] = min(max(math.log(ratio), -BIAS_LIMIT), BIAS_LIMIT)
            most = 1.0
            for kind in range(2):
                count = windows[kind, m, c]
                usual = 1.0 + wobble[kind, m] * size[kind, m, c] / max(count, 1.0)
                mean = (surplus[kind, m, c] + SURPLUS_PRIOR * usual) / (count + SURPLUS_PRIOR)
                most = max(most, mean)
            dispersion[m, c] = most


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
