"""Local outlier factor: sessions less densely surrounded than their neighbours are."""

from typing import Any

from detectors.layering.contract import SessionLayer
from detectors.trials import Floats


class LocalOutlierFactor(SessionLayer):
    """Scikit-learn's local outlier factor (Breunig et al., 2000) for novelty, fitted anew."""

    name = "local_outlier_factor"

    def __init__(self, neighbours: int = 35) -> None:
        self._neighbours = neighbours
        self._model: Any = None

    def fit(self, rows: Floats) -> None:
        """Remember a sample, with equal sessions told apart a little: their density has no end."""
        import numpy as np
        from sklearn.neighbors import LocalOutlierFactor as Factor

        rows = rows + np.random.default_rng(7).normal(0.0, 0.01, rows.shape)
        self._model = Factor(n_neighbors=self._neighbours, novelty=True).fit(rows)

    def score(self, rows: Floats) -> Floats:
        """Return the factor, 1 for a session like its neighbours."""
        found: Floats = -self._model.score_samples(rows)
        return found
