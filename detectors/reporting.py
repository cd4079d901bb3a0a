"""From an alarm to the facts that tell of it: who, since when, how much, and what it costs."""

import math
from dataclasses import dataclass
from typing import Any

from detectors.incidents import OpenIncident
from detectors.localising import LeafTallies, find_root, tally
from detectors.trials import TrialTable
from recoup.domain.base import from_ms
from recoup.domain.cohort import Cohort
from recoup.domain.facts import (
    Alarm,
    AlarmRaised,
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
from recoup.domain.storefront import CHECKOUT_STARTED, ORDER_COMPLETED

HOUR_MS = 3600 * 1000
DETECTOR = "likelihood"
Z90 = 1.645


@dataclass(frozen=True)
class Opening:
    """What is known at the moment of an alarm."""

    metric: str
    direction: str
    cohort: Cohort
    alarmed: Cohort
    onset_ms: int
    trials: float
    observed: float
    expected: float
    harm: float
    at_risk: MoneyRange
    share_of_orders: float

    @classmethod
    def find(  # noqa: PLR0913 - everything that is known at an alarm
        cls,
        *,
        metric: str,
        tables: dict[str, TrialTable],
        onset_ms: int,
        now_ms: int,
        alarmed: Cohort,
        dims: list[dict[str, str]],
        max_dims: int,
        totals: dict[str, float],
        order_value: float,
        currency: str,
    ) -> "Opening":
        """Work out the root cohort, the rates since the onset, and the money."""
        tallies = tally(tables[metric], onset_ms, now_ms, dims)
        cohort = find_root(tallies, alarmed, max_dims)
        mask = tallies.mask(cohort)
        trials = max(float(tallies.trials[mask].sum()), 1e-9)
        harm, expected, _ = tallies.shortfall(mask)
        hours = max(now_ms - onset_ms, 60_000) / HOUR_MS
        lost, spread, share = cls._orders_lost(tables, onset_ms, now_ms, dims, cohort, totals)
        money = [max(0.0, lost + k * spread) * order_value / hours for k in (-Z90, 0, Z90)]
        return cls(
            metric=metric,
            direction=tables[metric].direction,
            cohort=cohort,
            alarmed=alarmed,
            onset_ms=onset_ms,
            trials=trials,
            observed=float(tallies.observed[mask].sum()) / trials,
            expected=expected / trials,
            harm=harm,
            at_risk=MoneyRange(low=money[0], mid=money[1], high=money[2], currency=currency),
            share_of_orders=share,
        )

    @classmethod
    def _orders_lost(
        cls,
        tables: dict[str, TrialTable],
        onset_ms: int,
        now_ms: int,
        dims: list[dict[str, str]],
        cohort: Cohort,
        totals: dict[str, float],
    ) -> tuple[float, float, float]:
        """Return orders lost so far, their standard deviation, and their share of all expected."""
        best = (0.0, 0.0, 0.0)
        for name, table in tables.items():
            if table.direction != "drop":
                continue
            found: LeafTallies = tally(table, onset_ms, now_ms, dims)
            mask = found.mask(cohort)
            harm, _, variance = found.shortfall(mask)
            rate = cls.order_rate(name, totals)
            everyone = float(found.expected.sum()) * rate
            if harm * rate > best[0]:
                spread = math.sqrt(max(variance, 0.0)) * rate
                best = (harm * rate, spread, harm * rate / max(everyone, 1e-9))
        return best

    @staticmethod
    def order_rate(metric: str, totals: dict[str, float]) -> float:
        """Return how many orders one success of a step is worth on average."""
        end = metric.partition("->")[2] or CHECKOUT_STARTED
        if end == ORDER_COMPLETED or not totals.get(end):
            return 1.0
        return min(1.0, totals.get(ORDER_COMPLETED, 0.0) / totals[end])

    @property
    def severity(self) -> Severity:
        """How much is at stake, by the share of all expected orders that is lost."""
        if self.share_of_orders >= 0.05:
            return Severity.CRITICAL
        if self.share_of_orders >= 0.01:
            return Severity.HIGH
        return Severity.MODERATE if self.share_of_orders >= 0.002 else Severity.LOW


def opening_facts(
    opening: Opening,
    effect: int,
    statistic: float,
    limit: float,
    now_ms: int,
    *,
    shadow: bool,
) -> tuple[list[tuple[str, NewFact]], OpenIncident]:
    """Return the facts that open an incident, and the incident as the engine keeps it."""
    incident_id = derive_id("inc", opening.metric, opening.cohort.label, opening.onset_ms, now_ms)
    opened = IncidentOpened(
        incident_id=incident_id,
        kind=IncidentKind.BUSINESS,
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
        metric=opening.metric,
        cohort=opening.cohort,
        direction=opening.direction,
        effect=effect,
        onset_ms=opening.onset_ms,
        opened_ms=now_ms,
        severity=opening.severity,
    )


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
    incident: OpenIncident, table: TrialTable, dims: list[dict[str, str]], now_ms: int
) -> tuple[str, NewFact]:
    """Return the fact that a cohort is back, with its rates of the last half hour."""
    tallies = tally(table, now_ms - HOUR_MS // 2, now_ms, dims)
    mask = tallies.mask(incident.cohort)
    trials = max(float(tallies.trials[mask].sum()), 1e-9)
    recovered = CohortRecovered(
        incident_id=incident.incident_id,
        at=from_ms(now_ms),
        observed=float(tallies.observed[mask].sum()) / trials,
        expected=float(tallies.expected[mask].sum()) / trials,
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
