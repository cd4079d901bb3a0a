"""The sessioniser: events of a session become trials of steps, errors and lost beacons.

Metrics of trials, in this order: each funnel step (``a->b``), the joined step over the last two,
``script_error`` (does an error follow a page?), and for each funnel type ``missing:a`` (was the
next type reached although ``a`` was never seen? its beacon was lost then), and ``api_slow`` (is a
call slower than the learned quantile of its endpoint?).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.columns import Columns, Ints, Leaves, funnel_steps, join_key
from detectors.compiled import compiled
from detectors.hashing import find_slot

IDLE_MS = 4 * 3600 * 1000
ERROR_METRIC = "script_error"
MISSING = "missing:"
SLOW_METRIC = "api_slow"
FIRST_ROOM = 4096


class Plan(NamedTuple):
    """Which metrics a funnel has; arrays are by metric, in units of places in the funnel."""

    names: tuple[str, ...]
    start: Ints
    end: Ints
    steps: int
    error: int
    missing: int
    """The metric number of ``missing:funnel[0]``; those of the further types follow."""
    slow: int

    def explains(self, metric: int) -> npt.NDArray[np.bool_]:
        """Return of which metrics an incident of one explains what they do in its cohort.

        A step explains the steps it has a part in common with, and all but steps; whatever else
        departs there has a cause of its own. What is no step explains everything.
        """
        explained = np.ones(len(self.names), dtype=bool)
        if metric < self.steps:
            apart = (self.end <= self.start[metric]) | (self.start >= self.end[metric])
            explained[: self.steps] = ~apart
        return explained


def plan_of(funnel: tuple[str, ...]) -> Plan:
    """Return the metrics of a funnel."""
    steps = funnel_steps(funnel)
    names = [f"{funnel[a]}->{funnel[b]}" for a, b in steps]
    error = len(names)
    names.append(ERROR_METRIC)
    names += [f"{MISSING}{kind}" for kind in funnel[:-1]]
    names.append(SLOW_METRIC)
    return Plan(
        tuple(names),
        np.array([a for a, _ in steps], dtype=np.int64),
        np.array([b for _, b in steps], dtype=np.int64),
        len(steps),
        error,
        error + 1,
        len(names) - 1,
    )


class SessionState(NamedTuple):
    """What is remembered of each session, by its number."""

    leaf: Ints
    last_ms: Ints
    reached: Ints
    """Bits of the funnel types seen; -1 where the number is free."""
    open_trial: Ints
    """S x (steps + 1): the trial that waits for each step and for an error; -1 if none."""


class Found(NamedTuple):
    """What events came to, in order of time."""

    begun: Ints
    """4 x n, trials that begin: metric, time, leaf, and when they had succeeded already, or -1."""
    won: Ints
    """2 x n, trials that succeed: number and time."""


class Sessioniser:
    """Turns events, in order of time, into trials."""

    def __init__(self, funnel: tuple[str, ...]) -> None:
        self.plan = plan_of(funnel)
        self.funnel = funnel
        self.state = _room(FIRST_ROOM, self.plan.steps + 1)

    def take(
        self, due: Columns, place_of_type: Ints, leaves: Leaves, first_trial: int, calls: Ints
    ) -> tuple[Ints, Found]:
        """Take in events, tick by tick in order of time; return their leaves and their trials.

        ``place_of_type`` maps types to places in the funnel: -1 is another type, -2 a script
        error. ``first_trial`` is the number that the first new trial gets. ``calls`` is 1 for
        timed calls, 2 for slow ones, and 0 for other events. Sessions must not be able to end
        within the span of the events: it is an hour at most.
        """
        if len(due.order) == 0:
            empty = np.empty((4, 0), dtype=np.int64)
            return empty[0], Found(empty, empty[:2])
        self._make_room(int(due.session.max()) + 1)
        # What comes late counts for the tick that takes it in.
        now_ms = np.maximum(due.time_ms, due.due_ms)
        leaf = self._leaves_of(due, leaves, now_ms)
        most = len(due.order) * (self.plan.steps + 3)
        out = np.empty((4, most), dtype=np.int64)
        won = np.empty((2, most), dtype=np.int64)
        begun, ended = _walk(
            now_ms,
            due.session,
            place_of_type[due.type],
            leaf,
            self.state,
            self.plan.start,
            self.plan.end,
            self.plan.missing,
            self.plan.slow,
            calls,
            first_trial,
            out,
            won,
        )
        return leaf, Found(out[:, :begun].copy(), won[:, :ended].copy())

    def idle_since(self, limit_ms: int, waiting: Columns) -> set[int]:
        """Return the sessions that ended before a moment, and take their state away."""
        gone = (self.state.reached >= 0) & (self.state.last_ms < limit_ms)
        gone[waiting.session[waiting.session < len(gone)]] = False
        self.state.reached[gone] = -1
        return set(np.flatnonzero(gone).tolist())

    def _make_room(self, sessions: int) -> None:
        present = len(self.state.leaf)
        if sessions > present:
            more = _room(max(sessions - present, present), self.plan.steps + 1)
            joined = [np.concatenate(pair) for pair in zip(self.state, more, strict=True)]
            self.state = SessionState(*joined)

    def _leaves_of(self, due: Columns, leaves: Leaves, now_ms: Ints) -> Ints:
        """Return the leaf of each event, with what its session told before."""
        known, session = self.state.leaf, due.session
        idle = now_ms - self.state.last_ms[session] > IDLE_MS
        known[session[(self.state.reached[session] < 0) | idle]] = -1
        leaf = np.empty(len(session), dtype=np.int64)
        done = 0
        while done < len(session):
            done = _follow(done, session, due.text, leaves.of_text, leaves.joins, known, leaf)
            if done < len(session):  # Nobody told this before.
                text = leaves.number(int(due.text[done]))
                before = int(known[session[done]])
                if before >= 0:
                    leaves.joined(before, text)
        return leaf


def _room(sessions: int, width: int) -> SessionState:
    return SessionState(
        np.full(sessions, -1, dtype=np.int64),
        np.zeros(sessions, dtype=np.int64),
        np.full(sessions, -1, dtype=np.int64),
        np.full((sessions, width), -1, dtype=np.int64),
    )


@compiled
def _follow(
    start: int,
    session: Ints,
    text: Ints,
    of_text: Ints,
    joins: Ints,
    known: Ints,
    leaf: Ints,
) -> int:
    """Write the leaves of events until one is met that has no number yet; return its place."""
    for i in range(start, len(session)):
        s, told = session[i], of_text[text[i]]
        if told < 0:
            return i
        before = known[s]
        if before >= 0 and before != told:
            key = join_key(before, told)
            slot = find_slot(joins[0], key)
            if joins[0, slot] != key:
                return i
            told = joins[1, slot]
        known[s] = leaf[i] = told
    return len(session)


@compiled
def _walk(  # noqa: PLR0913 - a compiled loop takes its arrays one by one
    now_ms: Ints,
    session: Ints,
    place: Ints,
    leaf: Ints,
    state: SessionState,
    start: Ints,
    end: Ints,
    missing: int,
    slow: int,
    calls: Ints,
    first_trial: int,
    out: Ints,
    won: Ints,
) -> tuple[int, int]:
    begun, ended = 0, 0
    error = len(start)
    for i in range(len(now_ms)):
        s, now = session[i], now_ms[i]
        if state.reached[s] < 0 or now - state.last_ms[s] > IDLE_MS:
            state.reached[s] = 0
            state.open_trial[s] = -1
        state.last_ms[s] = max(state.last_ms[s], now)
        at = place[i]
        if at == -2 and state.open_trial[s, error] >= 0:
            won[0, ended], won[1, ended] = state.open_trial[s, error], now
            state.open_trial[s, error] = -1
            ended += 1
        if calls[i] > 0:
            out[0, begun], out[1, begun], out[2, begun] = slow, now, leaf[i]
            out[3, begun] = now if calls[i] > 1 else -1
            begun += 1
        if at < 0 or state.reached[s] >> at & 1:
            continue
        state.reached[s] |= 1 << at
        for k in range(error):
            if end[k] == at and state.open_trial[s, k] >= 0:
                won[0, ended], won[1, ended] = state.open_trial[s, k], now
                state.open_trial[s, k] = -1
                ended += 1
            elif start[k] == at and not state.reached[s] >> end[k] & 1:
                out[0, begun], out[1, begun], out[2, begun], out[3, begun] = k, now, leaf[i], -1
                state.open_trial[s, k] = first_trial + begun
                begun += 1
        out[0, begun], out[1, begun], out[2, begun], out[3, begun] = error, now, leaf[i], -1
        state.open_trial[s, error] = first_trial + begun
        begun += 1
        if at > 0:
            out[0, begun], out[1, begun], out[2, begun] = missing + at - 1, now, leaf[i]
            out[3, begun] = -1 if state.reached[s] >> (at - 1) & 1 else now
            begun += 1
    return begun, ended
