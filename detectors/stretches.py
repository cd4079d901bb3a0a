"""A stretch: ticks that close one after the other, whose events become trials all at once.

To sort events, follow their sessions, begin their trials and predict them costs about as much for
one tick as for many; only what decides has to see one tick after the other, with nothing of the
later ones.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from detectors.columns import Columns, Detail, Ints
from detectors.sessions import Found
from detectors.trials import Floats


class Span(NamedTuple):
    """Ticks from a moment until another, in Unix milliseconds."""

    start_ms: int
    until_ms: int
    tick_ms: int

    @property
    def edges(self) -> Ints:
        """When each tick starts, and when the last one ends."""
        return np.arange(self.start_ms, self.until_ms + 1, self.tick_ms, dtype=np.int64)


class Telling(NamedTuple):
    """An event that says more than its type: what, its type, its time and its leaf."""

    detail: Detail
    type: str
    time_ms: int
    leaf: int


class Tick(NamedTuple):
    """What one tick takes in: places in the stretch, and details."""

    start_ms: int
    events: slice
    begun: slice
    won: slice
    details: list[Telling]


class Stretch:
    """The events of consecutive ticks, by tick and within it in order of time.

    ``told`` are details, with the ticks' starts that take them in.
    """

    def __init__(
        self, due: Columns, found: Found, told: tuple[Ints, list[Telling]], span: Span
    ) -> None:
        self.due = due
        self.found = found
        self.span = span
        self.predicted: Floats = np.empty(0)
        """The probability of success of each trial that begins."""
        self.predicted_by = -1
        """The revision of the baseline that predicted."""
        self._told_ms, self._details = told

    def tick_of(self, times_ms: Ints) -> Ints:
        """Return which of the ticks each moment is in."""
        return (times_ms - self.span.start_ms) // self.span.tick_ms

    def counts(self, kinds: int) -> Ints:
        """Return, ticks x kinds, how many events of each type there are."""
        ticks = len(self.span.edges) - 1
        place = self.tick_of(self.due.due_ms) * kinds + self.due.type
        return np.bincount(place, minlength=ticks * kinds).reshape(ticks, kinds)

    def __iter__(self) -> Iterator[Tick]:
        """Give the ticks, one after the other."""
        edges = self.span.edges
        places = (
            _between(np.searchsorted(times, edges).tolist())
            for times in (self.due.due_ms, self.found.begun[1], self.found.won[1], self._told_ms)
        )
        for start_ms, events, begun, won, told in zip(edges.tolist(), *places, strict=False):
            yield Tick(start_ms, events, begun, won, self._details[told])


def _between(edges: list[int]) -> list[slice]:
    return [slice(low, high) for low, high in pairwise(edges)]
