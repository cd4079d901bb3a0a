"""Evidence of comparison: those whom a change touches against all others, and more of it or less.

Differences in differences guard against a baseline that is wrong for everybody: what counts is how
the touched moved, since the change, against the others.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from detectors.evidence import IncidentEvidence, IntArray
from detectors.trials import Bools

Z90 = 1.645
LEAST_EXPECTED = 1.0
LEAST_DOSE, MOST_DOSE = -1.0, 1.5
DOSE_SLOPE = 0.5


@dataclass(frozen=True)
class Difference:
    """By how much the touched moved against the others, as shares of what was expected."""

    mid: float
    low: float
    high: float

    def text(self) -> str:
        """Return it as a sentence."""
        return (
            f"Since it was made, those it touches moved by {self.mid:+.0%} against the others "
            f"({self.low:+.0%} to {self.high:+.0%}, 90 %)."
        )


@dataclass(frozen=True)
class _Tally:
    ratio: float
    variance: float


def difference(evidence: IncidentEvidence, touched: Bools, at_ms: int) -> Difference | None:
    """Return touched minus others, after minus before; None where there is nothing to compare."""
    rows = evidence.metric == evidence.metrics.index(evidence.metric_name)
    inside, after = touched[evidence.leaf], evidence.tick_ms >= at_ms
    parts = [
        _tally(evidence, rows & (inside == own) & (after == late))
        for own, late in ((True, True), (True, False), (False, True), (False, False))
    ]
    if any(part is None for part in parts):
        return None
    ratios = [part.ratio for part in parts if part is not None]
    spread = math.sqrt(sum(part.variance for part in parts if part is not None))
    mid = (ratios[0] - ratios[1]) - (ratios[2] - ratios[3])
    return Difference(mid, mid - Z90 * spread, mid + Z90 * spread)


def _tally(evidence: IncidentEvidence, rows: Bools) -> _Tally | None:
    expected = float(evidence.expected[rows].sum())
    if expected < LEAST_EXPECTED:
        return None
    observed, variance = float(evidence.observed[rows].sum()), float(evidence.variance[rows].sum())
    return _Tally(observed / expected, variance / expected**2)


def dose(evidence: IncidentEvidence, hit: Bools, times_ms: Sequence[int]) -> float:
    """Return the log-odds from a rollout's steps: harm should grow when more people have it."""
    steps = [at for at in times_ms if at < evidence.until_ms - evidence.tick_size_ms]
    if len(steps) < 2:
        return 0.0
    rows = evidence.metric == evidence.metrics.index(evidence.metric_name)
    rows &= hit[evidence.leaf]
    edges = [*steps, evidence.until_ms]
    harms = [_harm_a_minute(evidence, rows, start, end) for start, end in pairwise(edges)]
    rises = [
        (later[0] - sooner[0]) / math.sqrt(sooner[1] + later[1] + 1e-9)
        for sooner, later in pairwise(harms)
    ]
    return float(np.clip(DOSE_SLOPE * sum(rises) / len(rises), LEAST_DOSE, MOST_DOSE))


def _harm_a_minute(
    evidence: IncidentEvidence, rows: Bools, start_ms: int, end_ms: int
) -> tuple[float, float]:
    """Return harm per minute between two moments, and its variance."""
    ticks: IntArray = evidence.tick_ms
    used = rows & (ticks >= start_ms) & (ticks < end_ms)
    minutes = max((end_ms - start_ms) / 60_000, 1.0)
    sign = 1.0 if evidence.direction == "drop" else -1.0
    lost = sign * float((evidence.expected[used] - evidence.observed[used]).sum())
    return lost / minutes, float(evidence.variance[used].sum()) / minutes**2
