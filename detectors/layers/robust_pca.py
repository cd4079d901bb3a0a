"""Robust principal components: sessions that the usual few directions cannot describe."""

import numpy as np

from detectors.layering.contract import SessionLayer
from detectors.trials import Floats

KEEP = 0.8
"""The first components that hold this share of the variance are what is usual."""
TRIMMED = 0.95
"""The worst described rest is left out and the components are found again."""


class RobustPca(SessionLayer):
    """Components of clipped, robustly scaled features, found again without what they missed.

    >>> layer = RobustPca()
    >>> x = np.linspace(-1.0, 1.0, 200)
    >>> layer.fit(np.stack([x, x, 0.01 * np.sin(9 * x)], axis=1))
    >>> off, on = layer.score(np.array([[1.0, -1.0, 0.0], [1.0, 1.0, 0.0]]))
    >>> bool(off > 100 * on)
    True
    """

    name = "robust_pca"

    def __init__(self) -> None:
        self._middle: Floats = np.zeros(0)
        self._axes: Floats = np.zeros((0, 0))

    def fit(self, rows: Floats) -> None:
        """Find the usual directions."""
        self._decompose(rows)
        error = self.score(rows)
        self._decompose(rows[error <= np.quantile(error, TRIMMED)])

    def score(self, rows: Floats) -> Floats:
        """Return the squared error of reconstruction."""
        centred = rows - self._middle
        left = centred - centred @ self._axes.T @ self._axes
        found: Floats = (left**2).sum(axis=1)
        return found

    def _decompose(self, rows: Floats) -> None:
        self._middle = np.median(rows, axis=0)
        _, size, axes = np.linalg.svd(rows - self._middle, full_matrices=False)
        share = np.cumsum(size**2) / max(float((size**2).sum()), 1e-12)
        self._axes = axes[: int(np.searchsorted(share, KEEP)) + 1]
