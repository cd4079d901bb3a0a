"""Isolation forest: sessions that few random cuts set apart."""

from typing import Any

from detectors.layering.contract import SessionLayer
from detectors.trials import Floats


class IsolationForest(SessionLayer):
    """Scikit-learn's isolation forest (Liu, Ting and Zhou, 2008), fitted anew every few hours."""

    name = "isolation_forest"

    def __init__(self, trees: int = 50) -> None:
        self._trees = trees
        self._model: Any = None

    def fit(self, rows: Floats) -> None:
        """Grow a new forest."""
        from sklearn.ensemble import IsolationForest as Forest

        self._model = Forest(n_estimators=self._trees, max_samples=256, random_state=7).fit(rows)

    def score(self, rows: Floats) -> Floats:
        """Return higher values for shorter paths."""
        found: Floats = -self._model.score_samples(rows)
        return found
