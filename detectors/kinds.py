"""What sort of incident it is: a business loss, lost data, or traffic without intent.

Lost beacons: the end of a step stops, but what only follows it goes on. Traffic without intent:
many more sessions than before reach the start of a step, and as many as before its end.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from detectors.localising import Exposed, exposed_since
from detectors.sessions import MISSING, Plan
from detectors.trials import TrialTable
from recoup.domain.facts import IncidentKind

MIN_MISSING = 3.0
MISSING_SHARE = 0.35
FLOOD = 1.6
AS_MANY = (0.7, 1.3)
BROWSING = 2
"""Floods are seen at steps that begin at one of so many first types: who pays is no robot."""

LATELY_MS = 15 * 60_000
MOST_OF_IT = 0.5
ELSEWHERE = 50
BEFORE_MS = 3 * 3600 * 1000
GROWTH = (0.5, 2.0)
"""By how much a shop's day may differ from the one before."""

UNLIKELY = 8.0
"""Fewer stay than stayed before, with at most so much evidence, though a flood is what is seen."""

FAR_MORE = 4.0
"""A flood outweighs so much less evidence that fewer stay."""


Covers = Callable[[Exposed], Exposed]
"""Returns those of some trials that are in the cohort in question."""


class Harm(NamedTuple):
    """The alarm in question: a metric of the plan, and its trials in the cohort since the onset."""

    metric: int
    trials: Exposed
    onset_ms: int
    now_ms: int
    is_made: bool = False
    """Whether a change made the cohort, such as a release: it grows because people are moved."""


class Usual(NamedTuple):
    """What arrivals at a step to expect of the cohort and of everyone since some moment."""

    ratio: float
    """Today's traffic at this time over that of the hours before, for the shop as a whole."""
    inside: float | None
    """How many came to the cohort in the same span a day ago; None where nobody knows."""
    everyone: float | None


UsualAt = Callable[[int, int], Usual]
"""Returns what arrivals at a step, by its metric, to expect since a moment."""


def kind_of(
    harm: Harm, plan: Plan, table: TrialTable, usual: UsualAt, in_cohort: Covers
) -> IncidentKind:
    """Return the kind of an alarm, given what arrivals are usual."""
    if plan.names[harm.metric].startswith(MISSING):
        return IncidentKind.DATA_QUALITY
    if harm.metric < plan.steps and _beacons_lost(harm, plan, table, in_cohort):
        return IncidentKind.DATA_QUALITY
    if not harm.is_made and any(
        _flooded(each, table, usual, in_cohort)
        for each in _where_robots_show(harm, plan, table, in_cohort)
    ):
        return IncidentKind.TRAFFIC
    return IncidentKind.BUSINESS


def _where_robots_show(
    harm: Harm, plan: Plan, table: TrialTable, in_cohort: Covers
) -> Iterator[Harm]:
    """Yield the harm at steps that robots spoil: its own, or all if it is no step's."""
    browsing = [step for step in range(plan.steps) if plan.start[step] < BROWSING]
    if harm.metric < plan.steps:
        if harm.metric in browsing:
            yield harm
        return
    for step in browsing:
        trials = in_cohort(exposed_since(table, step, True, harm.onset_ms, harm.now_ms))
        yield harm._replace(metric=step, trials=trials)


def _beacons_lost(harm: Harm, plan: Plan, table: TrialTable, in_cohort: Covers) -> bool:
    """Tell whether the next type is reached by sessions in which the end was never seen."""
    end = int(plan.end[harm.metric])
    number = plan.missing + end
    if number >= len(plan.names):
        return False
    missing = in_cohort(exposed_since(table, number, False, harm.onset_ms, harm.now_ms))
    _, absent, usually, _ = missing.shortfall()
    _, observed, expected, _ = harm.trials.shortfall()
    lost_share = (expected - observed) / max(expected, 1e-9)
    absent_share = (absent - usually) / max(len(missing.leaf), 1)
    return absent >= MIN_MISSING and absent_share >= MISSING_SHARE * lost_share


