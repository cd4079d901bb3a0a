"""How rare a deviation is among its own past: a tail probability that never saturates."""

import math
from dataclasses import dataclass, field

from river.stats import EWMean, RollingQuantile

SHARE = 0.05
"""The tail begins at this quantile from the top; beyond it an exponential is fitted."""

LEAST_SEEN = 30
TRUSTED = 8.0
"""So many spreads of its tail a series is believed to go on as it began."""


@dataclass
class Rarity:
    """Turns a deviation of any unit into minus the log of its tail probability, in nats."""

    window: int
    _limit: RollingQuantile = field(init=False)
    _excess: EWMean = field(default_factory=lambda: EWMean(0.05))
    _seen: int = 0
    _largest: float = 0.0

    def __post_init__(self) -> None:
        self._limit = RollingQuantile(1.0 - SHARE, self.window)

    def rate(self, deviation: float) -> float:
        """Return how rare a deviation is given those before it, then learn it."""
        limit = self._limit.get()
        rare = 0.0
        if self._seen >= LEAST_SEEN and limit is not None and deviation > limit:
            scale = max(self._excess.get() or 0.0, 0.05 * abs(limit), 1e-12)
            beyond = (deviation - limit) / scale
            # No tail is exponential for ever: far out only the order of magnitude still counts.
            rare = -math.log(SHARE) + min(beyond, TRUSTED + math.log1p(beyond))
        self._learn(deviation, limit)
        return rare

    def _learn(self, deviation: float, limit: float | None) -> None:
        self._seen += 1
        if limit is not None and deviation > limit:
            # One outlier must not teach that outliers are usual.
            known = self._excess.get()
            excess = deviation - limit
            self._excess.update(excess if known is None else min(excess, 5.0 * known + 1e-12))
        self._limit.update(deviation)
