"""Autoencoder: sessions that a small network cannot draw again from four numbers."""

import warnings
from typing import Any

from detectors.layering.contract import SessionLayer
from detectors.trials import Floats


class Autoencoder(SessionLayer):
    """Scikit-learn's multi-layer perceptron taught to return its input, fitted anew."""

    name = "autoencoder"

    def __init__(self, bottleneck: int = 4, rounds: int = 40) -> None:
        self._bottleneck = bottleneck
        self._rounds = rounds
        self._model: Any = None

    def fit(self, rows: Floats) -> None:
        """Train a new network for a fixed number of rounds; it need not have converged."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPRegressor

        model = MLPRegressor(
            hidden_layer_sizes=(12, self._bottleneck, 12), max_iter=self._rounds, random_state=7
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._model = model.fit(rows, rows)

    def score(self, rows: Floats) -> Floats:
        """Return the squared error of reconstruction."""
        found: Floats = ((rows - self._model.predict(rows)) ** 2).sum(axis=1)
        return found
