"""The sessioniser: events of a session become trials of steps, errors and latencies."""

from dataclasses import dataclass, field
from itertools import pairwise

from detectors.columns import Event
from detectors.configuration import DetectionConfig
from recoup.domain.storefront import API_TIMED, ORDER_COMPLETED, PAYMENT_FAILED, SCRIPT_ERROR

IDLE_MS = 4 * 3600 * 1000
ERROR_METRIC = "script_error"


@dataclass(slots=True)
class Session:
    """What is remembered of a session: what it reached, and the trials that are still open."""

    leaf: int
    last_ms: int
    reached: set[str] = field(default_factory=set)
    open_steps: dict[str, int] = field(default_factory=dict)
    open_error: int = -1


@dataclass(frozen=True, slots=True)
class Step:
    """One funnel transition; its name is ``start->end``."""

    start: str
    end: str

    @property
    def name(self) -> str:
        """The metric's name."""
        return f"{self.start}->{self.end}"


def steps_of(funnel: tuple[str, ...]) -> list[Step]:
    """Return each elementary step and, for the last ones, the joined step to the end."""
    steps = [Step(a, b) for a, b in pairwise(funnel)]
    steps += [Step(a, funnel[-1]) for a in funnel[-3:-2]]
    return steps


@dataclass(frozen=True, slots=True)
class Exposure:
    """A trial begins: its metric, when, and for which leaf; ``key`` links it to its session."""

    metric: str
    time_ms: int
    leaf: int


class Sessioniser:
    """Turns events in order of time into exposures and successes, through two callbacks."""

    def __init__(self, config: DetectionConfig) -> None:
        self.sessions: dict[str, Session] = {}
        self.funnel = frozenset(config.funnel)
        steps = steps_of(config.funnel)
        self.starting = {kind: [s for s in steps if s.start == kind] for kind in config.funnel}
        self.ending = {kind: [s for s in steps if s.end == kind] for kind in config.funnel}
        self.signals: list[tuple[str, str, int, int]] = []
        self.slow_calls: list[tuple[str, int, int, float]] = []
        self.orders: list[tuple[int, float, str]] = []
        self.counts: dict[str, int] = {}

    def take(self, event: Event, tables: "Tables") -> None:
        """Take in one event."""
        kind = event.type
        self.counts[kind] = self.counts.get(kind, 0) + 1
        session = self.sessions.get(event.session)
        if session is None:
            session = self.sessions[event.session] = Session(event.leaf, event.time_ms)
        session.last_ms = max(session.last_ms, event.time_ms)
        if kind in self.funnel:
            if kind not in session.reached:
                self._reach(session, event, tables)
            if kind == ORDER_COMPLETED:
                self.orders.append((session.leaf, event.number, event.detail))
        elif kind == SCRIPT_ERROR:
            self.signals.append((SCRIPT_ERROR, event.detail, event.time_ms, session.leaf))
            if session.open_error >= 0:
                tables.succeed(ERROR_METRIC, session.open_error, event.time_ms)
                session.open_error = -1
        elif kind == PAYMENT_FAILED:
            self.signals.append((PAYMENT_FAILED, event.detail, event.time_ms, session.leaf))
        elif kind == API_TIMED and event.detail:
            self.slow_calls.append((event.detail, event.time_ms, session.leaf, event.number))

    def _reach(self, session: Session, event: Event, tables: "Tables") -> None:
        session.reached.add(event.type)
        for step in self.ending[event.type]:
            number = session.open_steps.pop(step.name, -1)
            if number >= 0:
                tables.succeed(step.name, number, event.time_ms)
        for step in self.starting[event.type]:
            if step.end not in session.reached:
                session.open_steps[step.name] = tables.expose(
                    step.name, event.time_ms, session.leaf
                )
        session.open_error = tables.expose(ERROR_METRIC, event.time_ms, session.leaf)

    def forget(self, now_ms: int) -> None:
        """Drop sessions that have been idle for hours."""
        limit = now_ms - IDLE_MS
        gone = [key for key, session in self.sessions.items() if session.last_ms < limit]
        for key in gone:
            del self.sessions[key]


class Tables:
    """What the sessioniser reports to: exposures and successes, by metric."""

    def expose(self, metric: str, time_ms: int, leaf: int) -> int:
        """Begin a trial; return its number."""
        raise NotImplementedError

    def succeed(self, metric: str, number: int, time_ms: int) -> None:
        """Report a success."""
        raise NotImplementedError
