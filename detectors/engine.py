"""The detection engine: a deterministic projection from the log to alarms and incidents.

Time is cut into ticks of event time. A tick closes when the watermark has passed its end by the
grace, or when the log says that time passed. Everything that decides happens as a tick closes, on
the events of that tick in order of time, so it does not matter how events were cut into blocks.
"""

import pickle
from dataclasses import dataclass, field

import numpy as np

from detectors.charting import chart_rows
from detectors.cohorts import EVERYONE_ID, CohortIndex
from detectors.columns import Event, Leaves, decode
from detectors.configuration import DAY_MS, HOUR_MS, DetectionConfig
from detectors.evidence import to_bytes
from detectors.evidence_making import cut
from detectors.grouping import related
from detectors.incidents import OpenIncident
from detectors.learners import CountLearner, OutcomeLearner, SlownessLearner
from detectors.reporting import Opening, alarm_facts, opening_facts, recovery_fact, update_fact
from detectors.sequential import Evidence, threshold
from detectors.sessions import ERROR_METRIC, Sessioniser, Tables, steps_of
from detectors.trials import Increments, Matured, TrialTable
from recoup.domain.base import from_ms, to_ms
from recoup.domain.cohort import Cohort
from recoup.domain.facts import (
    FeedbackGiven,
    IncidentClosed,
    NewFact,
    Recorded,
    Resolution,
    TimePassed,
)
from recoup.domain.ports import EvidenceRecord
from recoup.domain.series import EventBlock, TickRow

__all__ = ["DetectionConfig", "DetectionEngine", "EngineOutput"]

FORMAT = 1
KEPT_MS = 5 * HOUR_MS
MIN_LEARNED = 150.0
MIN_AGE_MS = DAY_MS // 2
MIN_SHORTFALL = 4.0
WATCHED_ONLY = ("latency:",)
"""Measured and shown as evidence; their baseline has not earned them a voice of their own yet."""


@dataclass
class EngineOutput:
    """What closing ticks brought: facts by stream, evidence of open incidents, rows for charts."""

    facts: list[tuple[str, NewFact]] = field(default_factory=list)
    evidence: list[EvidenceRecord] = field(default_factory=list)
    ticks: list[TickRow] = field(default_factory=list)


