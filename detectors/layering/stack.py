"""The layers that are switched on, beside the engine: from a tick's events to facts of their own.

They hear what the engine hears, they are silent as long as it is, and they learn nothing of people
whom an open incident has hit.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import numpy as np

from detectors.cohorts import CohortIndex, Members
from detectors.columns import Columns, Ints
from detectors.configuration import DAY_MS, HOUR_MS, DetectionConfig
from detectors.layering.contract import SeriesLayer, SessionLayer
from detectors.layering.hours import ODD_SHARE as ODD_HOURS
from detectors.layering.hours import HourlySeries, Watched
from detectors.layering.oddness import LayerAlarm, Oddness, joined, trials_of
from detectors.layering.registry import layers_named
from detectors.layering.sampling import Sample, Taught
from detectors.layering.sessions import SessionFeatures
from detectors.learners import Baseline
from detectors.trials import Bools, Matured, Told
from detectors.watching import Watching
from recoup.domain.base import from_ms
from recoup.domain.cohort import Cohort
from recoup.domain.facts import NewFact
from recoup.domain.ids import derive_id
from recoup.domain.shadow_facts import LayerAlarmed

STREAM = "layers"
SCORED_TICKS = 5
LEAST_SHARE, MOST_SHARE = 0.003, 0.6
LEAST_HOURS = 12.0
MONTH_MS = 30 * DAY_MS


T = TypeVar("T")


class LayerStack:
    """Feed it ticks; ``take`` returns the facts of alarms that began or ended.

    ``timer``, if set, is read around the work of each layer; ``spent`` is what it took.
    """

    def __init__(self, names: Sequence[str], config: DetectionConfig) -> None:
        kinds = layers_named(names)
        self.names = tuple(kinds)
        self.timer: Callable[[], float] | None = None
        self.spent = dict.fromkeys(self.names, 0.0)
        sessions = {n: kind() for n, kind in kinds.items() if issubclass(kind, SessionLayer)}
        self.sessions = {name: Taught(layer) for name, layer in sessions.items()}
        series = {n: kind for n, kind in kinds.items() if issubclass(kind, SeriesLayer)}
        self.series = {name: Watched(kind) for name, kind in series.items()}
        self._config = config
        self._features = SessionFeatures(config.funnel)
        self._sample = Sample()
        self._hours = HourlySeries()
        self._baseline = Baseline(len(self.sessions), config.changing_dimensions)
        self._ripe: list[Matured] = []
        self._waiting: list[Ints] = []
        chances = MONTH_MS / max(config.false_alarms_per_month, 1e-6)
        self._of_sessions = Oddness(len(self.sessions), chances / config.tick_ms / SCORED_TICKS)
        self._of_hours = Oddness(len(self.series), chances / HOUR_MS, LEAST_HOURS)
        self._places: Ints = np.zeros(0, dtype=np.int64)

    def take(
        self, due: Columns, types: dict[str, int], watching: Watching, now_ms: int, *, warm: bool
    ) -> list[tuple[str, NewFact]]:
        """Take in the events of a tick after the engine did; ``now_ms`` is its end."""
        start_ms = now_ms - self._config.tick_ms
        found: list[tuple[str, LayerAlarm]] = []
        if self.sessions:
            self._waiting.append(self._features.take(due, types, start_ms, now_ms))
            if now_ms // self._config.tick_ms % SCORED_TICKS == 0:
                found += self._judge_sessions(watching, now_ms, warm=warm)
        if self.series and len(due.session):
            self._count(due, types, watching)
        if now_ms % HOUR_MS < self._config.tick_ms:
            found += self._judge_hour(watching, now_ms, warm=warm)
        return [self._fact(name, alarm) for name, alarm in found]

    def _judge_sessions(
        self, watching: Watching, now_ms: int, *, warm: bool
    ) -> list[tuple[str, LayerAlarm]]:
        sessions = np.concatenate(self._waiting)
        self._waiting = []
        if not len(sessions):
            return []
        leaf = watching.sessioniser.state.leaf[sessions]
        raw = self._features.features(sessions)
        hit = self._hit(watching, leaf)
        parts = []
        index = watching.index
        index.ready(leaf, watching.leaves, now_ms)
        if self._sample.fitted_ms:
            rows = self._sample.scaled(raw)
            for metric, (name, taught) in enumerate(self.sessions.items()):
                odd = self._timed(name, partial(taught.odd, rows))
                self._timed(name, partial(taught.layer.learn, rows[~hit]))
                if odd is not None:
                    parts.append(self._expected(metric, leaf, odd, index, now_ms))
                    self._ripen(parts[-1].part(~hit), index, now_ms)
        self._sample.add(raw[~hit])
        if self._sample.is_due(now_ms):
            fit_on, held_out = self._sample.renew(now_ms)
            for name, taught in self.sessions.items():
                self._timed(name, partial(taught.refit, fit_on, held_out))
        parts = [part for part in parts if self._baseline.learners[int(part.metric[0])].learned]
        if not parts:
            return []
        test = self._of_sessions
        alarms = test.take(joined(parts), index.members, index, index.covered, now_ms)
        return self._named(test, tuple(self.sessions), alarms, warm=warm)

    def _judge_hour(
        self, watching: Watching, now_ms: int, *, warm: bool
    ) -> list[tuple[str, LayerAlarm]]:
        index, hour = watching.index, now_ms // HOUR_MS
        self._learn(index)
        self._of_sessions.close_hour(index, now_ms, settled=warm)
        if not self.series:
            return []
        self._of_hours.close_hour(index, now_ms, settled=warm)
        values = self._hours.close(index)
        parts = []
        for metric, (name, watched) in enumerate(self.series.items()):
            odd = self._timed(name, partial(watched.odd, values, hour))
            cohorts = np.fromiter(odd, np.int64, len(odd))
            outcome: Bools = np.fromiter(odd.values(), np.bool_, len(odd))
            parts.append(trials_of(metric, cohorts, outcome, ODD_HOURS))
        told = joined(parts)
        if not told:
            return []
        every = np.arange(len(index), dtype=np.int64)

        def inside(cohort: Cohort, rows: Ints) -> Bools:
            return np.array([index.cohorts[row] == cohort for row in rows.tolist()], dtype=bool)

        test = self._of_hours
        alarms = test.take(
            told, Members(every.astype(np.int32), every, every + 1), index, inside, now_ms
        )
        return self._named(test, tuple(self.series), alarms, warm=warm)

    @staticmethod
    def _named(
        test: Oddness, names: tuple[str, ...], alarms: list[LayerAlarm], *, warm: bool
    ) -> list[tuple[str, LayerAlarm]]:
        if warm:
            return [(names[alarm.metric], alarm) for alarm in alarms]
        test.forget_evidence()
        test.open.clear()
        return []

    def _count(self, due: Columns, types: dict[str, int], watching: Watching) -> None:
        if len(self._places) <= max(types.values()):
            self._places = np.full(max(types.values()) + 1, -1, dtype=np.int64)
            for place, kind in enumerate(self._config.funnel):
                self._places[types[kind]] = place
        leaf = watching.sessioniser.state.leaf[due.session]
        known = leaf >= 0
        last = len(self._config.funnel) - 1
        self._hours.take(leaf[known], self._places[due.type][known], last)

    @staticmethod
    def _hit(watching: Watching, leaf: Ints) -> Bools:
        """Return which sessions are of people whom an open incident has hit."""
        hit = np.zeros(len(leaf), dtype=bool)
        for incident in watching.incidents.values():
            if incident.suppresses:
                hit |= watching.index.covered(incident.cohort, leaf)
        return hit

    def _expected(
        self, metric: int, leaf: Ints, odd: Bools, index: CohortIndex, now_ms: int
    ) -> Told:
        """Return trials with the share of odd ones that dimensions and the hour let expect."""
        metrics = np.full(len(leaf), metric, dtype=np.int64)
        p = self._baseline.predict(metrics, leaf, index, np.zeros_like(leaf), [now_ms])
        return trials_of(metric, leaf, odd, np.clip(p, LEAST_SHARE, MOST_SHARE))

    def _ripen(self, told: Told, index: CohortIndex, now_ms: int) -> None:
        """Keep for learning what no alarm explains and no evidence makes doubtful."""
        times = np.full(len(told.leaf), now_ms, dtype=np.int64)
        ripe = Matured(told.metric, told.leaf, times, told.won, told.p)
        test = self._of_sessions
        test.evidence.grow(len(index))
        wait = test.evidence.is_hot(ripe, index.members, len(index))
        for alarm in test.open:
            wait |= (ripe.metric == alarm.metric) & index.covered(alarm.cohort, ripe.leaf)
        self._ripe.append(ripe.part(~wait))

    def _learn(self, index: CohortIndex) -> None:
        """Let the learners of odd shares learn from the hour, as those of the engine do."""
        if not self._ripe:
            return
        ripe = Matured(*(np.concatenate(column) for column in zip(*self._ripe, strict=True)))
        self._ripe = []
        for metric in np.unique(ripe.metric).tolist():
            self._baseline.learners[metric].learn(ripe.part(ripe.metric == metric), index)
        self._baseline.take_over(index)

    def _timed(self, name: str, work: Callable[[], T]) -> T:
        if self.timer is None:
            return work()
        began = self.timer()
        done = work()
        self.spent[name] += self.timer() - began
        return done

    def _fact(self, name: str, alarm: LayerAlarm) -> tuple[str, NewFact]:
        alarm_id = derive_id("lay", name, alarm.cohort.label, alarm.onset_ms, alarm.opened_ms)
        at_ms = alarm.ended_ms or alarm.opened_ms
        fact = LayerAlarmed(
            alarm_id=alarm_id,
            layer=name,
            cohort=alarm.cohort,
            onset_at=from_ms(alarm.onset_ms),
            raised_at=from_ms(alarm.opened_ms),
            ended_at=from_ms(alarm.ended_ms) if alarm.ended_ms else None,
            expected=alarm.expected,
            observed=alarm.observed,
            trials=alarm.trials,
            statistic=alarm.statistic,
            threshold=alarm.threshold,
        )
        fact_id = derive_id("fct", STREAM, alarm_id, at_ms)
        return STREAM, NewFact(
            fact_id=fact_id, fact=fact, occurred_at=from_ms(at_ms), actor="detector"
        )
