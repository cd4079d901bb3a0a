"""A candidate: an engine with other settings that hears the same log and is not listened to.

What it finds becomes facts of their own kind. Nobody answers it, so its incidents end when it sees
their cohort recover, or when people end or label the live incident that is the same trouble: what
people teach the live detector, they teach the candidate.
"""

import hashlib
import pickle
from dataclasses import dataclass, field

from detectors.comparison import are_related
from detectors.configuration import DetectionConfig
from detectors.engine import DetectionEngine
from recoup.domain.facts import (
    CohortRecovered,
    FeedbackGiven,
    FeedbackWithdrawn,
    IncidentClosed,
    IncidentOpened,
    IncidentUpdated,
    LayerAlarmed,
    NewFact,
    Recorded,
    ShadowIncidentOpened,
    ShadowIncidentUpdated,
)
from recoup.domain.incident import ended_unaided
from recoup.domain.money import MoneyRange
from recoup.domain.series import EventBlock
from recoup.settings import DetectSettings

APART_S = 2 * 3600
"""Onsets of one trouble, as two detectors see it, lie this close."""
LIVE_KEPT = 500

_Facts = list[tuple[str, NewFact]]


def version_of(settings: DetectSettings) -> str:
    """Return what changes when anything about a candidate's settings does."""
    plain = settings.model_dump_json(exclude={"shadow", "snapshot_every_s"})
    return hashlib.sha256(plain.encode()).hexdigest()[:8]


def projection_of(name: str, version: str) -> str:
    """Return the name under which a candidate keeps its place and its snapshots."""
    return f"detector:{name}:{version}"


@dataclass
class Candidate:
    """Feed it the log in order; ``take`` returns the facts of what it would have done."""

    name: str
    version: str
    config: DetectionConfig
    _mine: dict[str, IncidentOpened] = field(default_factory=dict)
    _live: dict[str, IncidentOpened] = field(default_factory=dict)
    _facts: _Facts = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine = DetectionEngine(self.config)
        self.engine.on_tick = self._after_tick

    def observe(self, record: EventBlock | Recorded) -> int:
        """Take in one record of the log; return its last position."""
        if isinstance(record, EventBlock):
            self.engine.observe_events(record)
            return record.first_position + record.count - 1
        for entry in (record, *self._translated(record)):
            self.engine.observe_fact(entry)
        return record.position

    def take(self) -> _Facts:
        """Return the facts since the last call, as (stream, fact)."""
        self.engine.advance()
        found, self._facts = self._facts, []
        return found

    def snapshot(self) -> bytes:
        """Return the whole state, for ``restore``."""
        return pickle.dumps((self.engine.snapshot(), self._mine, self._live), protocol=5)

    def restore(self, payload: bytes) -> None:
        """Go on from a snapshot. Raises ValueError for another version's."""
        # The payload is our own: the store has verified its checksum.
        engine, self._mine, self._live = pickle.loads(payload)  # noqa: S301
        self.engine = DetectionEngine.restore(self.config, engine)
        self.engine.on_tick = self._after_tick

    def _translated(self, record: Recorded) -> list[Recorded]:
        """Return what people said of a live incident as said of the candidate's own twin."""
        fact = record.fact
        if isinstance(fact, IncidentOpened):
            self._live[fact.incident_id] = fact
            while len(self._live) > LIVE_KEPT:
                del self._live[next(iter(self._live))]
        if not isinstance(fact, FeedbackGiven | FeedbackWithdrawn | IncidentClosed):
            return []
        twin = self._twin(fact.incident_id)
        if twin is None or twin == fact.incident_id:
            return []
        told = fact.model_copy(update={"incident_id": twin})
        return [record.model_copy(update={"fact": told})]

    def _twin(self, live_id: str) -> str | None:
        live = self._live.get(live_id)
        if live is None:
            return None
        fitting = [
            (abs((mine.onset_at - live.onset_at).total_seconds()), key)
            for key, mine in self._mine.items()
            if mine.kind == live.kind and are_related(mine.cohort, live.cohort)
        ]
        apart, key = min(fitting, default=(APART_S + 1.0, ""))
        return key if apart <= APART_S else None

    def _after_tick(self, _now_ms: int) -> None:
        for incident_id, new in self.engine.take_facts():
            fact = new.fact
            if isinstance(fact, LayerAlarmed):
                self._say(new, self._of_layer(fact))
            elif isinstance(fact, IncidentOpened):
                self._mine[incident_id] = fact
                self._say(new, _opened(self, fact))
            elif isinstance(fact, IncidentUpdated):
                self._sharpen(incident_id, fact)
                self._say(new, self._updated(incident_id))
            elif isinstance(fact, CohortRecovered):
                self._say(new, self._updated(incident_id, fact))
                self._end(incident_id, fact)

    def _sharpen(self, incident_id: str, fact: IncidentUpdated) -> None:
        changed = {"cohort": fact.cohort, "onset_at": fact.onset_at}
        self._mine[incident_id] = self._mine[incident_id].model_copy(update=changed)

    def _updated(
        self, incident_id: str, ended: CohortRecovered | None = None
    ) -> ShadowIncidentUpdated:
        known = self._mine[incident_id]
        return ShadowIncidentUpdated(
            candidate=self.name,
            settings=self.version,
            incident_id=incident_id,
            cohort=known.cohort,
            onset_at=known.onset_at,
            ended_at=ended.at if ended else None,
        )

    def _of_layer(self, fact: LayerAlarmed) -> ShadowIncidentOpened | ShadowIncidentUpdated:
        same = {
            "candidate": self.name,
            "settings": self.version,
            "incident_id": fact.alarm_id,
            "cohort": fact.cohort,
            "onset_at": fact.onset_at,
        }
        if fact.ended_at:
            return ShadowIncidentUpdated(**same, ended_at=fact.ended_at)
        nothing = MoneyRange(low=0.0, mid=0.0, high=0.0)
        return ShadowIncidentOpened(
            **same,
            kind="layer",
            severity="low",
            metric=f"layer:{fact.layer}",
            direction="rise",
            opened_at=fact.raised_at,
            expected=fact.expected,
            observed=fact.observed,
            trials=float(fact.trials),
            at_risk_per_hour=nothing,
        )

    def _say(self, new: NewFact, fact: ShadowIncidentOpened | ShadowIncidentUpdated) -> None:
        told = NewFact(
            fact_id=f"shadow:{self.name}:{self.version}:{new.fact_id}",
            fact=fact,
            occurred_at=new.occurred_at,
            correlation_id=fact.incident_id,
        )
        self._facts.append((f"shadow:{self.name}", told))

    def _end(self, incident_id: str, fact: CohortRecovered) -> None:
        """Nobody acts on a candidate's word: what recovers has recovered without it."""
        self.engine.response.close(ended_unaided(incident_id, fact.at))
        del self._mine[incident_id]


def _opened(candidate: Candidate, fact: IncidentOpened) -> ShadowIncidentOpened:
    same = fact.model_dump(exclude={"alarm_id", "shadow"})
    return ShadowIncidentOpened(candidate=candidate.name, settings=candidate.version, **same)
