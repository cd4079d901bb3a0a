"""Holt-Winters, online: hours off a forecast of level, trend and time of day."""

import math
from typing import Any

from detectors.layering.contract import SeriesLayer

SEASON = 24
WARM_UP = 2 * SEASON
LEAST = 1e-6


class HoltWinters(SeriesLayer):
    """River's Holt-Winters over a season of a day; the surprise is its error.

    Values arrive as logarithms, so it is the multiplicative form over what they are of; River sets
    the first season of the additive form by ratios, which a level near zero blows up.
    """

    name = "holt_winters"

    def __init__(self) -> None:
        from river.time_series import HoltWinters as Model

        model: Any = Model
        self._model = model(0.1, 0.01, 0.3, seasonality=SEASON, multiplicative=True)
        self._seen = 0

    def surprise(self, value: float, hour: int) -> float | None:
        """Return value less forecast."""
        del hour
        found = None
        if self._seen >= WARM_UP:
            found = value - math.log(max(float(self._model.forecast(1)[0]), LEAST))
        self._model.learn_one(math.exp(value))
        self._seen += 1
        return found
