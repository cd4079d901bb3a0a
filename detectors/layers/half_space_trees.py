"""Half-space trees, online: sessions that fall where few have fallen lately."""

from typing import Any

import numpy as np

from detectors.layering.contract import SessionLayer
from detectors.layering.sampling import CLIP
from detectors.trials import Floats


class HalfSpaceTrees(SessionLayer):
    """River's half-space trees (Tan, Ting and Liu, 2011), learning every session once scored.

    >>> layer = HalfSpaceTrees(trees=5)
    >>> usual = np.zeros((300, 2))
    >>> layer.fit(usual)
    >>> odd, plain = layer.score(np.array([[4.0, -4.0], [0.0, 0.0]]))
    >>> bool(odd > plain)
    True
    """

    name = "half_space_trees"

    def __init__(self, trees: int = 15, height: int = 6, window: int = 250) -> None:
        self._new = trees, height, window
        self._model: Any = None

    def fit(self, rows: Floats) -> None:
        """Start with a sample; later fits change nothing, as every session teaches."""
        from river.anomaly import HalfSpaceTrees as Trees

        if self._model is None:
            trees, height, window = self._new
            limits: Any = dict.fromkeys(range(rows.shape[1]), (-CLIP, CLIP))
            self._model = Trees(trees, height, window, limits=limits, seed=7)
            self.learn(rows)

    def score(self, rows: Floats) -> Floats:
        """Return one less the share of the mass at each session's place."""
        return np.array([self._model.score_one(dict(enumerate(row))) for row in rows.tolist()])

    def learn(self, rows: Floats) -> None:
        """Learn from every session."""
        for row in rows.tolist():
            self._model.learn_one(dict(enumerate(row)))
