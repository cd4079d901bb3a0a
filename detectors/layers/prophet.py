"""Prophet (an extra): hours off a trend with a shape of the day and, after a while, of the week."""

import logging
import warnings
from collections import deque

import numpy as np

from detectors.layering.contract import SeriesLayer
from detectors.trials import Floats, Ints

KEPT = 24 * 28
LEAST = 24 * 2
WEEKLY_FROM = 24 * 14
AHEAD = 24


class ProphetForecast(SeriesLayer):
    """Facebook's Prophet, fitted anew each day to four weeks; the surprise is its error."""

    name = "prophet"
    needs = ("prophet", "prophet")

    def __init__(self) -> None:
        self._past: deque[tuple[int, float]] = deque(maxlen=KEPT)
        self._expected: dict[int, float] = {}

    def surprise(self, value: float, hour: int) -> float | None:
        """Return value less forecast."""
        if hour not in self._expected and len(self._past) >= LEAST:
            hours = np.array([each for each, _ in self._past])
            values = np.array([each for _, each in self._past])
            ahead = np.arange(hour, hour + AHEAD)
            self._expected = dict(zip(ahead.tolist(), _forecast(hours, values, ahead), strict=True))
        self._past.append((hour, value))
        expected = self._expected.get(hour)
        return None if expected is None else value - expected


def _forecast(hours: Ints, values: Floats, ahead: Ints) -> list[float]:
    # It speaks of each fit and of what else it could draw, and there are hundreds of fits a day.
    for talker in ("cmdstanpy", "prophet.plot"):
        logging.getLogger(talker).setLevel(logging.CRITICAL)
    import pandas as pd
    from prophet import Prophet

    model = Prophet(
        n_changepoints=5,
        daily_seasonality=6,
        weekly_seasonality=len(hours) >= WEEKLY_FROM,
        yearly_seasonality=False,
        uncertainty_samples=0,
    )
    known = pd.DataFrame({"ds": hours.astype("datetime64[h]"), "y": values})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # L-BFGS, the usual way, gives up on series this short and falls back to this one.
        model.fit(known, algorithm="Newton")
        found = model.predict(pd.DataFrame({"ds": ahead.astype("datetime64[h]")}))
    return [float(each) for each in found["yhat"]]
