"""The detection engine: a deterministic projection from the log to alarms and incidents.

Time is cut into ticks of event time. A tick closes when the watermark has passed its end by the
grace, or when the log says that time passed. Everything that decides happens as a tick closes, on
the events of that tick in order of time, so it does not matter how events were cut into blocks.
"""

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from detectors.charting import chart_rows
from detectors.columns import NOTHING, TELLING, Columns, Decoder, Detail, Ints, Leaves
from detectors.configuration import HOUR_MS, DetectionConfig
from detectors.evidence import to_bytes
from detectors.evidence_making import Surroundings, cut
from detectors.layering.stack import LayerStack
from detectors.response import Response
from detectors.stretches import Span, Stretch, Tick
from detectors.watching import Watching
from recoup.domain.base import from_ms, to_ms
from recoup.domain.changes import Change
from recoup.domain.facts import (
    ChangeRecorded,
    FeedbackGiven,
    FeedbackWithdrawn,
    IncidentClosed,
    NewFact,
    Recorded,
    TimePassed,
)
from recoup.domain.ports import EvidenceRecord
from recoup.domain.series import EventBlock, TickRow

__all__ = ["DetectionConfig", "DetectionEngine", "EngineOutput"]

FORMAT = 16


@dataclass
class EngineOutput:
    """What closing ticks brought: facts by stream, evidence of open incidents, rows for charts."""

    facts: list[tuple[str, NewFact]] = field(default_factory=list)
    evidence: list[EvidenceRecord] = field(default_factory=list)
    ticks: list[TickRow] = field(default_factory=list)


