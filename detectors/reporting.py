"""From an alarm to the facts that tell of it: who, since when, how much, and what it costs."""

from dataclasses import dataclass, replace
from typing import Any

from detectors.incidents import OpenIncident
from detectors.trials import Floats
from recoup.domain.base import from_ms
from recoup.domain.cohort import Cohort
from recoup.domain.facts import (
    Alarm,
    AlarmRaised,
    AlarmTolerated,
    CohortRecovered,
    Fact,
    IncidentKind,
    IncidentOpened,
    IncidentUpdated,
    NewFact,
    Severity,
)
from recoup.domain.ids import derive_id
from recoup.domain.money import MoneyRange

DETECTOR = "likelihood"
TOLERATED_STREAM = "tolerated"


@dataclass(frozen=True)
class Opening:
    """What is known at the moment of an alarm; rates are per trial due."""

    metric: str
    direction: str
    kind: IncidentKind
    cohort: Cohort
    alarmed: Cohort
    onset_ms: int
    trials: float
    observed: float
    expected: float
    harm: float
    at_risk: MoneyRange
    share_of_orders: float

    @property
    def severity(self) -> Severity:
        """How much is at stake, by the share of all expected orders that is lost."""
        if self.share_of_orders >= 0.05:
            return Severity.CRITICAL
        if self.share_of_orders >= 0.01:
            return Severity.HIGH
        return Severity.MODERATE if self.share_of_orders >= 0.002 else Severity.LOW

    def about(self, cohort: Cohort) -> "Opening":
        """Return the same alarm, told of another cohort."""
        return replace(self, cohort=cohort)


def opening_facts(
    opening: Opening,
    statistic: float,
    limit: float,
    now_ms: int,
    evidence: Floats,
    *,
    shadow: bool,
) -> tuple[list[tuple[str, NewFact]], OpenIncident]:
    """Return the facts that open an incident, and the incident as the engine keeps it.

    ``evidence`` is that for an illness of each size, so far.
    """
    incident_id = derive_id("inc", opening.metric, opening.cohort.label, opening.onset_ms, now_ms)
    opened = IncidentOpened(
        incident_id=incident_id,
        kind=opening.kind,
        severity=opening.severity,
        metric=opening.metric,
        cohort=opening.cohort,
        direction="drop" if opening.direction == "drop" else "rise",
        onset_at=from_ms(opening.onset_ms),
        opened_at=from_ms(now_ms),
        expected=opening.expected,
        observed=opening.observed,
        trials=opening.trials,
        at_risk_per_hour=opening.at_risk,
        alarm_id=_alarm_id(opening, now_ms),
        shadow=shadow,
    )
    facts = [
        _fact(incident_id, opened, now_ms),
        alarm_facts(incident_id, opening, statistic, limit, now_ms),
    ]
    return facts, OpenIncident(
        incident_id=incident_id,
        kind=opening.kind,
        metric=opening.metric,
        cohort=opening.cohort,
        direction=opening.direction,
        onset_ms=opening.onset_ms,
        opened_ms=now_ms,
        severity=opening.severity,
        evidence=evidence,
    )


def tolerated_fact(
    opened: IncidentOpened, like: tuple[str, ...], now_ms: int
) -> tuple[str, NewFact]:
    """Return the fact that an alarm opened no incident, for the sake of those like it."""
    tolerated = AlarmTolerated(
        metric=opened.metric,
        cohort=opened.cohort,
        direction=opened.direction,
        onset_at=opened.onset_at,
        at=opened.opened_at,
        expected=opened.expected,
        observed=opened.observed,
        at_risk_per_hour=opened.at_risk_per_hour,
        like=like,
    )
    return _fact(TOLERATED_STREAM, tolerated, now_ms)


def alarm_facts(
    incident_id: str, opening: Opening, statistic: float, limit: float, now_ms: int
) -> tuple[str, NewFact]:
    """Return the fact that an alarm was raised."""
    alarm = Alarm(
        alarm_id=_alarm_id(opening, now_ms),
        detector=DETECTOR,
        metric=opening.metric,
        cohort=opening.alarmed,
        direction="drop" if opening.direction == "drop" else "rise",
        onset_at=from_ms(opening.onset_ms),
        raised_at=from_ms(now_ms),
        expected=opening.expected,
        observed=opening.observed,
        trials=opening.trials,
        statistic=statistic,
        threshold=limit,
    )
    return _fact(incident_id, AlarmRaised(incident_id=incident_id, alarm=alarm), now_ms)


def update_fact(incident: OpenIncident, opening: Opening, now_ms: int) -> tuple[str, NewFact]:
    """Return the fact that an incident's picture was sharpened."""
    updated = IncidentUpdated(
        incident_id=incident.incident_id,
        severity=opening.severity,
        cohort=incident.cohort,
        onset_at=from_ms(incident.onset_ms),
        expected=opening.expected,
        observed=opening.observed,
        trials=opening.trials,
        at_risk_per_hour=opening.at_risk,
        until=from_ms(now_ms),
    )
    return _fact(incident.incident_id, updated, now_ms)


def recovery_fact(
    incident: OpenIncident, observed: float, expected: float, now_ms: int
) -> tuple[str, NewFact]:
    """Return the fact that a cohort is back, with its rates of the last half hour."""
    recovered = CohortRecovered(
        incident_id=incident.incident_id, at=from_ms(now_ms), observed=observed, expected=expected
    )
    return _fact(incident.incident_id, recovered, now_ms)


def _alarm_id(opening: Opening, now_ms: int) -> str:
    return derive_id("alm", opening.metric, opening.alarmed.label, opening.onset_ms, now_ms)


def _fact(incident_id: str, fact: Fact, now_ms: int, *more: Any) -> tuple[str, NewFact]:
    fact_id = derive_id("fct", incident_id, fact.type_name, now_ms, fact.model_dump_json(), *more)
    return incident_id, NewFact(
        fact_id=fact_id,
        fact=fact,
        occurred_at=from_ms(now_ms),
        actor="detector",
        correlation_id=incident_id,
    )
