"""Who may alarm, and at which evidence: the false-alarm budget shared out over metrics and cohorts.

An e-detector that crosses ``log(b)`` does so falsely at most once in b ticks on average, so shares
of the budget become thresholds. Broad cohorts get as large a share as the many narrow ones.
"""

import math

import numpy as np

from detectors.cohorts import EVERYONE_ID, CohortIndex
from detectors.compiled import compiled
from detectors.configuration import DAY_MS, DetectionConfig
from detectors.sequential import Evidence
from detectors.sessions import Plan
from detectors.trials import Bools, Floats, Ints

MONTH_MS = 30 * DAY_MS
MIN_LEARNED = 150.0
MIN_AGE_MS = DAY_MS // 2
MIN_VALUE_LEARNED = 60.0
MIN_VALUE_AGE_MS = DAY_MS // 8
NEARLY_ALL = 0.9
"""A release that so large a share of its people have is those people under a longer name."""

ENOUGH_TO_TELL = 20.0
"""So many trials of its people must an hour have taught to tell that."""

DEPTH_SHARES = (0.1, 0.25, 0.325, 0.325)
"""What everyone, single values, pairs and triples may cost."""

LARGE_FIRST = 0.3
"""A cohort's share goes with this power of its trials: where most is at stake, least is asked."""

STEP_SHARE = 0.8
VOLUME_SHARE = 0.05
STEP_SLACKS = (2.7, 4.3, 4.6, 5.1)
"""By how much the bound on false alarms was found to be loose on many shops, in log evidence.

It is by depth: the more cohorts there are the more they have in common, and only their union is
bounded."""

OTHER_SLACK = 3.0


