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
from detectors.sessions import IDLE_MS, SLOW_METRIC, Sessioniser
from detectors.stretches import Span, Stretch, Telling, Tick
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
        counted = np.zeros(len(plan.names), dtype=bool)
        counted[: plan.steps] = plan.start < BROWSING
        self.arrivals = Arrivals(counted)
        self.baseline = Baseline(len(plan.names), config.changing_dimensions)
        self.slowness: dict[str, SlownessLearner] = {}
        self.watches = [VolumeWatch(f"volume:{kind}") for kind in config.funnel[:2]]
        self.volumes: list[VolumeTick] = []
        self.signals: list[RawSignal] = []
        self.incidents: dict[str, OpenIncident] = {}
        self._types: dict[int, str] = {}
        self._totals = np.zeros(0)
        self.order_value = 0.0
        self._ripe: list[Matured] = []

    def begin(
        self, due: Columns, details: list[tuple[int, Detail]], types: dict[str, int], span: Span
    ) -> Stretch:
        """Follow the sessions of events that are due, within an hour, and begin their trials.

        ``details`` go with events by their place in ``due``; ``types`` are the numbers of all.
        """
        self._note_types(types)
        calls = self._slow_calls(due, details, types)
        number = self.table.next_number
        leaf, found = self.sessioniser.take(due, self._places, self.leaves, number, calls)
        stretch = Stretch(due, found, self._telling(due, leaf, details, calls), span)
        metric, _, leaf, _ = found.begun
        self.index.encode(leaf, self.leaves)
        self.index.count(leaf[metric == 0])
        self.arrivals.note(metric, leaf, span.start_ms)
        return stretch

    def take(self, stretch: Stretch, tick: Tick, counts: Ints, *, warm: bool) -> Ints:
        """Take in a tick; return the rows (metric, cohort) whose evidence is high.

        ``counts`` are its events by the number of their type.
        """
        now_ms = tick.start_ms + self.config.tick_ms
        self._begin(stretch, tick, now_ms)
        for telling in tick.details:
            self._note(telling)
        self._count(counts, tick.start_ms, now_ms)
        told = self.table.tell(now_ms)
        self.index.ready(told.leaf, self.leaves, now_ms)
        if (self.evidence.grow(len(self.index)) or warm) and self.budget.extend(
            self.evidence, self.index
        ):
            self.priming.renew()
        self.priming.apply(self.evidence, self.index, now_ms)
        if self.incidents:
            self._ripen(now_ms)
            told = self._recovering(told, now_ms)
        if not warm or not told:
            return NO_ROWS
        known = self.budget.known(told.metric, told.leaf, self.index.all_codes)
        told = told if known.all() else told.part(known)
        return self.evidence.add(told, self.index.members, now_ms) if told else NO_ROWS

    @property
    def totals(self) -> dict[str, float]:
        """How many events of each type came lately, older ones counting less."""
        return {self._types[number]: n for number, n in enumerate(self._totals.tolist())}

    def hour_ended(self, now_ms: int, age_ms: int) -> bool:
        """Learn from the hour if one ended with this tick; tell whether it did.

        ``age_ms`` is how long events have been coming.
        """
        if now_ms % HOUR_MS >= self.config.tick_ms:
            return False
        self._ripen(now_ms)
        self._learn(now_ms)
        hour = now_ms // HOUR_MS
        window = self.evidence.window[0]
        for number, learner in enumerate(self.baseline.learners):
            learner.follow_level(*window[:2, number, EVERYONE_ID].tolist())
        self.evidence.close_hour(
            hour, len(self.index), settled=age_ms >= self.config.warm_up_ms // 4
        )
        self.table.refresh()
        if hour % ADMIT_HOURS == 0:
            self.index.admit(now_ms)
            self.evidence.grow(len(self.index))
        self.budget.renew(self.evidence, self.index, now_ms)
        self.seasons.apply(self.evidence, self.index, now_ms)
        self.priming.begin_hour(self.index, now_ms)
        self.priming.apply(self.evidence, self.index, now_ms)
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
        if len(types) != len(self._types):
            self._types = {number: kind for kind, number in types.items()}
            places = np.full(max(len(types), max(types.values()) + 1), -1, dtype=np.int64)
            for place, kind in enumerate(self.config.funnel):
                places[types[kind]] = place
            if SCRIPT_ERROR in types:
                places[types[SCRIPT_ERROR]] = -2
            self._places = places

    def _begin(self, stretch: Stretch, tick: Tick, now_ms: int) -> None:
        metric, exposed_ms, leaf, success_ms = stretch.found.begun[:, tick.begun]
        if len(leaf):
            if stretch.predicted_by != self.baseline.revision:
                self._predict(stretch)
            self.index.ready(leaf, self.leaves, now_ms)
            predicted = stretch.predicted[tick.begun]
            self.table.admit(metric, exposed_ms, leaf, success_ms, predicted)
        self.table.succeed(*stretch.found.won[:, tick.won])

    def _predict(self, stretch: Stretch) -> None:
        """Predict all trials of a stretch; again, should the baseline change within it."""
        metric, exposed_ms, leaf, _ = stretch.found.begun
        starts = stretch.span.edges[:-1].tolist()
        tick = stretch.tick_of(exposed_ms)
        stretch.predicted = self.baseline.predict(metric, leaf, self.index, tick, starts)
        stretch.predicted_by = self.baseline.revision

    def _slow_calls(
        self, due: Columns, details: list[tuple[int, Detail]], types: dict[str, int]
    ) -> Ints:
        """Return 1 for timed calls, 2 for those slower than their endpoint's learned quantile."""
        calls = np.zeros(len(due.order), dtype=np.int64)
        timed = (due.type == types.get(API_TIMED, -1)).tolist()
        for place, detail in details:
            if timed[place] and detail.text:
                slowness = self.slowness.get(detail.text)
                if slowness is None:
                    slowness = self.slowness[detail.text] = SlownessLearner()
                calls[place] = 2 if slowness.observe(detail.number) else 1
        return calls

    def _telling(
        self, due: Columns, leaf: Ints, details: list[tuple[int, Detail]], calls: Ints
    ) -> tuple[Ints, list[Telling]]:
        """Return what events say beyond their type, and the starts of the ticks they are due in."""
        of_note = [(place, detail) for place, detail in details if calls[place] != 1]
        places = np.array([place for place, _ in of_note], dtype=np.int64)
        kinds = [self._types[kind] for kind in due.type[places].tolist()]
        columns = (due.time_ms[places].tolist(), leaf[places].tolist())
        told = map(Telling, (detail for _, detail in of_note), kinds, *columns)
        return due.due_ms[places], list(told)

    def _note(self, telling: Telling) -> None:
        detail, kind, time_ms, leaf = telling
        if kind == ORDER_COMPLETED:
            rate = ORDER_VALUE_RATE if self.order_value else 1.0
            self.order_value += rate * (detail.number - self.order_value)
        elif kind in (SCRIPT_ERROR, PAYMENT_FAILED):
            self.signals.append(RawSignal(kind, detail.text, time_ms, leaf))
        elif detail.text:
            self.signals.append(RawSignal(SLOW_METRIC, detail.text, time_ms, leaf))

    def _count(self, counts: Ints, start_ms: int, now_ms: int) -> None:
        if len(self._totals) < len(counts):
            fresh = np.zeros(len(counts) - len(self._totals))
            self._totals = np.concatenate([self._totals, fresh])
        self._totals *= FADING
        self._totals += counts
        quiet = not any(i.metric.startswith("volume:") for i in self.incidents.values())
        # The types of the funnel have the first numbers, in its order.
        for number, watch in enumerate(self.watches):
            row = watch.take(start_ms, now_ms, float(counts[number]), learn=quiet)
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
            if mine and incident.look(self.evidence.gains(mine)):
                incident.recovered_ms = now_ms
            told = told.part(~inside)
        return told

    def _ripen(self, now_ms: int) -> None:
        """Withhold what an open incident explains; the rest is learned when the hour ends.

        It is asked for whenever an incident is open, and as the hour ends.
        """
        matured = self.table.mature(now_ms)
        if not matured:
            return
        self.index.ready(matured.leaf, self.leaves, now_ms)
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
        waits = self.evidence.is_hot(ripe, self.index.members, len(self.index))
        waits &= ripe.exposed_ms > now_ms - LONGEST_WAIT_MS
        self._ripe = [ripe.part(waits)]
        ripe = ripe.part(~waits)
        for metric in np.unique(ripe.metric).tolist():
            learner = self.baseline.learners[metric]
            learner.learn(ripe.part(ripe.metric == metric), self.index)
        self.baseline.take_over(self.index)
