"""Keeps a session layer taught: a sample of recent sessions, a scale, the score that is odd."""

import numpy as np

from detectors.configuration import HOUR_MS
from detectors.layering.contract import SessionLayer
from detectors.trials import Bools, Floats

ODD_SHARE = 0.05
"""Of its own recent sessions so many are beyond the score that a layer calls odd."""
KEPT = 4500
FIRST_FIT = 1500
REFIT_MS = 6 * HOUR_MS
CLIP = 5.0


class Sample:
    """The latest sessions that no open incident explains, and their robust scale."""

    def __init__(self) -> None:
        self.rows: Floats | None = None
        self.fitted_ms = 0
        self._middle: Floats = np.zeros(0)
        self._spread: Floats = np.ones(0)

    def add(self, rows: Floats) -> None:
        """Keep sessions; the oldest go."""
        known = rows if self.rows is None else np.concatenate([self.rows, rows])
        self.rows = known[-KEPT:]

    def is_due(self, now_ms: int) -> bool:
        """Tell whether layers had better be fitted anew."""
        enough = self.rows is not None and len(self.rows) >= FIRST_FIT
        return enough and (not self.fitted_ms or now_ms - self.fitted_ms >= REFIT_MS)

    def renew(self, now_ms: int) -> tuple[Floats, Floats]:
        """Set the scale anew; return two scaled thirds to fit on and one to set the score by.

        They are interleaved, so that both are of the same hours.
        """
        assert self.rows is not None
        self.fitted_ms = now_ms
        low, self._middle, high = np.quantile(self.rows, (0.1, 0.5, 0.9), axis=0)
        self._spread = np.maximum(high - low, 0.5)
        scaled = self.scaled(self.rows)
        held_out = np.arange(len(scaled)) % 3 == 0
        return scaled[~held_out], scaled[held_out]

    def scaled(self, rows: Floats) -> Floats:
        """Return rows about their usual middle, in usual spreads, clipped."""
        found: Floats = np.clip((rows - self._middle) / self._spread, -CLIP, CLIP)
        return found


class Taught:
    """One session layer with the score beyond which a session is odd to it."""

    def __init__(self, layer: SessionLayer) -> None:
        self.layer = layer
        self.odd_from: float | None = None

    def refit(self, fit_on: Floats, held_out: Floats) -> None:
        """Fit the layer; what is odd follows from sessions that it was not fitted on."""
        self.layer.fit(fit_on)
        self.odd_from = float(np.quantile(self.layer.score(held_out), 1 - ODD_SHARE))

    def odd(self, rows: Floats) -> Bools | None:
        """Return which sessions are odd, before learning from them; None before the first fit."""
        if self.odd_from is None:
            return None
        return self.layer.score(rows) > self.odd_from
