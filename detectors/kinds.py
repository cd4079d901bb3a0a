"""What sort of incident it is: a business loss, lost data, or traffic without intent.

Lost beacons: the end of a step stops, but what only follows it goes on. Traffic without intent:
many more sessions than before reach the start of a step, and as many as before its end.
"""

import math
from collections.abc import Callable
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

ELSEWHERE = 50
BEFORE_MS = 3 * 3600 * 1000
GROWTH = (0.5, 2.0)
"""By how much a shop's day may differ from the one before."""


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
    """What traffic to expect of the cohort and of everyone since the onset."""

    ratio: float
    """Today's traffic at this time over that of the hours before, for the shop as a whole."""
    inside: float | None
    """How many came to the cohort in the same span a day ago; None where nobody knows."""
    everyone: float | None


def kind_of(
    harm: Harm, plan: Plan, table: TrialTable, usual: Usual, in_cohort: Covers
) -> IncidentKind:
    """Return the kind of an alarm, given what traffic is usual."""
    if plan.names[harm.metric].startswith(MISSING):
        return IncidentKind.DATA_QUALITY
    if harm.metric >= plan.steps:
        return IncidentKind.BUSINESS
    if _beacons_lost(harm, plan, table, in_cohort):
        return IncidentKind.DATA_QUALITY
    if (
        plan.start[harm.metric] < BROWSING
        and not harm.is_made
        and _flooded(harm, table, usual, in_cohort)
    ):
        return IncidentKind.TRAFFIC
    return IncidentKind.BUSINESS


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


def _flooded(harm: Harm, table: TrialTable, usual: Usual, in_cohort: Covers) -> bool:
    """Tell whether far more came than came before and than came a day ago, and no more stayed."""
    everyone = exposed_since(table, harm.metric, True, harm.onset_ms - BEFORE_MS, harm.now_ms)
    before = in_cohort(everyone)
    before = before.part(before.exposed_ms < harm.onset_ms)
    spans = max(harm.now_ms - harm.onset_ms, 60_000) / BEFORE_MS
    others = int((everyone.exposed_ms >= harm.onset_ms).sum()) - len(harm.trials.leaf)
    growth = _growth_elsewhere(harm, everyone, len(before.leaf), spans) or usual.ratio
    came = [(len(before.leaf) * spans * growth)]
    if usual.inside is not None and usual.everyone is not None:
        came.append(usual.inside * _day_growth(others, usual.everyone - usual.inside))
    most = max(expected + math.sqrt(expected) + 1.0 for expected in came)
    if len(harm.trials.leaf) < FLOOD * most:
        return False
    due, observed, _, _ = harm.trials.shortfall()
    share_due = due / max(len(harm.trials.leaf), 1)
    stayed = float(before.success.sum()) * spans * growth * share_due
    fewest = min(AS_MANY[0] * (stayed + 3.0) - 3.0, stayed - 2.0 * math.sqrt(stayed + 1.0))
    return fewest <= observed <= AS_MANY[1] * (stayed + 3.0) - 3.0


def _day_growth(today: float, yesterday: float) -> float:
    """Return by how much the rest of the shop is busier than it was a day ago."""
    if min(today, yesterday) < ELSEWHERE:
        return 1.0
    return min(max(today / yesterday, GROWTH[0]), GROWTH[1])


def _growth_elsewhere(harm: Harm, everyone: Exposed, inside_before: int, spans: float) -> float:
    """Return by how much the rest of the shop grew since the onset; 0 where there is no rest."""
    since = int((everyone.exposed_ms >= harm.onset_ms).sum())
    before = len(everyone.leaf) - since - inside_before
    after = since - len(harm.trials.leaf)
    return after / (before * spans) if min(before, after) >= ELSEWHERE else 0.0
