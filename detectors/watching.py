"""What is watched: events become trials, trials are predicted, tested and learned from."""

import numpy as np

from detectors.arrivals import Arrivals
from detectors.budget import Budget
from detectors.cohorts import EVERYONE_ID, CohortIndex
from detectors.columns import Columns, Detail, Ints, Leaves
from detectors.configuration import HOUR_MS, DetectionConfig
from detectors.evidence_making import RawSignal, VolumeTick
from detectors.incidents import OpenIncident
from detectors.kinds import BROWSING
from detectors.learners import Baseline, SlownessLearner
from detectors.priming import Priming
from detectors.seasons import Seasons
from detectors.sequential import Evidence
from detectors.sessions import IDLE_MS, Sessioniser
from detectors.trials import Matured, Told, TrialTable
from detectors.volumes import VolumeWatch
from recoup.domain.storefront import API_TIMED, ORDER_COMPLETED, PAYMENT_FAILED, SCRIPT_ERROR

KEPT_MS = 5 * HOUR_MS
LONGEST_WAIT_MS = 24 * HOUR_MS
ADMIT_HOURS = 12
ORDER_VALUE_RATE = 0.005
FADING = 0.9995
AT_ONCE_MS = 1
"""The horizon of trials whose outcome is known as they begin."""

NO_ROWS = np.empty((0, 2), dtype=np.int64)


