"""Detectors that others have published figures of, to tell what a score on a made corpus means.

Each takes the values of a series and returns a score a row, made from past rows (and, as they were
published, from the range of the whole series where it says so).
"""

import math
from collections.abc import Callable

import numpy as np
from river.time_series import HoltWinters
from scipy.stats import chi2

NEIGHBOURS, LENGTH = 27, 19
ODD = 0.9965
BINS, STRETCH = 5, 52
WINDOW, STEP = 6_400, 100


def holt_winters(values: np.ndarray) -> np.ndarray:
    """River's Holt-Winters with a rest after each find; errors in units of their spread."""
    model, spread, scores, quiet = HoltWinters(0.3, 0.1), 1.0, [], 0
    for number, value in enumerate(values.tolist()):
        error = abs(value - model.forecast(1)[0]) if number > 2 else 0.0
        z = error / (3 * spread + 1e-9)
        quiet -= 1
        scores.append(min(z / (1 + z), 1.0) if quiet <= 0 else 0.0)
        if z > 3 and quiet <= 0:
            quiet = 100
        spread += 0.01 * (error - spread)
        model.learn_one(value)
    return np.array(scores)


def windowed_gaussian(values: np.ndarray) -> np.ndarray:
    """How far out in a normal distribution, fitted to a long window that moves in steps."""
    scores = np.zeros(len(values))
    first, last, middle, spread = 0, 0, 0.0, 1e-6
    for row in range(1, len(values)):
        if row <= WINDOW or row - last >= STEP:
            first, last = max(row - WINDOW, 0), row
            if row < 300 or row % 10 == 0:
                middle = float(values[first:last].mean())
                spread = float(values[first:last].std()) or 1e-6
        scores[row] = math.erf(abs(values[row] - middle) / spread / math.sqrt(2))
    return scores


def nearest_neighbours(values: np.ndarray) -> np.ndarray:
    """KNN-CAD (Burnaev and Ishimtsev, 2016): stretches far from 27 earlier ones, conformal.

    Distances are whitened by the stretches learned from; a find is followed by a rest.
    """
    count = len(values)
    probation = min(int(0.15 * count), 750)
    stretches = np.lib.stride_tricks.sliding_window_view(values, LENGTH)
    low, high, rest = 0, probation - LENGTH, 0
    white, known = stretches, [0.0]
    scores = np.zeros(count)
    for row in range(probation - 1, count):
        if (row + 1) % probation in (0, probation // 2):
            white = _whitened(stretches, stretches[low:high], white)
        if row == probation - 1:
            known = [_apart(white[low:high], white[n], NEIGHBOURS + 1) for n in range(low, high)]
        strange = _apart(white[low:high], white[row - LENGTH + 1], NEIGHBOURS)
        share = float(np.mean(np.array(known) < strange))
        known = [*known[1:], strange]
        if row + 1 >= 2 * probation:
            low, high = low + 1, high + 1
        scores[row] = share if rest <= 0 else 0.5
        rest -= 1
        if rest < 0 and share >= ODD:
            rest = probation // 5
    return scores


def _whitened(rows: np.ndarray, learned: np.ndarray, before: np.ndarray) -> np.ndarray:
    try:
        inverse = np.linalg.inv(learned.T @ learned)
    except np.linalg.LinAlgError:
        return before
    values, vectors = np.linalg.eigh((inverse + inverse.T) / 2)
    white: np.ndarray = rows @ (vectors * np.sqrt(np.maximum(values, 0.0)))
    return white


def _apart(learned: np.ndarray, row: np.ndarray, nearest: int) -> float:
    distance = ((learned - row) ** 2).sum(axis=1)
    return float(np.partition(distance, nearest - 1)[:nearest].sum())


def relative_entropy(values: np.ndarray) -> np.ndarray:
    """Stretches whose histogram agrees with none before (Wang and others, 2011); 0 or 1.

    Bins are cut from the range of the whole series, as in the published figures.
    """
    scores = np.zeros(len(values))
    step = float(np.ptp(values)) / BINS
    if step == 0.0:
        return scores
    limit = float(chi2.isf(0.01, BINS - 1))
    bins = np.clip(np.ceil((values - values.min()) / step), 0, BINS).astype(int)
    # The published histogram of 0 to 5 puts the two highest bins together.
    bins = np.minimum(bins, BINS - 1)
    known = np.zeros((0, BINS))
    for row in range(STRETCH - 1, len(values)):
        share = np.bincount(bins[row - STRETCH + 1 : row + 1], minlength=BINS) / STRETCH
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(share > 0, share * np.log(share / known), 0.0)
        if not (2 * STRETCH * terms.sum(axis=1) < limit).any():
            scores[row] = float(len(known) > 0)
            known = np.vstack([known, share])
    return scores


PEERS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float | None]] = {
    "holt_winters": (holt_winters, None),
    "windowed_gaussian": (windowed_gaussian, 39.6),
    "relative_entropy": (relative_entropy, 54.6),
    "nearest_neighbours": (nearest_neighbours, 58.0),
}
"""Each with its published score on the recorded series of the benchmark, if there is one."""