class DetectionEngine(Tables):
    """Feed it the log in order; ``advance`` returns what it found."""

    def __init__(self, config: DetectionConfig) -> None:
        self.config = config
        self.watermark_ms = 0
        self.tick_start = 0
        self.first_ms = 0
        self.leaves = Leaves(config.max_values_per_dimension)
        self.index = CohortIndex()
        self.sessioniser = Sessioniser(config)
        self.metrics: list[str] = []
        self.tables: dict[str, TrialTable] = {}
        self.learners: dict[str, OutcomeLearner] = {}
        self.slowness: dict[str, SlownessLearner] = {}
        self.counts: dict[str, CountLearner] = {}
        self.evidence: list[Evidence] = []
        self.open: dict[str, OpenIncident] = {}
        self.order_value = 0.0
        self.totals: dict[str, float] = {}
        self.signals: list[tuple[str, str, int, int]] = []
        self._buffer: list[Event] = []
        self._out = EngineOutput()
        for step in steps_of(config.funnel):
            self._watch(step.name, "drop", config.horizon_ms)
        self._watch(ERROR_METRIC, "rise", config.error_horizon_ms)

    # Input

    def observe_events(self, block: EventBlock) -> None:
        """Take in a block of storefront events, in log order."""
        for event in decode(block, self.leaves):
            if event.time_ms > self.watermark_ms:
                self._move(event.time_ms)
            self._buffer.append(event)

    def observe_fact(self, entry: Recorded) -> None:
        """Take in a domain event: time that passed, feedback, the end of an incident."""
        fact = entry.fact
        if isinstance(fact, TimePassed):
            if self.first_ms:
                self._move(to_ms(fact.until))
        elif isinstance(fact, FeedbackGiven) and fact.label == "false_positive":
            self._accept(fact.incident_id)
        elif isinstance(fact, IncidentClosed):
            self._close(fact)

    def advance(self) -> EngineOutput:
        """Return what was found since the last call."""
        found, self._out = self._out, EngineOutput()
        if found.ticks or found.facts:
            found.evidence.extend(
                self._record(incident, self.tick_start)
                for incident in self.open.values()
                if not incident.closed
            )
        return found

    def snapshot(self) -> bytes:
        """Return the whole state; ``restore`` continues from it bit for bit."""
        state = {name: value for name, value in vars(self).items() if name != "config"}
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
        return engine

    # Trials

    def expose(self, metric: str, time_ms: int, leaf: int) -> int:
        """Begin a trial of a metric."""
        return self.tables[metric].expose(time_ms, leaf)

    def succeed(self, metric: str, number: int, time_ms: int) -> None:
        """Report the success of a trial."""
        self.tables[metric].succeed(number, time_ms)

    def _watch(self, name: str, direction: str, horizon_ms: int) -> None:
        config = self.config
        ratios = 1.0 - np.array(config.drops) if direction == "drop" else np.array(config.rises)
        self.metrics.append(name)
        self.tables[name] = TrialTable(name, direction, horizon_ms, ratios)
        self.learners[name] = OutcomeLearner(config.changing_dimensions)
        self.evidence.append(Evidence(len(ratios)))

    # Ticks

    def _move(self, to_time_ms: int) -> None:
        """Move the watermark on, closing every tick whose end it has passed by the grace."""
        tick = self.config.tick_ms
        if not self.first_ms:
            self.first_ms = to_time_ms
            self.tick_start = to_time_ms // tick * tick
        self.watermark_ms = max(self.watermark_ms, to_time_ms)
        while self.watermark_ms >= self.tick_start + tick + self.config.grace_ms:
            self._close_tick(self.tick_start + tick)
            self.tick_start += tick

    def _close_tick(self, now_ms: int) -> None:
        self._sessionise(now_ms)
        self._predict(now_ms)
        for number, name in enumerate(self.metrics):
            table = self.tables[name]
            self._test(number, table.advance(now_ms), now_ms)
            self._learn(number, table.mature(now_ms))
        if now_ms % HOUR_MS < self.config.tick_ms:
            self._hourly(now_ms)
        self._raise_alarms(now_ms)
        self._follow_incidents(now_ms)
        self._out.ticks.extend(chart_rows(self.tables, now_ms, self.config.tick_ms))

    def _sessionise(self, now_ms: int) -> None:
        due = sorted(event for event in self._buffer if event.time_ms < now_ms)
        self._buffer = [event for event in self._buffer if event.time_ms >= now_ms]
        sessioniser = self.sessioniser
        for event in due:
            sessioniser.take(event, self)
        for endpoint, time_ms, leaf, ms in sessioniser.slow_calls:
            self._time_call(endpoint, time_ms, leaf, ms)
        sessioniser.slow_calls.clear()
        for _leaf, value, _currency in sessioniser.orders:
            self.order_value += 0.005 * (value - self.order_value) if self.order_value else value
        sessioniser.orders.clear()
        self.signals.extend(sessioniser.signals)
        sessioniser.signals.clear()
        for kind, count in sessioniser.counts.items():
            self.totals[kind] = self.totals.get(kind, 0.0) * 0.9995 + count
        sessioniser.counts.clear()

    def _time_call(self, endpoint: str, time_ms: int, leaf: int, ms: float) -> None:
        name = f"latency:{endpoint}"
        if name not in self.tables:
            self._watch(name, "rise", 1000)
            self.slowness[name] = SlownessLearner()
        slow = self.slowness[name].observe(ms)
        number = self.expose(name, time_ms, leaf)
        if slow:
            self.succeed(name, number, time_ms)
            self.signals.append(("api_slow", endpoint, time_ms, leaf))

    def _predict(self, now_ms: int) -> None:
        for name in self.metrics:
            table = self.tables[name]
            leaves = table.new_leaves()
            if leaves:
                table.admit(self.learners[name].predict(leaves, self.leaves.dims, now_ms))

    def _test(self, number: int, step: Increments, now_ms: int) -> None:
        if len(step.leaf) == 0:
            return
        step = self._explain_away(number, step)
        if len(step.leaf) == 0:
            return
        values = np.hstack([step.gain, step.slope])
        rows, sums = self.index.sums(step.leaf, values, self.leaves.dims, now_ms)
        evidence = self.evidence[number]
        evidence.grow(len(self.index))
        effects = step.gain.shape[1]
        evidence.add(rows, sums[:, :effects], sums[:, effects:], now_ms)
        if now_ms - self.first_ms < self.config.warm_up_ms:
            evidence.score[rows] = 0.0

    def _explain_away(self, number: int, step: Increments) -> Increments:
        """Take out the trials of open incidents' cohorts; they only tell of their recovery."""
        keep = np.ones(len(step.leaf), dtype=bool)
        for incident in self.open.values():
            if not incident.suppresses:
                continue
            inside = np.array(
                [incident.belongs(self.leaves.dims[leaf]) for leaf in step.leaf.tolist()]
            )
            keep &= ~inside
            if incident.metric == self.metrics[number]:
                gain = float(step.gain[inside, incident.effect].sum())
                if incident.look(gain):
                    incident.recovered_ms = self.tick_start + self.config.tick_ms
        return Increments(step.leaf[keep], step.gain[keep], step.slope[keep])

    def _learn(self, number: int, matured: Matured) -> None:
        if len(matured.leaf) == 0:
            return
        name = self.metrics[number]
        matured = self._withhold(name, matured)
        if len(matured.leaf) == 0:
            return
        self.learners[name].learn(matured, self.leaves.dims)
        p = matured.predicted
        values = np.stack([np.ones(len(p)), matured.success.astype(float), p, p * (1 - p)], axis=1)
        rows, sums = self.index.sums(matured.leaf, values, self.leaves.dims, self.tick_start)
        evidence = self.evidence[number]
        evidence.grow(len(self.index))
        evidence.calibrate(rows, *sums.T)

    def _withhold(self, name: str, matured: Matured) -> Matured:
        keep = np.ones(len(matured.leaf), dtype=bool)
        for incident in self.open.values():
            if not incident.suppresses:
                continue
            inside = np.array(
                [incident.belongs(self.leaves.dims[leaf]) for leaf in matured.leaf.tolist()]
            ) & (matured.exposed_ms >= incident.onset_ms)
            if inside.any():
                incident.withheld.append((name, matured.part(inside)))
                keep &= ~inside
        return matured.part(keep)

    def _hourly(self, now_ms: int) -> None:
        for number, name in enumerate(self.metrics):
            self.tables[name].lags.refresh()
            self.tables[name].forget(now_ms - KEPT_MS)
            self.evidence[number].close_window()
        self.sessioniser.forget(now_ms)
        self.signals = [signal for signal in self.signals if signal[2] > now_ms - KEPT_MS]

    # Alarms

    def _raise_alarms(self, now_ms: int) -> None:
        if now_ms - self.first_ms < self.config.warm_up_ms:
            return
        rows = sum(int((each.learned >= MIN_LEARNED).sum()) for each in self.evidence)
        limit = threshold(rows, self.config.tick_ms, self.config.false_alarms_per_month)
        for _ in range(4):
            found = self._strongest(limit, now_ms)
            if found is None:
                return
            self._alarm(*found, limit, now_ms)

    def _strongest(self, limit: float, now_ms: int) -> tuple[int, int, float] | None:
        best: tuple[int, int, float] | None = None
        for number, evidence in enumerate(self.evidence):
            if self.metrics[number].startswith(WATCHED_ONLY):
                continue
            high = np.flatnonzero(evidence.score.max(axis=1, initial=0.0) >= limit)
            for row in high.tolist():
                statistic = float(evidence.statistic(np.array([row]))[0])
                if statistic < limit or not self._has_earned(number, row, now_ms):
                    continue
                if best is None or statistic > best[2]:
                    best = (number, row, statistic)
        return best

    def _has_earned(self, number: int, row: int, now_ms: int) -> bool:
        cohort = self.index.cohorts[row]
        if any(name in self.config.changing_dimensions for name in cohort.root):
            return True
        old = now_ms - self.index.first_seen_ms[row] >= MIN_AGE_MS or row == EVERYONE_ID
        return old and bool(self.evidence[number].learned[row] >= MIN_LEARNED)

    def _alarm(self, number: int, row: int, statistic: float, limit: float, now_ms: int) -> None:
        name = self.metrics[number]
        onset, effect = self.evidence[number].onset_of(row)
        opening = Opening.find(
            metric=name,
            tables=self.tables,
            onset_ms=onset,
            now_ms=now_ms,
            alarmed=self.index.cohorts[row],
            dims=self.leaves.dims,
            max_dims=self.config.max_cohort_dims,
            totals=self.totals,
            order_value=self.order_value,
            currency=self.config.currency,
        )
        joined = related(self.open.values(), opening, now_ms, self.config.horizon_ms)
        if joined is not None:
            alarm = alarm_facts(joined.incident_id, opening, statistic, limit, now_ms)
            self._out.facts.append(alarm)
            if joined.widen(opening.cohort, opening.metric):
                self._out.facts.append(update_fact(joined, opening, now_ms))
        elif opening.harm >= MIN_SHORTFALL:
            self._open(opening, effect, statistic, limit, now_ms)
        self._silence(opening.cohort, row)

    def _open(
        self, opening: Opening, effect: int, statistic: float, limit: float, now_ms: int
    ) -> None:
        facts, incident = opening_facts(
            opening, effect, statistic, limit, now_ms, shadow=self.config.shadow
        )
        self.open[incident.incident_id] = incident
        self._out.facts.extend(facts)

    def _silence(self, cohort: Cohort, row: int) -> None:
        """Start the test anew wherever the incident's people are: the incident explains it."""
        touched = self.index.touching(cohort)
        touched[row] = True
        for evidence in self.evidence:
            evidence.grow(len(touched))
            mask = np.zeros(len(evidence.score), dtype=bool)
            mask[: len(touched)] = touched
            evidence.reset(mask)

    # Open incidents

    def _follow_incidents(self, now_ms: int) -> None:
        for incident in list(self.open.values()):
            if incident.recovered_ms == now_ms:
                table, dims = self.tables[incident.metric], self.leaves.dims
                self._out.facts.append(recovery_fact(incident, table, dims, now_ms))
            if incident.closed and incident.recovered_ms:
                del self.open[incident.incident_id]

    def _record(self, incident: OpenIncident, now_ms: int) -> EvidenceRecord:
        made = cut(
            incident,
            self.tables,
            self.leaves.dims,
            self.signals,
            now_ms,
            self.config.tick_ms,
            self.config.currency,
            self.order_value,
            Opening.order_rate(incident.metric, self.totals),
        )
        until = from_ms(now_ms)
        return EvidenceRecord(incident_id=incident.incident_id, until=until, payload=to_bytes(made))

    def _accept(self, incident_id: str) -> None:
        """A false positive: the withheld trials teach the learners, at the cohort's own level."""
        incident = self.open.pop(incident_id, None)
        if incident is None:
            return
        for learner in self.learners.values():
            learner.accept(incident.cohort)
        for name, matured in incident.withheld:
            self.learners[name].learn(matured, self.leaves.dims)

    def _close(self, fact: IncidentClosed) -> None:
        incident = self.open.get(fact.incident_id)
        if incident is None:
            return
        incident.closed = True
        incident.withheld.clear()
        if fact.resolution in (Resolution.RECOVERED, Resolution.RECOVERED_ON_ITS_OWN):
            incident.recovered_ms = incident.recovered_ms or to_ms(fact.closed_at)
