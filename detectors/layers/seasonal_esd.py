"""Seasonal hybrid ESD: hours that are outliers of the last days, less the time of day."""

from collections import deque

import numpy as np
from scipy import stats

from detectors.layering.contract import SeriesLayer
from detectors.trials import Floats

WINDOW = 24 * 7
LEAST = 24 * 2
MOST_OUTLIERS = 0.2
ALPHA = 0.05


class SeasonalEsd(SeriesLayer):
    """The generalised ESD test (Rosner, 1983) on what the median of each hour of the day leaves.

    Median and MAD stand in for mean and deviation, which is the hybrid of Hochenbaum, Vallis and
    Kejariwal (2017). The surprise of the latest hour is its distance over the critical value at
    which the test takes it for an outlier: beyond 1 it is one.
    """

    name = "seasonal_esd"

    def __init__(self) -> None:
        self._window: deque[tuple[int, float]] = deque(maxlen=WINDOW)

    def surprise(self, value: float, hour: int) -> float | None:
        """Return the signed distance over the critical value."""
        self._window.append((hour % 24, value))
        if len(self._window) < LEAST:
            return None
        hours = np.array([each for each, _ in self._window])
        values = np.array([each for _, each in self._window])
        usual = {each: float(np.median(values[hours == each])) for each in set(hours.tolist())}
        rest = values - np.array([usual[each] for each in hours.tolist()])
        return _latest(rest)


def _latest(rest: Floats) -> float:
    """Take the most extreme out, one by one, until the latest is; return how extreme it was."""
    kept = np.ones(len(rest), dtype=bool)
    ratio = 0.0
    for taken in range(int(MOST_OUTLIERS * len(rest))):
        middle = float(np.median(rest[kept]))
        spread = max(1.4826 * float(np.median(np.abs(rest[kept] - middle))), 1e-9)
        ratio = (rest[-1] - middle) / spread / _critical(len(rest), taken)
        distance = np.where(kept, np.abs(rest - middle), -1.0)
        worst = int(np.argmax(distance))
        if worst == len(rest) - 1:
            break
        kept[worst] = False
    return float(ratio)


def _critical(size: int, taken: int) -> float:
    left = size - taken
    t = float(stats.t.ppf(1 - ALPHA / (2 * left), left - 2))
    return (left - 1) * t / float(np.sqrt((left - 2 + t * t) * left))
