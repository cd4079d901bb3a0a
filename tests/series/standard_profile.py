"""The standard profile of the Numenta benchmark: what early, rare and right scores are worth.

A window found is worth up to one, the earlier the more; one missed costs one; a row outside costs
0.11, less shortly after a window. The first rows of a file do not count. One threshold serves all
files, the one that is best for them; nothing said is 0, all said at once at the start of every
window is 100.
"""

import math
from typing import NamedTuple

import numpy as np

FALSE_ALARM = 0.11
Scored = tuple[np.ndarray, list[tuple[int, int]]]
"""The scores of a file and its windows, as first and last row."""


class Standing(NamedTuple):
    """A corpus at its best threshold; ``false_rows`` are those outside of windows."""

    score: float
    threshold: float
    windows_found: float
    false_rows: int


def standard_score(files: list[Scored]) -> Standing:
    """Return how a corpus fares at the threshold that is best for all of it."""
    rows, count = [], 0
    for scores, windows in files:
        counted = [window for window in windows if window[1] >= _probation(scores)]
        for row in np.flatnonzero(scores > 0).tolist():
            if row >= _probation(scores):
                window, worth = _worth(row, counted)
                rows.append((float(scores[row]), None if window is None else count + window, worth))
        count += len(counted)
    rows.sort(key=lambda each: -each[0])
    best, found = Standing(0.0, 1.1, 0.0, 0), dict[int, float]()
    total, false_rows = 0.0, 0
    for place, (score, window, worth) in enumerate(rows):
        if window is None:
            total, false_rows = total + worth, false_rows + 1
        else:
            total += max(worth - found.get(window, -1.0), 0.0)
            found[window] = max(worth, found.get(window, -1.0))
        last = place + 1 == len(rows) or rows[place + 1][0] < score
        if last and (normal := 50 * total / count) > best.score:
            best = Standing(normal, score, len(found) / count, false_rows)
    return best


def _probation(scores: np.ndarray) -> int:
    return min(int(0.15 * len(scores)), 750)


def _worth(row: int, windows: list[tuple[int, int]]) -> tuple[int | None, float]:
    """Return the window that a row is in, if any, and what saying it there is worth."""
    before: tuple[int, int] | None = None
    for number, (first, last) in enumerate(windows):
        if first <= row <= last:
            return number, _sigmoid((row - last - 1) / (last - first + 1)) / _sigmoid(-1.0)
        if last < row:
            before = first, last
    if before is None:
        return None, -FALSE_ALARM
    since = (row - before[1]) / max(before[1] - before[0], 1)
    return None, FALSE_ALARM * (-1.0 if since > 3 else _sigmoid(since))


def _sigmoid(place: float) -> float:
    return 2 / (1 + math.exp(5 * place)) - 1
