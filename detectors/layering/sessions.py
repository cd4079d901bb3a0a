"""From the events of a tick to the features of sessions that ended with it.

A session counts once: when it is complete (it reached the end of the funnel), or has been idle for
a quarter of an hour. What it does later is not looked at.
"""

import numpy as np

from detectors.columns import Columns, Ints
from detectors.compiled import compiled
from detectors.sessions import IDLE_MS
from detectors.trials import Floats
from recoup.domain.storefront import API_TIMED, PAYMENT_FAILED, SCRIPT_ERROR

OVER_MS = 15 * 60_000
TELLING = (SCRIPT_ERROR, PAYMENT_FAILED, API_TIMED)
FIRST_ROOM = 4096
FIRST, LAST, DEEPEST, DEEPEST_AT, LONGEST, STATE = range(6)
FREE, RUNNING, TOLD = 0.0, 1.0, 2.0


class SessionFeatures:
    """Tallies of running sessions by their number; ``take`` returns those that are over."""

    def __init__(self, funnel: tuple[str, ...]) -> None:
        self.funnel = funnel
        self.kinds = (*funnel, *TELLING, "other")
        self._counts = np.zeros((FIRST_ROOM, len(self.kinds)))
        self._times = np.zeros((FIRST_ROOM, 6))

    @property
    def names(self) -> tuple[str, ...]:
        """The features, in order."""
        counts = tuple(f"count:{kind}" for kind in self.kinds)
        return (*counts, "deepest_step", "duration", "mean_gap", "longest_gap", "time_to_deepest")

    def take(self, due: Columns, types: dict[str, int], start_ms: int, now_ms: int) -> Ints:
        """Take in the events of a tick, in order of time; return the sessions that are over."""
        if len(due.session):
            self._make_room(int(due.session.max()) + 1)
            places = np.full(max(types.values()) + 1, len(self.kinds) - 1, dtype=np.int64)
            for place, kind in enumerate(self.kinds[:-1]):
                if kind in types:
                    places[types[kind]] = place
            _tally(
                due.time_ms, due.session, places[due.type], start_ms, len(self.funnel),
                self._counts, self._times,
            )  # fmt: skip
        times = self._times
        running = times[:, STATE] == RUNNING
        over = running & (times[:, LAST] < now_ms - OVER_MS)
        over |= running & (times[:, DEEPEST] == len(self.funnel) - 1)
        found: Ints = np.flatnonzero(over)
        times[found, STATE] = TOLD
        return found

    def features(self, sessions: Ints) -> Floats:
        """Return the features of sessions, n x F."""
        counts, times = self._counts[sessions], self._times[sessions]
        seconds = (times[:, LAST] - times[:, FIRST]) / 1000
        gaps = seconds / np.maximum(counts.sum(axis=1) - 1, 1)
        to_deepest = np.maximum(times[:, DEEPEST_AT] - times[:, FIRST], 0) / 1000
        spans = np.stack([seconds, gaps, times[:, LONGEST] / 1000, to_deepest], axis=1)
        deepest = times[:, DEEPEST, None]
        return np.concatenate([np.log1p(counts), deepest, np.log1p(np.maximum(spans, 0))], axis=1)

    def _make_room(self, sessions: int) -> None:
        more = sessions - len(self._counts)
        if more > 0:
            more = max(more, len(self._counts))
            self._counts = np.concatenate([self._counts, np.zeros((more, len(self.kinds)))])
            self._times = np.concatenate([self._times, np.zeros((more, 6))])


@compiled
def _tally(
    time_ms: Ints,
    session: Ints,
    place: Ints,
    start_ms: int,
    steps: int,
    counts: Floats,
    times: Floats,
) -> None:
    for i in range(len(time_ms)):
        s, now = session[i], float(max(time_ms[i], start_ms))
        row = times[s]
        if row[STATE] == FREE or now - row[LAST] > IDLE_MS:
            counts[s] = 0.0
            row[FIRST], row[LAST], row[DEEPEST] = now, now, -1.0
            row[DEEPEST_AT], row[LONGEST], row[STATE] = now, 0.0, RUNNING
        if row[STATE] == RUNNING:
            counts[s, place[i]] += 1.0
            row[LONGEST] = max(row[LONGEST], now - row[LAST])
            if place[i] < steps and place[i] > row[DEEPEST]:
                row[DEEPEST], row[DEEPEST_AT] = float(place[i]), now
        row[LAST] = now