class DetectionEngine:
    """Feed it the log in order; ``advance`` returns what it found.

    ``on_tick``, if set, is called with the end of each tick once everything about it is decided.
    """

    def __init__(self, config: DetectionConfig) -> None:
        self.config = config
        self.on_tick: Callable[[int], None] | None = None
        self.watermark_ms = 0
        self.tick_start = 0
        self.first_ms = 0
        self.leaves = Leaves(config.max_values_per_dimension)
        self.decoder = Decoder(self.leaves, {kind: n for n, kind in enumerate(config.funnel)})
        self.watching = Watching(config, self.leaves)
        self.response = Response(config, self.watching)
        self.layers = LayerStack(config.layers, config) if config.layers else None
        self._buffer: Columns = NOTHING
        self._details: dict[int, Detail] = {}
        self._out = EngineOutput()

    @property
    def open(self) -> list[str]:
        """The ids of the incidents that are open."""
        return [key for key, incident in self.response.open.items() if not incident.closed]

    def observe_events(self, block: EventBlock) -> None:
        """Take in a block of storefront events, in log order."""
        columns, details = self.decoder.decode(block)
        if not len(columns.order):
            return
        self._details.update(details)
        running = np.maximum.accumulate(np.maximum(columns.time_ms, self.watermark_ms))
        if not self.first_ms:
            self._start(int(running[0]))
        # A tick takes in what comes before it closes, as if events came one by one.
        tick = self.config.tick_ms
        still_open = (running - self.config.grace_ms) // tick * tick
        due_ms = np.maximum(columns.time_ms // tick * tick, still_open)
        columns = columns._replace(due_ms=np.maximum(due_ms, self.tick_start))
        self._buffer = self._buffer.then(columns)
        self._move(int(running[-1]))

    def observe_fact(self, entry: Recorded) -> None:
        """Take in a domain event: time that passed, a change, feedback, an incident's end."""
        fact = entry.fact
        self.response.sensitivity.take(fact)
        if isinstance(fact, TimePassed):
            if self.first_ms:
                self._move(to_ms(fact.until))
        elif isinstance(fact, FeedbackGiven) and fact.label == "false_positive":
            self.response.accept(fact.incident_id)
        elif isinstance(fact, FeedbackWithdrawn):
            self.response.withdraw(fact.incident_id)
        elif isinstance(fact, IncidentClosed):
            self.response.close(fact)
        elif isinstance(fact, ChangeRecorded):
            self.note_change(fact.change)

    def note_change(self, change: Change) -> None:
        """Watch more closely, for some hours, whom a change touches."""
        self.watching.priming.note(change)

    def advance(self) -> EngineOutput:
        """Return what was found since the last call."""
        found, self._out = self._out, EngineOutput()
        if found.ticks or found.facts:
            found.evidence.extend(self.record(key) for key in self.open)
        return found

    def take_facts(self) -> list[tuple[str, NewFact]]:
        """Return the facts found since the last call, without evidence and rows for charts."""
        facts, self._out.facts = self._out.facts, []
        return facts

    def record(self, incident_id: str) -> EvidenceRecord:
        """Return the evidence of an open incident as of the last tick."""
        incident = self.response.open[incident_id]
        watching = self.watching
        around = Surroundings(
            watching.plan.names,
            watching.table,
            self.leaves.dims,
            watching.signals,
            watching.volumes,
            self.config.tick_ms,
            self.config.currency,
            self.response.desk.order_value,
        )
        rate = self.response.desk.order_rate(incident.metric)
        made = cut(incident, around, rate, self.tick_start)
        until = from_ms(self.tick_start)
        return EvidenceRecord(incident_id=incident_id, until=until, payload=to_bytes(made))

    def snapshot(self) -> bytes:
        """Return the whole state; ``restore`` continues from it bit for bit."""
        left_out = ("config", "on_tick")
        state = {name: value for name, value in vars(self).items() if name not in left_out}
        return pickle.dumps({"format": FORMAT, "state": state}, protocol=5)

    @classmethod
    def restore(cls, config: DetectionConfig, payload: bytes) -> "DetectionEngine":
        """Return the engine as it was. Raises ValueError for another version's snapshot."""
        # The payload is our own: the store has verified its checksum.
        loaded = pickle.loads(payload)  # noqa: S301
        if loaded["format"] != FORMAT:
            raise ValueError("this snapshot was written by another version of Recoup")
        engine = cls(config)
        vars(engine).update(loaded["state"])
        if (engine.layers.names if engine.layers else ()) != config.layers:
            engine.layers = LayerStack(config.layers, config) if config.layers else None
        return engine

    def _start(self, first_ms: int) -> None:
        self.first_ms = self.watermark_ms = first_ms
        self.tick_start = first_ms // self.config.tick_ms * self.config.tick_ms

    def _move(self, to_time_ms: int) -> None:
        """Move the watermark on, closing every tick whose end it has passed by the grace."""
        self.watermark_ms = max(self.watermark_ms, to_time_ms)
        tick = self.config.tick_ms
        until = (self.watermark_ms - self.config.grace_ms) // tick * tick
        while self.tick_start < until:
            self._close_ticks(min(until, self._stretch_end()))

    def _stretch_end(self) -> int:
        """Return until when ticks may be prepared together: while nothing is learned or freed."""
        tick = self.config.tick_ms
        if self.layers:
            return self.tick_start + tick
        hour_end = (self.tick_start // HOUR_MS + 1) * HOUR_MS
        return -(-hour_end // tick) * tick

    def _close_ticks(self, until_ms: int) -> None:
        """Close the ticks that end until a moment."""
        is_due = self._buffer.due_ms < until_ms
        due, self._buffer = self._buffer.part(is_due), self._buffer.part(~is_due)
        due = due.part(np.lexsort((due.order, due.time_ms, due.due_ms)))
        types = self.decoder.types
        telling = [number for kind, number in types.items() if kind in TELLING]
        places = np.flatnonzero(np.isin(due.type, telling))
        kept = self._details
        details = [
            (place, kept.pop(order))
            for place, order in zip(places.tolist(), due.order[places].tolist(), strict=True)
            if order in kept
        ]
        span = Span(self.tick_start, until_ms, self.config.tick_ms)
        stretch = self.watching.begin(due, details, types, span)
        for tick, counts in zip(stretch, stretch.counts(len(set(types.values()))), strict=True):
            self._close_tick(stretch, tick, counts)

    def _close_tick(self, stretch: Stretch, tick: Tick, counts: Ints) -> None:
        now_ms = tick.start_ms + self.config.tick_ms
        warm = now_ms - self.first_ms >= self.config.warm_up_ms
        high = self.watching.take(stretch, tick, counts, warm=warm)
        self.tick_start = now_ms
        if self.layers:
            types, due = self.decoder.types, stretch.due.part(tick.events)
            self._out.facts += self.layers.take(due, types, self.watching, now_ms, warm=warm)
        if self.watching.hour_ended(now_ms, now_ms - self.first_ms):
            self.decoder.forget(self.watching.forget(now_ms, self._buffer))
        self._out.facts += self.response.decide(high, now_ms, warm=warm)
        if self.config.charts:
            self._out.ticks += chart_rows(
                self.watching.table, self.watching.plan.names, now_ms, self.config.tick_ms
            )
        if self.on_tick is not None:
            self.on_tick(now_ms)
