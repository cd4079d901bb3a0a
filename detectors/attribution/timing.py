"""Evidence of time: how well a suspect's moments go with the onset, as far as that is known."""

import math
from collections.abc import Sequence

import numpy as np

from detectors.attribution.likelihood import MINUTE_MS, Picture, interval
from detectors.evidence import FloatArray
from recoup.domain.base import from_ms

WINDOW_MIN = 720.0
"""An unknown cause may have come at any minute of half a day."""

DELAYS = ((0.62, 3.0), (0.28, 10.0), (0.07, 50.0), (0.03, 360.0))
"""How soon harm follows a change: shares, and the minutes that each takes on average."""

EARLY_MIN = 1.5
"""Clocks differ: so many minutes on average may a cause still be recorded after the onset."""

FIRST_STEP = 0.6
LEAST = 1e-7


def time_feature(picture: Picture, times_ms: Sequence[int]) -> float:
    """Return the log-odds of the onset, given a suspect's steps, over any minute of half a day."""
    density = float(picture.belief @ lag_density(picture, times_ms))
    return math.log(density + LEAST) + math.log(WINDOW_MIN)


def lag_density(picture: Picture, times_ms: Sequence[int]) -> FloatArray:
    """Return, per minute, how likely harm begins at each tick if these steps made it."""
    shares = zip(_shares(len(times_ms)), times_ms, strict=True)
    density: FloatArray = np.sum([share * _density(picture, at) for share, at in shares], axis=0)
    return density


def best_step(picture: Picture, times_ms: Sequence[int]) -> int:
    """Return which step goes best with the onset; the first of those that go as well."""
    fits = [
        share * float(picture.belief @ _density(picture, at))
        for share, at in zip(_shares(len(times_ms)), times_ms, strict=True)
    ]
    return int(np.argmax(np.round(np.log(np.array(fits) + LEAST), 2)))


def _shares(count: int) -> list[float]:
    """Return how likely the harm shows from each step on; the first hits few people."""
    if count == 1:
        return [1.0]
    return [FIRST_STEP, *[(1 - FIRST_STEP) / (count - 1)] * (count - 1)]


def _density(picture: Picture, at_ms: int) -> FloatArray:
    """Return, per minute, how likely harm begins at each tick if a change was made at a moment."""
    lag = (picture.ticks - at_ms) / MINUTE_MS
    after = np.maximum(lag, 0.0)
    found = sum(share / mean * np.exp(-after / mean) for share, mean in DELAYS)
    density: FloatArray = found * np.exp(np.minimum(lag, 0.0) / EARLY_MIN)
    return density


def time_text(picture: Picture, at_ms: int) -> str:
    """Return when a change came, seen from the onset."""
    low, high = interval(picture)
    minutes = (picture.most_likely_ms - at_ms) / MINUTE_MS
    span = f"between {from_ms(low):%H:%M} and {from_ms(high):%H:%M}"
    if abs(minutes) < 1:
        return f"It came at the onset ({span}, 90 %)."
    order = "before" if minutes > 0 else "after"
    return f"It came {_long(abs(minutes))} {order} the most likely onset ({span}, 90 %)."


def _long(minutes: float) -> str:
    return f"{minutes:.0f} min" if minutes < 180 else f"{minutes / 60:.0f} h"