def _flooded(harm: Harm, table: TrialTable, usual: UsualAt, in_cohort: Covers) -> bool:
    """Tell whether far more came than came before and than came a day ago, and no more stayed.

    It is asked of all the time since the onset, and of the last minutes if most of the harm is
    theirs: an onset may well be told too early where few people are.
    """
    if _is_flood(harm, table, usual, in_cohort):
        return True
    since_ms = harm.now_ms - LATELY_MS
    lately = harm.trials.part(harm.trials.exposed_ms >= since_ms)
    if since_ms <= harm.onset_ms or _missed(lately) < MOST_OF_IT * _missed(harm.trials):
        return False
    return _is_flood(harm._replace(onset_ms=since_ms, trials=lately), table, usual, in_cohort)


def _missed(trials: Exposed) -> float:
    """Return how many successes are missing."""
    _, observed, expected, _ = trials.shortfall()
    return expected - observed


def _is_flood(harm: Harm, table: TrialTable, usual: UsualAt, in_cohort: Covers) -> bool:
    here = _Crowd.of(harm, harm.metric, table, usual, in_cohort)
    # Robots that look at pages are most where sessions begin, whichever step they spoil.
    crowds = [here] if harm.metric == 0 else [here, _Crowd.of(harm, 0, table, usual, in_cohort)]
    flood = max(crowd.beyond(FLOOD) for crowd in crowds)
    if flood <= 0.0:
        return False
    due, observed, _, _ = harm.trials.shortfall()
    stayed = here.stayed * due / max(len(harm.trials.leaf), 1)
    if observed > AS_MANY[1] * (stayed + 3.0) - 3.0:
        return False
    if observed >= min(AS_MANY[0] * (stayed + 3.0) - 3.0, stayed - 2.0 * math.sqrt(stayed + 1.0)):
        return True
    return _deviance(observed, stayed) <= min(UNLIKELY, flood / FAR_MORE)


class _Crowd(NamedTuple):
    """Who came to a step since the onset, and how many were to come by each reckoning."""

    came: int
    expected: list[float]
    stayed: float
    """How many successes there were to be, if people did as those before them."""

    @classmethod
    def of(
        cls, harm: Harm, metric: int, table: TrialTable, usual: UsualAt, in_cohort: Covers
    ) -> "_Crowd":
        everyone = exposed_since(table, metric, True, harm.onset_ms - BEFORE_MS, harm.now_ms)
        inside = in_cohort(everyone)
        before = inside.part(inside.exposed_ms < harm.onset_ms)
        came = len(inside.leaf) - len(before.leaf)
        spans = max(harm.now_ms - harm.onset_ms, 60_000) / BEFORE_MS
        since = int((everyone.exposed_ms >= harm.onset_ms).sum())
        others = len(everyone.leaf) - since - len(before.leaf)
        known = usual(metric, harm.onset_ms)
        growth = _growth_elsewhere(others, since - came, spans) or known.ratio
        expected = [len(before.leaf) * spans * growth]
        if known.inside is not None and known.everyone is not None:
            rest = known.everyone - known.inside
            expected.append(known.inside * _day_growth(since - came, rest))
        return cls(came, expected, float(before.success.sum()) * spans * growth)

    def beyond(self, times: float) -> float:
        """Return the log evidence that more came than so many times what was to come; 0 if not."""
        most = times * max(each + math.sqrt(each) + 1.0 for each in self.expected)
        return _deviance(self.came, most) if self.came >= most else 0.0


def _deviance(count: float, expected: float) -> float:
    """Return the log-likelihood by which a Poisson count fits itself better than what was due."""
    expected = max(expected, 1e-9)
    return (count * math.log(count / expected) if count else 0.0) - count + expected


def _day_growth(today: float, yesterday: float) -> float:
    """Return by how much the rest of the shop is busier than it was a day ago."""
    if min(today, yesterday) < ELSEWHERE:
        return 1.0
    return min(max(today / yesterday, GROWTH[0]), GROWTH[1])


def _growth_elsewhere(before: int, since: int, spans: float) -> float:
    """Return by how much the rest of the shop grew since the onset; 0 where there is no rest."""
    return since / (before * spans) if min(before, since) >= ELSEWHERE else 0.0
