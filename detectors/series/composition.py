"""Whether the latest rows are made of values in proportions that were seen before, in any order."""

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from detectors.compiled import compiled

Floats = npt.NDArray[np.float64]
BINS = 5
ALPHA_LIMIT = 13.28
"""The chi-squared value with ``BINS`` - 1 degrees of freedom that one in a hundred exceeds."""

REMEMBERED = 256


@dataclass
class CompositionView:
    """Tells stretches whose histogram agrees with none before (Wang and others, 2011).

    A histogram agrees with one that was remembered when their relative entropy is within chance.
    One that agrees with none is remembered, so that the same is not new again. Bins are cut from
    the range so far; when it grows, what was remembered is binned anew.
    """

    length: int
    _rows: Floats = field(init=False)
    _known: Floats = field(init=False)
    _shares: Floats = field(init=False)
    _range: Floats = field(init=False)
    _seen: int = 0
    _times: int = 0

    def __post_init__(self) -> None:
        self._rows = np.zeros(self.length)
        self._known = np.zeros((REMEMBERED, self.length))
        self._shares = np.zeros((REMEMBERED, BINS))
        self._range = np.array([np.inf, -np.inf])

    def rate(self, value: float) -> float:
        """Take the value in; return how seldom a stretch is new, in nats, if this one is."""
        self._rows[self._seen % self.length] = value
        self._seen += 1
        grown = value < self._range[0] or value > self._range[1]
        self._range[0] = min(self._range[0], value)
        self._range[1] = max(self._range[1], value)
        if self._seen < self.length or self._range[1] <= self._range[0]:
            return 0.0
        if not _is_new(self._rows, self._known, self._shares, self._range, self._times, grown):
            return 0.0
        rare = math.log(self._seen / self._times) if self._times else 0.0
        self._times += 1
        return rare


@compiled
def _bin(rows: Floats, low: float, high: float, share: Floats) -> None:
    share[:] = 0.0
    scale = BINS / (high - low)
    for row in rows:
        share[min(int((row - low) * scale), BINS - 1)] += 1.0 / len(rows)


@compiled
def _is_new(
    rows: Floats, known: Floats, shares: Floats, range_: Floats, times: int, grown: bool
) -> bool:
    count = min(times, len(known))
    if grown:
        for number in range(count):
            _bin(known[number], range_[0], range_[1], shares[number])
    present = np.empty(BINS)
    _bin(rows, range_[0], range_[1], present)
    for number in range(count):
        apart = 0.0
        for place in range(BINS):
            if present[place] > 0.0:
                if shares[number, place] <= 0.0:
                    apart = np.inf
                    break
                apart += present[place] * math.log(present[place] / shares[number, place])
        if 2 * len(rows) * apart < ALPHA_LIMIT:
            return False
    # The oldest makes room.
    known[times % len(known)] = rows
    shares[times % len(known)] = present
    return True
