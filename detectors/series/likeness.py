"""Whether the latest rows look like any stretch seen before, whatever its shape."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from detectors.compiled import compiled

Floats = npt.NDArray[np.float64]
NEIGHBOURS = 5
EXACT_EVERY = 64
"""Sums that are carried from row to row are made anew this often, so that no error gathers."""


@dataclass
class LikenessView:
    """How far the latest rows are from the most similar earlier stretches.

    Distances to every earlier stretch within ``reach`` rows are carried from row to row: each
    changes by the newest and the oldest pair only, so a row costs the same for any ``length``.
    """

    length: int
    reach: int
    _rows: Floats = field(init=False)
    _sums: Floats = field(init=False)
    _seen: int = 0
    _end: int = 0

    def __post_init__(self) -> None:
        self._rows = np.zeros(2 * (self.reach + 2 * self.length))
        self._sums = np.zeros(self.reach)

    def look(self, value: float) -> float:
        """Take the value in and return the distance of the latest stretch to its neighbours."""
        if self._end == len(self._rows):
            kept = self.reach + 2 * self.length
            self._rows[:kept] = self._rows[-kept:]
            self._end = kept
        self._rows[self._end] = value
        self._end += 1
        self._seen += 1
        return float(_nearest(self._rows, self._end, self._seen, self._sums, self.length))


@compiled
def _nearest(rows: Floats, end: int, seen: int, sums: Floats, length: int) -> float:
    """Return the distance to the fifth nearest stretch; ``sums`` are by lag, beyond ``length``."""
    last = end - 1
    most = min(len(sums), seen - 2 * length)
    if most <= 0:
        return 0.0
    if seen % EXACT_EVERY == 0 or most < len(sums):
        start = 0 if seen % EXACT_EVERY == 0 else most - 1
        for place in range(start, most):
            lag, total = place + length, 0.0
            for back in range(length):
                step = rows[last - back] - rows[last - back - lag]
                total += step * step
            sums[place] = total
        carried = start
    else:
        carried = most
    oldest = last - length
    for place in range(carried):
        new = rows[last] - rows[last - place - length]
        old = rows[oldest] - rows[oldest - place - length]
        sums[place] += new * new - old * old
    best = np.full(NEIGHBOURS, np.inf)
    for place in range(most):
        found = sums[place]
        if found < best[NEIGHBOURS - 1]:
            at = NEIGHBOURS - 1
            while at > 0 and best[at - 1] > found:
                best[at] = best[at - 1]
                at -= 1
            best[at] = found
    worst = best[NEIGHBOURS - 1]
    return np.sqrt(max(worst, 0.0)) if worst < np.inf else 0.0
