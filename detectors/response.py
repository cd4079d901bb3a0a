"""From high evidence to incidents: who may open one, what joins which, and when they are over."""

from functools import partial

import numpy as np

from detectors.columns import Ints
from detectors.configuration import DetectionConfig
from detectors.grouping import related
from detectors.incidents import OpenIncident
from detectors.localising import exposed_since
from detectors.openings import Desk
from detectors.reporting import (
    Opening,
    alarm_facts,
    opening_facts,
    recovery_fact,
    tolerated_fact,
    update_fact,
)
from detectors.scoring import CORROBORATION
from detectors.sensitivity import Sensitivity
from detectors.trials import Floats, Matured
from detectors.watching import Watching
from recoup.domain.base import to_ms
from recoup.domain.cohort import Cohort
from recoup.domain.facts import IncidentClosed, IncidentOpened, NewFact, Resolution

MIN_SHORTFALL = 3.0
ERRORS_PRICE = 3.0
"""Log evidence that a rise of errors must show before it corroborates a drop."""
AT_ONCE = 4
SHARPENED_MS = 6 * 60_000
HALF_HOUR_MS = 30 * 60_000
NEW_NORMAL_MS = 10 * HALF_HOUR_MS
"""What people called normal and lasts longer than this is the cohort's new level."""

Facts = list[tuple[str, NewFact]]


