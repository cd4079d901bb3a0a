"""A stretch: ticks that close one after the other, whose events become trials all at once.

To sort events, follow their sessions and begin their trials costs about as much for one tick as for
many; only what decides has to see one tick after the other, with nothing of the later ones.
"""

from typing import NamedTuple

import numpy as np

from detectors.columns import Columns, Detail, Ints
from detectors.sessions import Found


class Telling(NamedTuple):
    """An event that says more than its type: its type's number, its time and its leaf.

    ``call`` is 2 for a slow call.
    """

    detail: Detail
    type: int
    time_ms: int
    leaf: int
    call: int


class Tick(NamedTuple):
    """What one tick takes in; ``events`` is the place of its events in the stretch."""

    start_ms: int
    events: slice
    begun: Found
    details: list[Telling]


class Stretch:
    """The events of consecutive ticks, by tick and within it in order of time."""

    def __init__(
        self,
        due: Columns,
        leaf: Ints,
        found: Found,
        calls: Ints,
        details: list[tuple[int, Detail]],
    ) -> None:
        self.due = due
        self._found = found
        places = np.array([place for place, _ in details], dtype=np.int64)
        rows = due.part(places)
        told = (rows.type, rows.time_ms, leaf[places], calls[places])
        columns = (column.tolist() for column in told)
        self._details = list(map(Telling, (detail for _, detail in details), *columns))
        self._told_ms = rows.due_ms

    def tick(self, start_ms: int, tick_ms: int) -> Tick:
        """Return what the tick that starts then takes in."""
        ends = [start_ms, start_ms + tick_ms]
        low, high = np.searchsorted(self.due.due_ms, ends).tolist()
        if low == high:
            return Tick(start_ms, slice(low, high), self._part(slice(0), slice(0)), [])
        begun, won = (
            slice(*np.searchsorted(times, ends).tolist())
            for times in (self._found.exposed_ms, self._found.won_ms)
        )
        told = slice(*np.searchsorted(self._told_ms, ends).tolist())
        return Tick(start_ms, slice(low, high), self._part(begun, won), self._details[told])

    def _part(self, begun: slice, won: slice) -> Found:
        found = self._found
        return Found(
            *(column[begun] for column in found[:4]), *(column[won] for column in found[4:])
        )
