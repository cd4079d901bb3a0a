"""SNARIMAX, online: hours off a linear forecast from the last hours and the same hour before."""

from typing import Any

from detectors.layering.contract import SeriesLayer

WARM_UP = 60


class Snarimax(SeriesLayer):
    """River's SNARIMAX (two lags, the same hour a day ago); the surprise is its error."""

    name = "snarimax"

    def __init__(self) -> None:
        from river import linear_model, optim, preprocessing
        from river.time_series import SNARIMAX

        regressor = preprocessing.StandardScaler() | linear_model.LinearRegression(
            optimizer=optim.SGD(0.02), intercept_lr=0.1
        )
        self._model: Any = SNARIMAX(p=2, d=0, q=1, m=24, sp=1, sd=0, sq=0, regressor=regressor)
        self._seen = 0

    def surprise(self, value: float, hour: int) -> float | None:
        """Return value less forecast."""
        del hour
        found = None
        if self._seen >= WARM_UP:
            found = value - float(self._model.forecast(1)[0])
        self._model.learn_one(value)
        self._seen += 1
        return found