class Budget:
    """Keeps each row's threshold in ``evidence.limit`` up to date."""

    def __init__(self, config: DetectionConfig, plan: Plan) -> None:
        self.config = config
        self.plan = plan
        self.chances = MONTH_MS / config.tick_ms / max(config.false_alarms_per_month, 1e-6)
        self.value_is_known = np.ones((len(plan.names), 1), dtype=bool)
        self._depth = np.zeros(0, dtype=np.int64)
        self._changing = np.zeros(0, dtype=bool)
        self._rest = np.zeros(0, dtype=np.int64)
        self._is_rest = np.zeros(0, dtype=bool)
        """Which cohorts that a change made are, by now, nearly all of their people."""
        self._learned = np.zeros(0)
        """What each cohort had learned at its first step when the budget was last renewed."""
        self._group_limit = np.full((len(plan.names), len(DEPTH_SHARES)), np.inf)

    @property
    def volume_limit(self) -> float:
        """The threshold of a volume."""
        return math.log(self.chances / VOLUME_SHARE)

    def renew(self, evidence: Evidence, index: CohortIndex, now_ms: int) -> None:
        """Share the budget out anew over the cohorts that have earned a baseline."""
        self._take_in(evidence, index)
        self._follow_rollouts(evidence)
        size = len(index)
        born = np.array(index.first_seen_ms, dtype=np.int64)
        old: Bools = now_ms - born >= min(MIN_AGE_MS, self.config.warm_up_ms // 2)
        old[EVERYONE_ID] = True
        described = self._depth, self._changing, self._rest, self._is_rest
        for metric in range(len(self.plan.names)):
            share, slack, deepest = STEP_SHARE / self.plan.steps, np.array(STEP_SLACKS), 3
            if metric >= self.plan.steps:
                # Errors and lost beacons are watched to pairs; drill-down goes on from there.
                slack, deepest = np.full(len(DEPTH_SHARES), OTHER_SLACK), 2
                share = (1 - STEP_SHARE) / (len(self.plan.names) - self.plan.steps)
            portion = np.log(self.chances / (share * np.array(DEPTH_SHARES))) - slack
            limit, count = _share_out(
                evidence.learned[metric, :size], old, described, deepest, portion
            )
            evidence.set_limit((metric, slice(size)), limit)
            self._group_limit[metric] = portion + np.log(count)
        self._judge_values(evidence, index, now_ms - born)

    def extend(self, evidence: Evidence, index: CohortIndex) -> bool:
        """Give new cohorts that a change made their threshold at once; others must earn one.

        Return whether there are new ones.
        """
        if len(self._depth) == len(index):
            return False
        fresh = self._take_in(evidence, index)
        judged = np.isfinite(evidence.limit[:, self._rest[fresh]])
        limit = np.where(judged, self._group_limit[:, self._depth[fresh]], np.inf)
        limit[self.plan.steps :, self._depth[fresh] > 2] = np.inf
        evidence.set_limit((slice(None), fresh), limit)
        self._widen(index)
        return True

    def has_own_baseline(self, cohort: int) -> bool:
        """Tell whether a cohort is judged by what it was itself, not by its other dimensions."""
        return not self._changing[cohort]

    def known(self, metric: Ints, leaf: Ints, codes: Ints) -> Bools:
        """Tell of which trials every value has a baseline; ``codes`` are those of all leaves."""
        return _known(metric, leaf, codes, self.value_is_known)

    def _take_in(self, evidence: Evidence, index: CohortIndex) -> Ints:
        """Describe new cohorts; return those that a change made.

        They begin as lively, and as far off their baseline, as their people were without it.
        """
        start, names = len(self._depth), self.config.changing_dimensions
        cohorts = index.cohorts[start:]
        depth = np.array([len(cohort) for cohort in cohorts], dtype=np.int64)
        changing = np.array([not names.isdisjoint(cohort.root) for cohort in cohorts], dtype=bool)
        self._depth = np.concatenate([self._depth, depth])
        self._changing = np.concatenate([self._changing, changing])
        rest = [
            index.number_of({key: v for key, v in cohort.root.items() if key not in names})
            if is_made
            else EVERYONE_ID
            for cohort, is_made in zip(cohorts, changing.tolist(), strict=True)
        ]
        self._rest = np.concatenate([self._rest, np.array(rest, dtype=np.int64)])
        self._is_rest = np.concatenate([self._is_rest, np.zeros(len(cohorts), dtype=bool)])
        fresh = np.flatnonzero(changing) + start
        evidence.inherit(fresh, self._rest[fresh])
        return fresh

    def _follow_rollouts(self, evidence: Evidence) -> None:
        """Find out what nearly all of its people have by now: they are watched as it is."""
        learned = evidence.learned[0, : len(self._depth)].copy()
        lately = learned - np.pad(self._learned, (0, len(learned) - len(self._learned)))
        self._learned = learned
        made = np.flatnonzero(self._changing)
        mine, theirs = lately[made], lately[self._rest[made]]
        told = theirs >= ENOUGH_TO_TELL
        self._is_rest[made[told]] = mine[told] >= NEARLY_ALL * theirs[told]
        evidence.score[:, np.flatnonzero(self._is_rest)] = 0.0

    def _judge_values(self, evidence: Evidence, index: CohortIndex, age_ms: Ints) -> None:
        """A value is known once it is old, or not quite so old but has taught much."""
        self._widen(index)
        single = np.array(index.single_of_value, dtype=np.int64)
        later = self.config.warm_up_ms * 3 // 4
        enough = (evidence.learned[:, single] >= MIN_VALUE_LEARNED) & (
            age_ms[single] >= MIN_VALUE_AGE_MS
        )
        enough |= age_ms[single] >= later
        self.value_is_known = enough | self._made_by_changes(index)
        self.value_is_known[:, 0] = True

    def _widen(self, index: CohortIndex) -> None:
        present = self.value_is_known.shape[1]
        if present < len(index.values):
            changing = self._made_by_changes(index)[present:]
            more = np.repeat(changing[None, :], len(self.plan.names), axis=0)
            self.value_is_known = np.concatenate([self.value_is_known, more], axis=1)

    def _made_by_changes(self, index: CohortIndex) -> Bools:
        names = self.config.changing_dimensions
        return np.array([dimension in names for dimension, _ in index.values], dtype=bool)


@compiled
def _share_out(
    learned: Floats,
    old: Bools,
    described: tuple[Ints, Bools, Ints, Bools],
    deepest: int,
    portion: Floats,
) -> tuple[Floats, Floats]:
    """Return the thresholds of cohorts, and how many are watched of each depth.

    A cohort that a change made is judged by its other values; those must have earned it.
    """
    depth, changing, rest, is_rest = described
    limit, weight = np.full(len(learned), np.inf), np.zeros(len(learned))
    count, total = np.zeros(len(portion)), np.zeros(len(portion))
    for c in range(len(learned)):
        earned = old[c] and learned[c] >= MIN_LEARNED
        if changing[c]:
            earned = earned or (old[rest[c]] and learned[rest[c]] >= MIN_LEARNED)
            earned = earned and not is_rest[c]
        if earned and depth[c] <= deepest:
            weight[c] = max(learned[c], MIN_LEARNED) ** LARGE_FIRST
            count[depth[c]] += 1.0
            total[depth[c]] += weight[c]
    count = np.maximum(count, 1.0)
    for c in range(len(learned)):
        if weight[c] > 0.0:
            d = depth[c]
            # What a change made has few trials of its own yet; it counts as one of usual size.
            own = total[d] / count[d] if changing[c] else weight[c]
            limit[c] = portion[d] + math.log(max(total[d], 1.0) / max(own, 1.0))
    return limit, count


@compiled
def _known(metric: Ints, leaf: Ints, codes: Ints, value_is_known: Bools) -> Bools:
    known = np.ones(len(metric), dtype=np.bool_)
    for i in range(len(metric)):
        for value in codes[leaf[i]]:
            if not value_is_known[metric[i], value]:
                known[i] = False
    return known