class Watching:
    """The learned picture of the shop, and the evidence against it."""

    def __init__(self, config: DetectionConfig, leaves: Leaves) -> None:
        self.config = config
        self.leaves = leaves
        self.sessioniser = Sessioniser(config.funnel)
        self.plan = plan = self.sessioniser.plan
        self.index = CohortIndex(config.max_cohort_dims, config.max_cohorts)
        horizons = [config.horizon_ms] * plan.steps + [config.error_horizon_ms]
        horizons += [AT_ONCE_MS] * (len(plan.names) - len(horizons))
        self.table = TrialTable(horizons)
        drops, rises = 1.0 - np.array(config.drops), np.array(config.rises)
        self.evidence = Evidence(
            np.array([drops if m < plan.steps else rises for m in range(len(plan.names))])
        )
        self.budget = Budget(config, plan)
        self.priming = Priming(plan.steps, config.false_alarms_per_month)
        self.seasons = Seasons(config.periods, plan.names)
        self.arrivals = Arrivals(np.flatnonzero(plan.start < BROWSING))
        self.baseline = Baseline(len(plan.names), config.changing_dimensions)
        self.slowness: dict[str, SlownessLearner] = {}
        self.watches = [VolumeWatch(f"volume:{kind}") for kind in config.funnel[:2]]
        self.volumes: list[VolumeTick] = []
        self.signals: list[RawSignal] = []
        self.incidents: dict[str, OpenIncident] = {}
        self.totals: dict[str, float] = {}
        self.order_value = 0.0
        self._ripe: list[Matured] = []

    def take(
        self,
        due: Columns,
        details: list[tuple[int, Detail]],
        start_ms: int,
        types: dict[str, int],
        *,
        warm: bool,
    ) -> Ints:
        """Take in the events of a tick, in order; return the rows whose evidence is high.

        ``details`` go with events by their place in ``due``.
        """
        now_ms = start_ms + self.config.tick_ms
        counts = np.bincount(due.type, minlength=len(types))
        self._note_types(types)
        self._begin(due, start_ms, now_ms)
        self._note_details(due, details, types)
        self._count(counts, types, start_ms, now_ms)
        told = self.table.tell(now_ms)
        matured = self.table.mature(now_ms)
        self.index.ready(np.concatenate([told.leaf, matured.leaf]), self.leaves, now_ms)
        if (self.evidence.grow(len(self.index)) or warm) and self.budget.extend(
            self.evidence, self.index
        ):
            self.priming.renew()
        self.priming.apply(self.evidence, self.index, now_ms)
        self._ripen(matured)
        told = self._recovering(told, now_ms)
        if not warm or not told:
            return NO_ROWS
        codes = self.index.codes_of(told.leaf)
        told = told.part(self.budget.known(told.metric, codes))
        return self.evidence.add(told, self.index.members, now_ms) if told else NO_ROWS

    def hour_ended(self, now_ms: int, age_ms: int) -> bool:
        """Learn from the hour if one ended with this tick; tell whether it did.

        ``age_ms`` is how long events have been coming.
        """
        if now_ms % HOUR_MS >= self.config.tick_ms:
            return False
        self._learn(now_ms)
        hour = now_ms // HOUR_MS
        window = self.evidence.window[0]
        for number, learner in enumerate(self.baseline.learners):
            learner.follow_level(*window[:2, number, EVERYONE_ID].tolist())
        self.evidence.close_hour(hour, settled=age_ms >= self.config.warm_up_ms // 4)
        self.table.refresh()
        if hour % ADMIT_HOURS == 0:
            self.index.admit(now_ms)
            self.evidence.grow(len(self.index))
        self.budget.renew(self.evidence, self.index, now_ms)
        self.seasons.apply(self.evidence, self.index, now_ms)
        self.priming.begin_hour(self.index, now_ms)
        return True

    def forget(self, now_ms: int, waiting: Columns) -> set[int]:
        """Drop what is old; return the numbers of the sessions that are over."""
        since = min(
            (incident.onset_ms - 2 * HOUR_MS for incident in self.incidents.values()),
            default=now_ms,
        )
        self.table.forget(max(min(now_ms - KEPT_MS, since), now_ms - 8 * KEPT_MS))
        self.signals = [signal for signal in self.signals if signal.time_ms > now_ms - KEPT_MS]
        self.volumes = [row for row in self.volumes if row.tick_ms > now_ms - KEPT_MS]
        return self.sessioniser.idle_since(now_ms - IDLE_MS - self.config.grace_ms, waiting)

    def release(self, matured: Matured) -> None:
        """Learn from trials that were withheld."""
        self.index.ready(matured.leaf, self.leaves, int(matured.exposed_ms.max()))
        self.evidence.grow(len(self.index))
        self.evidence.calibrate(matured, self.index.members)
        self._ripe.append(matured)

    def _note_types(self, types: dict[str, int]) -> None:
        if len(types) != len(getattr(self, "_places", ())):
            places = np.full(max(len(types), max(types.values()) + 1), -1, dtype=np.int64)
            for place, kind in enumerate(self.config.funnel):
                places[types[kind]] = place
            if SCRIPT_ERROR in types:
                places[types[SCRIPT_ERROR]] = -2
            self._places = places

    def _begin(self, due: Columns, start_ms: int, now_ms: int) -> None:
        number = self.table.next_number
        found = self.sessioniser.take(due, self._places, self.leaves, number, start_ms)
        if len(found.metric) == 0 and len(found.won) == 0:
            return
        self.index.ready(found.leaf, self.leaves, now_ms)
        predicted = self.baseline.predict(found.metric, found.leaf, self.index, start_ms)
        self.table.admit(*found[:4], predicted)
        self.table.succeed(found.won, found.won_ms)
        self.index.count(found.leaf[found.metric == 0])
        self.arrivals.note(found.metric, found.leaf, start_ms)

    def _note_details(
        self, due: Columns, details: list[tuple[int, Detail]], types: dict[str, int]
    ) -> None:
        if not details:
            return
        names = {number: kind for kind, number in types.items()}
        rows = due.part(np.array([place for place, _ in details], dtype=np.int64))
        columns = rows.type, rows.time_ms, self.sessioniser.state.leaf[rows.session]
        for (_, detail), kind, time_ms, leaf in zip(
            details, *(column.tolist() for column in columns), strict=True
        ):
            self._note(names[kind], detail, time_ms, leaf)

    def _note(self, kind: str, detail: Detail, time_ms: int, leaf: int) -> None:
        if kind == ORDER_COMPLETED:
            rate = ORDER_VALUE_RATE if self.order_value else 1.0
            self.order_value += rate * (detail.number - self.order_value)
        elif kind in (SCRIPT_ERROR, PAYMENT_FAILED):
            self.signals.append(RawSignal(kind, detail.text, time_ms, leaf))
        elif kind == API_TIMED and detail.text:
            slowness = self.slowness.setdefault(detail.text, SlownessLearner())
            if slowness.observe(detail.number):
                self.signals.append(RawSignal("api_slow", detail.text, time_ms, leaf))

    def _count(self, counts: Ints, types: dict[str, int], start_ms: int, now_ms: int) -> None:
        for kind, number in types.items():
            self.totals[kind] = self.totals.get(kind, 0.0) * FADING + int(counts[number])
        quiet = not any(i.metric.startswith("volume:") for i in self.incidents.values())
        for watch, kind in zip(self.watches, self.config.funnel, strict=False):
            row = watch.take(start_ms, now_ms, float(counts[types[kind]]), learn=quiet)
            self.volumes.append(row)

    def _recovering(self, told: Told, now_ms: int) -> Told:
        """Take out the trials of open incidents' cohorts; they only tell of their recovery."""
        for incident in self.incidents.values():
            if not incident.suppresses or not told or incident.metric.startswith("volume:"):
                continue
            metric = self.plan.names.index(incident.metric)
            inside = self.index.covered(incident.cohort, told.leaf)
            inside &= self.plan.explains(metric)[told.metric]
            mine = told.part(inside & (told.metric == metric))
            if mine and incident.look(float(self.evidence.gains(mine, incident.effect).sum())):
                incident.recovered_ms = now_ms
            told = told.part(~inside)
        return told

    def _ripen(self, matured: Matured) -> None:
        """Withhold what an open incident explains; the rest is learned when the hour ends."""
        for incident in self.incidents.values():
            if not matured or not incident.suppresses:
                continue
            inside = self.index.covered(incident.cohort, matured.leaf)
            inside &= matured.exposed_ms >= incident.onset_ms
            if inside.any():
                incident.withheld.append(matured.part(inside))
                matured = matured.part(~inside)
        if matured:
            self.evidence.calibrate(matured, self.index.members)
            self._ripe.append(matured)

    def _learn(self, now_ms: int) -> None:
        """Learn from the trials that are ripe, but for those that look ill for now."""
        if not self._ripe:
            return
        ripe = Matured(*(np.concatenate(column) for column in zip(*self._ripe, strict=True)))
        self.index.ready(ripe.leaf, self.leaves, now_ms)
        waits = self.evidence.is_hot(ripe, self.index.members)
        waits &= ripe.exposed_ms > now_ms - LONGEST_WAIT_MS
        self._ripe = [ripe.part(waits)]
        ripe = ripe.part(~waits)
        for metric in np.unique(ripe.metric).tolist():
            learner = self.baseline.learners[metric]
            learner.learn(ripe.part(ripe.metric == metric), self.index)
        self.baseline.take_over(self.index)