class Response:
    """The incidents that are open, and what the evidence means for them."""

    def __init__(self, config: DetectionConfig, watching: Watching) -> None:
        self.config = config
        self.watching = watching
        self.open: dict[str, OpenIncident] = watching.incidents
        self.sensitivity = Sensitivity()
        self._accepted: dict[str, list[tuple[int, Cohort, float]]] = {}
        self.desk = Desk(
            watching.plan,
            watching.table,
            watching.index,
            config.max_cohort_dims,
            config.currency,
            config.changing_dimensions,
            watching.arrivals,
            watching.priming,
        )

    def decide(self, high: Ints, now_ms: int, *, warm: bool) -> Facts:
        """Return the facts of a tick, given the rows (metric, cohort) whose evidence is high."""
        facts: Facts = []
        if len(high) or self.open:
            self._tell_desk()
        if warm:
            facts += self._silences(now_ms)
            rows = set(map(tuple, high.tolist()))
            for _ in range(AT_ONCE):
                found = self._strongest(rows, now_ms)
                if found is None:
                    break
                facts += self._alarm(*found, now_ms)
        else:
            for watch in self.watching.watches:
                watch.reset()
        return facts + self._follow(now_ms)

    def _tell_desk(self) -> None:
        self.desk.order_value = self.watching.order_value
        self.desk.totals = self.watching.totals

    def accept(self, incident_id: str) -> None:
        """A false positive: what lasts becomes the cohort's own level, a mere spell is let pass."""
        incident = self.open.get(incident_id)
        if incident is not None:
            incident.accepted = True

    def _settle(self, incident: OpenIncident, now_ms: int) -> None:
        """Find out what an accepted incident was: over by now, or the new normal.

        To shift the level for a spell would make the cohort's ordinary days look good for long,
        and hide its next fault.
        """
        if incident.recovered_ms:
            del self.open[incident.incident_id]
        elif now_ms - incident.onset_ms >= NEW_NORMAL_MS:
            del self.open[incident.incident_id]
            if incident.withheld:
                self._shift(incident)

    def _shift(self, incident: OpenIncident) -> None:
        """The withheld trials teach the learners, at the cohort's own level."""
        columns = zip(*incident.withheld, strict=True)
        withheld = Matured(*(np.concatenate(column) for column in columns))
        shifts = self._accepted.setdefault(incident.incident_id, [])
        for metric in np.unique(withheld.metric).tolist():
            mine = withheld.part(withheld.metric == metric)
            log_odds = _log_odds(float(mine.success.mean())) - _log_odds(
                float(mine.predicted.mean())
            )
            learner = self.watching.baseline.learners[metric]
            learner.accept(incident.cohort, log_odds, self.watching.index)
            shifts.append((metric, incident.cohort, log_odds))
        self.watching.baseline.take_over(self.watching.index)
        self.watching.release(withheld)

    def withdraw(self, incident_id: str) -> None:
        """No false positive after all: the cohort's own level is what it was before."""
        incident = self.open.get(incident_id)
        if incident is not None:
            incident.accepted = False
        shifts = self._accepted.pop(incident_id, [])
        for metric, cohort, log_odds in shifts:
            learner = self.watching.baseline.learners[metric]
            learner.accept(cohort, -log_odds, self.watching.index)
        if shifts:
            self.watching.baseline.take_over(self.watching.index)

    def close(self, fact: IncidentClosed) -> None:
        """People, or the recovery, ended an incident."""
        incident = self.open.get(fact.incident_id)
        if incident is None:
            return
        incident.closed = True
        if not incident.accepted:
            incident.withheld.clear()
        if fact.resolution in (Resolution.RECOVERED, Resolution.RECOVERED_ON_ITS_OWN):
            incident.recovered_ms = incident.recovered_ms or to_ms(fact.closed_at)

    def _strongest(self, rows: set[tuple[int, int]], now_ms: int) -> tuple[int, int, float] | None:
        evidence, index = self.watching.evidence, self.watching.index
        best: tuple[float, str, int, int] | None = None
        for metric, cohort in rows:
            statistic = evidence.statistic(metric, cohort)
            if not self._outweighs(metric, cohort, statistic, now_ms):
                continue
            found = (statistic, index.cohorts[cohort].label, metric, cohort)
            best = found if best is None else max(best, found)
        return None if best is None else (best[2], best[3], best[0])

    def _alarm(self, metric: int, row: int, statistic: float, now_ms: int) -> Facts:
        watching = self.watching
        alarmed = watching.index.cohorts[row]
        onset, _ = watching.evidence.onset_of(metric, row)
        limit = float(watching.evidence.limit[metric, row])
        opening = self.desk.work_out(
            metric, alarmed, onset, now_ms, self._usual_ratio(onset, now_ms), self._explained(None)
        )
        facts: Facts = []
        joined = related(
            self.open.values(), opening.cohort, opening.onset_ms, now_ms, self.config.horizon_ms
        )
        if joined is not None:
            facts.append(alarm_facts(joined.incident_id, opening, statistic, limit, now_ms))
            facts += self._sharpen(joined, now_ms)
        elif opening.harm >= MIN_SHORTFALL and self.desk.is_felt(opening, metric, now_ms):
            evidence = watching.evidence.of_row(metric, row)
            facts += self._open(opening, statistic, limit, now_ms, evidence)
        self._silence(opening.cohort, metric, row)
        return facts

    def _outweighs(self, metric: int, row: int, statistic: float, now_ms: int) -> bool:
        """Tell whether the evidence is high even as the baseline itself is only an estimate.

        One learned from n trials adds its own error to the sum over m new ones: 1 + m / n of the
        variance that the test reckons with.
        """
        evidence, index = self.watching.evidence, self.watching.index
        onset_ms, _ = evidence.onset_of(metric, row)
        limit = float(evidence.limit[metric, row])
        if limit - CORROBORATION <= statistic < limit and metric < self.watching.plan.steps:
            statistic += self._errors(row, onset_ms, now_ms)
        if statistic < limit:
            return False
        if not self.watching.budget.has_own_baseline(row):
            return True
        drop = metric < self.watching.plan.steps
        inside = partial(index.covered, index.cohorts[row])
        mine = exposed_since(
            self.watching.table, metric, drop, onset_ms, now_ms, inside
        ).share.sum()
        learned = max(float(evidence.learned[metric, row]), 1.0)
        return bool(statistic / (1.0 + mine / learned) >= limit)

    def _errors(self, row: int, onset_ms: int, now_ms: int) -> float:
        """Return what script errors in a cohort add to the evidence of a drop there.

        Slow calls add none: they come before a drop tells whose it is, and alarm by themselves.
        """
        watching, metric = self.watching, self.watching.plan.error
        if watching.evidence.is_calm(metric, row, ERRORS_PRICE):
            return 0.0
        inside = partial(watching.index.covered, watching.index.cohorts[row])
        trials = exposed_since(watching.table, metric, False, onset_ms, now_ms, inside)
        gain = float(trials.gains().sum(axis=0).max(initial=0.0))
        return min(max(0.0, gain - ERRORS_PRICE), CORROBORATION)

    def _open(
        self, opening: Opening, statistic: float, limit: float, now_ms: int, evidence: Floats
    ) -> Facts:
        facts, incident = opening_facts(
            opening, statistic, limit, now_ms, evidence, shadow=self.config.shadow
        )
        opened = facts[0][1].fact
        assert isinstance(opened, IncidentOpened)
        like = self.sensitivity.tolerates(opened)
        if like:
            return [tolerated_fact(opened, like, now_ms)]
        self.sensitivity.take(opened)
        self.open[incident.incident_id] = incident
        return facts

    def _silence(self, cohort: Cohort, metric: int, row: int) -> None:
        """Start the test anew where the incident explains what its people do.

        What adds up at another step has a cause of its own, and loses nothing.
        """
        touched = self.watching.index.compatible(cohort)
        touched[row] = True
        self.watching.evidence.reset(self.watching.plan.explains(metric), touched)

    def _silences(self, now_ms: int) -> Facts:
        """Open an incident when the stream of events itself falls away."""
        watches = self.watching.watches
        high = [w for w in watches if w.is_above(self._volume_limit(w.metric, now_ms))]
        if not high or any(i.metric.startswith("volume:") for i in self.open.values()):
            return []
        self._tell_desk()
        watch = max(high, key=lambda each: each.statistic)
        rows = [
            r for r in self.watching.volumes if r.tick_ms >= watch.onset_ms - self.config.tick_ms
        ]
        mine = [r for r in rows if r.metric == watch.metric]
        others = [r for r in rows if r.metric != watch.metric]
        count, expected = sum(r.observed for r in mine), sum(r.expected for r in mine)
        rest = sum(r.observed for r in others), sum(r.expected for r in others)
        opening = self.desk.silence(
            watch.metric,
            count,
            expected,
            watch.onset_ms,
            now_ms,
            lost=len(high) == 1 and rest[0] > 0.6 * rest[1],
        )
        for each in watches:
            each.reset()
        limit = self._volume_limit(watch.metric, now_ms)
        facts, incident = opening_facts(
            opening, limit, limit, now_ms, np.zeros(1), shadow=self.config.shadow
        )
        self.open[incident.incident_id] = incident
        return facts

    def _volume_limit(self, metric: str, now_ms: int) -> float:
        watching = self.watching
        return watching.budget.volume_limit + watching.seasons.extra_of(metric, now_ms)

    def _follow(self, now_ms: int) -> Facts:
        facts: Facts = []
        for incident in list(self.open.values()):
            if incident.metric.startswith("volume:"):
                self._listen(incident, now_ms)
            elif self._is_to_be_sharpened(incident, now_ms):
                facts += self._sharpen(incident, now_ms)
            if incident.recovered_ms == now_ms:
                observed, expected = self._rates(incident, now_ms)
                facts.append(recovery_fact(incident, observed, expected, now_ms))
            if incident.accepted:
                self._settle(incident, now_ms)
            elif incident.closed and incident.recovered_ms:
                del self.open[incident.incident_id]
        return facts

    @staticmethod
    def _is_to_be_sharpened(incident: OpenIncident, now_ms: int) -> bool:
        """At every tick at first, then now and then while the evidence still grows."""
        age = now_ms - incident.opened_ms
        if incident.accepted:
            return False
        due = age <= SHARPENED_MS or (age <= 6 * HALF_HOUR_MS and age % (HALF_HOUR_MS // 2) == 0)
        return due and incident.suppresses

    def _sharpen(self, incident: OpenIncident, now_ms: int) -> Facts:
        """Work the incident out again with what came since; tell if the cohort is another."""
        if incident.metric.startswith("volume:") or incident.recovered_ms:
            return []
        if now_ms == incident.opened_ms:
            return []
        metric = self.watching.plan.names.index(incident.metric)
        ratio = self._usual_ratio(incident.onset_ms, now_ms)
        explained = self._explained(incident)
        opening = self.desk.work_out(
            metric,
            incident.cohort,
            incident.onset_ms,
            now_ms,
            ratio,
            explained,
            incident.opened_ms,
        )
        if opening.cohort == incident.cohort:
            return []
        incident.cohort = opening.cohort
        incident.onset_ms = opening.onset_ms
        return [update_fact(incident, opening, now_ms)]

    def _explained(self, but: OpenIncident | None) -> list[tuple[Cohort, int]]:
        """Return who is hit by open incidents, and since when."""
        return [
            (incident.cohort, incident.onset_ms)
            for incident in self.open.values()
            if incident is not but
            and incident.suppresses
            and not incident.metric.startswith("volume:")
        ]

    def _listen(self, incident: OpenIncident, now_ms: int) -> None:
        """A silent shop is back when ten minutes had at least seven tenths of their events."""
        since = now_ms - 10 * self.config.tick_ms
        rows = [
            r
            for r in self.watching.volumes
            if r.metric == incident.metric and r.tick_ms >= max(since, incident.opened_ms)
        ]
        count, expected = sum(r.observed for r in rows), sum(r.expected for r in rows)
        if not incident.recovered_ms and len(rows) >= 5 and count >= 0.7 * expected > 0:
            incident.recovered_ms = now_ms
            for watch in self.watching.watches:
                watch.reset()

    def _rates(self, incident: OpenIncident, now_ms: int) -> tuple[float, float]:
        if incident.metric.startswith("volume:"):
            return 1.0, 1.0
        metric = self.watching.plan.names.index(incident.metric)
        return self.desk.rates(metric, incident.cohort, now_ms - HALF_HOUR_MS, now_ms)

    def _usual_ratio(self, onset_ms: int, now_ms: int) -> float:
        """Return how much traffic is usual at this time of day against three hours before it."""
        learner = self.watching.watches[0].learner
        at = learner.profile[learner._bin((onset_ms + now_ms) // 2)]
        before = learner.profile[learner._bin(onset_ms - 3 * HALF_HOUR_MS)]
        return float(min(max((at + 1e-9) / (before + 1e-9), 0.2), 5.0))


def _log_odds(share: float) -> float:
    share = min(max(share, 0.005), 0.995)
    return float(np.log(share / (1 - share)))
