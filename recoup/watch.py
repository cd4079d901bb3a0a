"""The detect role: feeds the log to the detection engine and appends what it finds.

The engine is a deterministic projection of the log. Its facts, its evidence and its checkpoint are
committed together, so a stop at any moment loses nothing and repeats nothing.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from detectors.engine import DetectionConfig, DetectionEngine, EngineOutput
from detectors.slices import Slicer
from recoup.app import App
from recoup.domain.base import from_ms
from recoup.domain.facts import NewFact, Recorded, TimePassed
from recoup.domain.series import EventBlock
from recoup.shadowing import Shadow, shadows_of

PROJECTION = "detector"
CLOCK_STREAM = "clock"
EVENTS_A_COMMIT = 20_000
EVENTS_A_SNAPSHOT = 400_000
POLL_S = 0.1
LIVE_WITHIN = timedelta(minutes=15)
"""A feed whose last block was at most this old on arrival is live: its silence means something."""

_log = structlog.get_logger()


@dataclass
class Watch:
    """The loop of the detect role; ``run`` ends when ``stop`` is set."""

    app: App
    stop: threading.Event
    engine: DetectionEngine = field(init=False)
    position: int = field(init=False, default=0)
    _slicer: Slicer = field(init=False)
    _shadows: list[Shadow] = field(init=False, default_factory=list)
    _events_since_snapshot: int = field(init=False, default=0)
    _snapshot_at: datetime = field(init=False, default=datetime.min.replace(tzinfo=UTC))
    _last_arrival: datetime | None = field(init=False, default=None)

    def run(self) -> None:
        """Resume from the last snapshot and follow the log until told to stop."""
        self._resume()
        while not self.stop.is_set():
            records = self.app.store.read(self.position, EVENTS_A_COMMIT)
            if records:
                self._process(records)
            elif not self._let_candidates_read():
                self._note_silence()
                self.stop.wait(POLL_S)
        self._commit(EngineOutput(), snapshot=True)
        for shadow in self._shadows:
            shadow.commit(snapshot=True)

    def _let_candidates_read(self) -> bool:
        """Let every candidate read on a little; tell whether any had something to read."""
        turns = [shadow.turn() for shadow in self._shadows]
        return any(turns)

    def _resume(self) -> None:
        response = self.app.settings.response
        config = DetectionConfig.from_settings(
            self.app.settings.detect, currency=self.app.settings.currency, shadow=response.shadow
        )
        self.position, self.engine = _latest(self.app, config)
        watching = self.engine.watching
        self._slicer = Slicer(watching.table, watching.plan.names, self.engine.leaves.dims)
        self.engine.on_tick = self._slicer.note
        self._shadows = shadows_of(self.app)
        _log.info("detector.resumed", position=self.position, head=self.app.store.head())

    def _process(self, records: Sequence[EventBlock | Recorded]) -> None:
        found = EngineOutput()
        for record in records:
            if isinstance(record, EventBlock):
                self.engine.observe_events(record)
                self.position = record.first_position + record.count - 1
                self._events_since_snapshot += record.count
                self._note_arrival(record)
            else:
                self.engine.observe_fact(record)
                self.position = record.position
            step = self.engine.advance()
            found.facts.extend(step.facts)
            found.evidence.extend(step.evidence)
            found.ticks.extend(step.ticks)
        self._commit(found, snapshot=self._snapshot_is_due())

    def _commit(self, found: EngineOutput, *, snapshot: bool) -> None:
        payload = self.engine.snapshot() if snapshot else None
        latest = {record.incident_id: record for record in found.evidence}
        self.app.store.commit_projection(
            PROJECTION,
            self.position,
            facts=found.facts,
            evidence=list(latest.values()),
            ticks=found.ticks,
            slices=self._slicer.take(),
            snapshot=payload,
        )
        if snapshot:
            self._events_since_snapshot = 0
            self._snapshot_at = self.app.clock.now()
        for _stream, new in found.facts:
            _log.info("detector.fact", type=new.fact.type_name, at=new.occurred_at.isoformat())

    def _snapshot_is_due(self) -> bool:
        if self._events_since_snapshot >= EVENTS_A_SNAPSHOT:
            return True
        if self._events_since_snapshot == 0 or self.position < self.app.store.head():
            return False
        age = self.app.clock.now() - self._snapshot_at
        return age >= timedelta(seconds=self.app.settings.detect.snapshot_every_s)

    def _note_arrival(self, block: EventBlock) -> None:
        arrived = from_ms(block.received_at_ms)
        behind = arrived - from_ms(self.engine.watermark_ms)
        self._last_arrival = arrived if behind <= LIVE_WITHIN else None

    def _note_silence(self) -> None:
        """Record that time passed when a live feed falls silent; an outage must not go unseen."""
        if self._last_arrival is None:
            return
        now = self.app.clock.now()
        if now - self._last_arrival < timedelta(seconds=self.app.settings.detect.tick_s):
            return
        fact = NewFact(
            fact_id=f"time:{now.isoformat()}", fact=TimePassed(until=now), occurred_at=now
        )
        self.app.store.append(CLOCK_STREAM, [fact])
        self._last_arrival = now


def _latest(app: App, config: DetectionConfig) -> tuple[int, DetectionEngine]:
    """Return the engine of the latest snapshot, or a new one that reads the log from its start.

    Facts have ids of their own, so what a new one finds again is not appended again.
    """
    found = app.store.latest_snapshot(PROJECTION)
    if found is None:
        return 0, DetectionEngine(config)
    position, payload = found
    try:
        return position, DetectionEngine.restore(config, payload)
    except (ValueError, LookupError, TypeError, AttributeError, ImportError) as error:
        _log.warning("detector.snapshot_unusable", position=position, reason=str(error))
        return 0, DetectionEngine(config)
