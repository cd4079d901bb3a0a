"""The sequential test of the layers: is the share of what is odd in a cohort above what is usual?

It is the test of the engine (``detectors.sequential``) over rises only, for everyone and every
single value. Thresholds follow from the same budget, each layer with one of its own.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from detectors.cohorts import EVERYONE_ID, CohortIndex, Members
from detectors.columns import Ints
from detectors.configuration import DAY_MS, HOUR_MS
from detectors.incidents import RECOVERY_EVIDENCE
from detectors.sequential import Evidence
from detectors.trials import Bools, Floats, Matured, Told
from recoup.domain.cohort import Cohort

RISES = (1.6, 2.5, 4.0, 8.0, 20.0, 60.0)
MIN_TRIALS = 150.0
KEPT_MS = 8 * HOUR_MS
LONGEST_MS = DAY_MS
Inside = Callable[[Cohort, Ints], Bools]


@dataclass
class LayerAlarm:
    """A cohort with more odd sessions (or hours) than usual, until it is back."""

    metric: int
    cohort: Cohort
    onset_ms: int
    opened_ms: int
    expected: float
    observed: float
    trials: int
    statistic: float
    threshold: float
    effect: int
    recovery: float = 0.0
    ended_ms: int = 0

    def look(self, gain: float, now_ms: int) -> None:
        """Take in what the cohort's latest trials say for its illness; end it when it is over."""
        self.recovery = max(0.0, self.recovery - gain)
        if self.recovery >= RECOVERY_EVIDENCE or now_ms - self.opened_ms >= LONGEST_MS:
            self.ended_ms = now_ms


class Oddness:
    """Feed it trials; ``take`` returns the alarms that began or ended."""

    def __init__(self, layers: int, chances: float, least_trials: float = MIN_TRIALS) -> None:
        self.evidence = Evidence(np.tile(np.array(RISES), (layers, 1)))
        self.open: list[LayerAlarm] = []
        self._chances = chances
        self._least = least_trials
        self._recent: deque[tuple[int, Told]] = deque()

    def take(
        self, told: Told, members: Members, index: CohortIndex, inside: Inside, now_ms: int
    ) -> list[LayerAlarm]:
        """Take in the trials of some minutes, all with a known outcome."""
        self.evidence.grow(len(index))
        self._recent.append((now_ms, told))
        while self._recent[0][0] < now_ms - KEPT_MS:
            self._recent.popleft()
        ended = []
        for alarm in self.open:
            mine = inside(alarm.cohort, told.leaf) & (told.metric == alarm.metric)
            gain = self.evidence.gains(told.part(mine))[alarm.effect]
            alarm.look(float(gain), now_ms)
            told = told.part(~mine)
            ended += [alarm] if alarm.ended_ms else []
        self.open = [alarm for alarm in self.open if not alarm.ended_ms]
        if not told:
            return ended
        times = np.full(len(told.leaf), now_ms, dtype=np.int64)
        matured = Matured(told.metric, told.leaf, times, told.won, told.p)
        self.evidence.calibrate(matured, members)
        high = self.evidence.add(told, members, now_ms)
        return ended + self._alarms(high, index, inside, now_ms)

    def close_hour(self, index: CohortIndex, now_ms: int, *, settled: bool) -> None:
        """Learn from the hour, and share the budget out over the cohorts that have a baseline."""
        evidence, size = self.evidence, len(index)
        evidence.grow(size)
        evidence.close_hour(now_ms // HOUR_MS, size, settled=settled)
        shallow = np.array([len(each) <= 1 for each in index.cohorts])
        shallow &= now_ms - np.array(index.first_seen_ms) >= DAY_MS
        shallow[EVERYONE_ID] = True
        earned = (evidence.learned[:, :size] >= self._least) & shallow
        for metric in range(len(earned)):
            limit = math.log(self._chances * max(int(earned[metric].sum()), 1))
            limits = np.where(earned[metric], limit, np.inf)
            evidence.set_limit((metric, slice(size)), limits)

    def forget_evidence(self) -> None:
        """Start every test anew; before the warm-up ends nothing may add up."""
        self.evidence.score[:] = 0.0

    def _alarms(
        self, high: Ints, index: CohortIndex, inside: Inside, now_ms: int
    ) -> list[LayerAlarm]:
        evidence = self.evidence
        rows = [(evidence.statistic(int(m), int(c)), int(m), int(c)) for m, c in high]
        found: list[LayerAlarm] = []
        for statistic, metric, cohort in sorted(rows, reverse=True):
            limit = float(evidence.limit[metric, cohort])
            if statistic < limit or any(alarm.metric == metric for alarm in found):
                continue
            found.append(self._alarm(metric, cohort, index, inside, now_ms))
            found[-1].statistic, found[-1].threshold = statistic, limit
            touched = index.compatible(index.cohorts[cohort])
            evidence.score[metric, : len(touched)][touched] = 0.0
        self.open += found
        return found

    def _alarm(
        self, metric: int, row: int, index: CohortIndex, inside: Inside, now_ms: int
    ) -> LayerAlarm:
        cohort = index.cohorts[row]
        onset_ms, effect = self.evidence.onset_of(metric, row)
        expected, odd, trials = 0.0, 0, 0
        for at_ms, told in self._recent:
            if at_ms > onset_ms:
                mine = told.part(inside(cohort, told.leaf) & (told.metric == metric))
                expected, odd = expected + float(mine.p.sum()), odd + int(mine.won.sum())
                trials += len(mine.leaf)
        least = max(trials, 1)
        rates = expected / least, odd / least
        return LayerAlarm(metric, cohort, onset_ms, now_ms, *rates, trials, 0.0, 0.0, effect)


def trials_of(metric: int, leaf: Ints, odd: Bools, share: Floats | float) -> Told:
    """Return trials whose outcome is known at once."""
    ones: Floats = np.ones(len(leaf))
    return Told(
        np.full(len(leaf), metric, dtype=np.int64), leaf, ones * share, ones * 0.0, ones, odd
    )


def joined(parts: list[Told]) -> Told:
    """Return several lots of trials as one."""
    return Told(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
