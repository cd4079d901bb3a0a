"""A recorded period through the production engine, in event time, with causes as then believed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from detectors.attribution.causes import CauseModel
from detectors.attribution.investigation import investigate
from detectors.configuration import DetectionConfig
from detectors.engine import DetectionEngine
from detectors.evidence import IncidentEvidence, from_bytes
from recoup.domain.base import Frozen, Moment, from_ms, to_ms
from recoup.domain.changes import Change
from recoup.domain.cohort import Cohort
from recoup.domain.facts import (
    AlarmRaised,
    CohortRecovered,
    IncidentOpened,
    IncidentUpdated,
    LayerAlarmed,
    NewFact,
)
from recoup.domain.hypotheses import UNKNOWN_CAUSE, Attribution
from recoup.domain.incident import ended_unaided
from recoup.domain.series import EventBlock

RANKED_AFTER_MS = 5 * 60_000
RANKED_AGAIN_MS = 3 * 60_000
"""The least time from one ranking to the next, as responses have it."""

MAX_CAUSES = 10


class FoundCause(Frozen):
    """A hypothesis as it was believed when the causes were ranked."""

    change_id: str | None
    kind: str
    probability: float


class FoundIncident(Frozen):
    """One incident of a backtest; times are event time, money is in the shop's currency.

    ``cohort`` and ``causes`` are those last believed, nobody having acted meanwhile; ``asked`` is
    the cohort that people would have been asked about first.
    """

    id: str
    opened_at: Moment
    onset_at: Moment
    closed_at: Moment | None
    metric: str
    cohort: Cohort
    asked: Cohort
    direction: str
    expected: float
    observed: float
    revenue_at_risk_per_hour: float
    kind: str
    severity: str
    causes: tuple[FoundCause, ...] = ()
    sentences: tuple[str, ...] = ()
    alarms: int = 0


class Shown(NamedTuple):
    """An incident with the evidence that its causes were ranked by, if there was time for it."""

    incident: FoundIncident
    ranked: Attribution | None
    evidence: IncidentEvidence | None


@dataclass
class _Tracked:
    opened: IncidentOpened
    opened_ms: int
    cohort: Cohort
    onset_at: Any
    asked: Cohort | None = None
    ranked: Attribution | None = None
    ranked_ms: int = 0
    evidence: IncidentEvidence | None = None
    closed_at: Any = None
    alarms: int = 0

    def is_to_be_ranked(self, now_ms: int) -> bool:
        """Tell whether to rank the causes: once soon, and again when the cohort is another."""
        if self.ranked is None:
            due = now_ms - self.opened_ms >= RANKED_AFTER_MS
            return due or self.closed_at is not None
        is_another = self.ranked.roots != (self.cohort,)
        return is_another and now_ms - self.ranked_ms >= RANKED_AGAIN_MS


@dataclass
class Backtest:
    """Feed it blocks in order of arrival; ``result`` is what production would have found."""

    config: DetectionConfig
    changes: Sequence[Change]
    model: CauseModel = field(default_factory=CauseModel.default)
    _tracked: dict[str, _Tracked] = field(default_factory=dict)
    _layered: dict[str, FoundIncident] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.engine = DetectionEngine(self.config)
        self.engine.on_tick = self._after_tick
        self._told = 0
        self.changes = sorted(self.changes, key=lambda change: (change.time, change.id))
        self._changed_ms = [to_ms(change.time) for change in self.changes]

    def run(self, blocks: Iterable[EventBlock]) -> Iterator[int]:
        """Take in blocks; yield how many events were taken in so far."""
        taken = 0
        for block in blocks:
            self.take(block)
            taken += block.count
            yield taken
        self.finish()

    def take(self, block: EventBlock) -> None:
        """Take in one block; call ``finish`` after the last."""
        self.engine.observe_events(block)

    def finish(self) -> None:
        """Rank the causes of what opened too shortly before the end to be ranked yet."""
        for incident_id, tracked in self._tracked.items():
            if tracked.ranked is None:
                self._rank(incident_id, tracked)

    def result(self) -> list[FoundIncident]:
        """Return the incidents, and the alarms of layers, in the order in which they opened."""
        found = [_found(key, tracked) for key, tracked in self._tracked.items()]
        return sorted([*found, *self._layered.values()], key=lambda each: each.opened_at)

    def shown(self) -> list[Shown]:
        """Return the incidents with what a report shows of them."""
        return [
            Shown(_found(key, tracked), tracked.ranked, tracked.evidence)
            for key, tracked in self._tracked.items()
        ]

    @property
    def incidents(self) -> int:
        """How many incidents there were so far."""
        return len(self._tracked)

    @property
    def period_ms(self) -> tuple[int, int]:
        """The first and the latest moment of the events, Unix ms."""
        return self.engine.first_ms, self.engine.watermark_ms

    def _tell_changes(self, now_ms: int) -> None:
        """Let the engine know of changes once they have happened, as production would."""
        while self._told < len(self.changes) and self._changed_ms[self._told] <= now_ms:
            self.engine.note_change(self.changes[self._told])
            self._told += 1

    def _after_tick(self, now_ms: int) -> None:
        self._tell_changes(now_ms)
        for incident_id, new in self.engine.take_facts():
            self._note(incident_id, new)
        for incident_id in list(self.engine.response.open):
            tracked = self._tracked[incident_id]
            if tracked.is_to_be_ranked(now_ms):
                self._rank(incident_id, tracked)
            if tracked.closed_at:
                # Nobody acts in a backtest: what recovers has recovered on its own.
                self.engine.response.close(ended_unaided(incident_id, tracked.closed_at))

    def _note(self, incident_id: str, new: NewFact) -> None:
        fact = new.fact
        if isinstance(fact, LayerAlarmed):
            self._layered[fact.alarm_id] = _of_layer(fact)
        elif isinstance(fact, IncidentOpened):
            self._tracked[incident_id] = _Tracked(
                fact, to_ms(fact.opened_at), fact.cohort, fact.onset_at
            )
        elif isinstance(fact, AlarmRaised):
            self._tracked[incident_id].alarms += 1
        elif isinstance(fact, IncidentUpdated):
            tracked = self._tracked[incident_id]
            tracked.cohort, tracked.onset_at = fact.cohort, fact.onset_at
        elif isinstance(fact, CohortRecovered):
            self._tracked[incident_id].closed_at = fact.at

    def _rank(self, incident_id: str, tracked: _Tracked) -> None:
        if incident_id not in self.engine.response.open:
            return
        evidence = from_bytes(self.engine.record(incident_id).payload)
        now = from_ms(self.engine.tick_start)
        known = [change for change in self.changes if change.time <= now]
        tracked.evidence = evidence
        if tracked.asked is None:
            tracked.asked = tracked.cohort
        tracked.ranked = investigate(evidence, known, self.model, explain=False)
        tracked.ranked_ms = self.engine.tick_start


def _found(incident_id: str, tracked: _Tracked) -> FoundIncident:
    opened, ranked = tracked.opened, tracked.ranked
    causes = [
        FoundCause(
            change_id=None if each.change_id == UNKNOWN_CAUSE else each.change_id,
            kind=each.kind.value if each.kind else "unknown",
            probability=round(each.probability, 4),
        )
        for each in (ranked.hypotheses[:MAX_CAUSES] if ranked else ())
    ]
    at_risk = ranked.impact.at_risk_per_hour if ranked else opened.at_risk_per_hour
    return FoundIncident(
        id=incident_id,
        opened_at=opened.opened_at,
        onset_at=ranked.onset.at if ranked and ranked.onset else tracked.onset_at,
        closed_at=tracked.closed_at,
        metric=opened.metric,
        cohort=tracked.cohort,
        asked=tracked.cohort if tracked.asked is None else tracked.asked,
        direction=opened.direction,
        expected=opened.expected,
        observed=opened.observed,
        revenue_at_risk_per_hour=round(at_risk.mid, 2),
        kind=opened.kind.value,
        severity=opened.severity.value,
        causes=tuple(causes),
        sentences=ranked.sentences if ranked else (),
        alarms=tracked.alarms,
    )


def _of_layer(fact: LayerAlarmed) -> FoundIncident:
    """Return a layer's alarm beside the incidents; its kind keeps it from passing for one."""
    return FoundIncident(
        id=fact.alarm_id,
        opened_at=fact.raised_at,
        onset_at=fact.onset_at,
        closed_at=fact.ended_at,
        metric=f"layer:{fact.layer}",
        cohort=fact.cohort,
        asked=fact.cohort,
        direction="rise",
        expected=fact.expected,
        observed=fact.observed,
        revenue_at_risk_per_hour=0.0,
        kind="layer",
        severity="low",
    )
