"""What a cohort's recovery is measured against: its baseline, moved as the rest of the shop moved.

A sale that lifts everybody must not pass for a recovery, nor a slump of the whole shop for a
failure. So the baseline of the cohort is multiplied by how the unaffected complement (everybody
outside it) does against its own baseline, as far as the complement has enough trials to say.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors.evidence import IncidentEvidence

LEVEL_SPREAD = 0.15
"""How far the level of a whole shop usually strays from its baseline, as a standard deviation."""
LEVEL_BOUND = 2.0
BLOCK_TICKS = 15
BLOCK_EXPECTED = 5.0
PRIOR_BLOCKS = 16.0
MOST_DISPERSION = 4.0
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Reference:
    """``level`` multiplies the cohort's baseline; ``dispersion`` is 1 for plain binomial noise."""

    level: float
    level_error: float
    complement_trials: float
    dispersion: float


def reference_of(evidence: IncidentEvidence, since_ms: int) -> Reference:
    """Return what the complement has done since an action, and how lively the shop usually is."""
    after = rows_of(evidence, since_ms, evidence.until_ms + 1, inside=False)
    level, error = _level(evidence, after)
    return Reference(
        level=level,
        level_error=error,
        complement_trials=float(evidence.trials[after].sum()),
        dispersion=_dispersion(evidence),
    )


def rows_of(evidence: IncidentEvidence, start_ms: int, end_ms: int, *, inside: bool = True) -> Mask:
    """Return the rows of the incident's metric in a time, of its cohort or of everybody else."""
    number = evidence.metrics.index(evidence.metric_name)
    mask: Mask = evidence.in_cohort(evidence.cohort)[evidence.leaf] == inside
    mask &= (evidence.metric == number) & (evidence.tick_ms >= start_ms)
    return mask & (evidence.tick_ms < end_ms)


def _level(evidence: IncidentEvidence, rows: Mask) -> tuple[float, float]:
    """Return the complement's ratio to its baseline, drawn towards one, and its error."""
    expected = float(evidence.expected[rows].sum())
    if expected <= 0:
        return 1.0, 0.0
    error = math.sqrt(max(float(evidence.variance[rows].sum()), 1e-9)) / expected
    weight = LEVEL_SPREAD**2 / (LEVEL_SPREAD**2 + error**2)
    level = 1.0 + weight * (float(evidence.observed[rows].sum()) / expected - 1.0)
    return min(max(level, 1 / LEVEL_BOUND), LEVEL_BOUND), math.sqrt(weight) * error


def _dispersion(evidence: IncidentEvidence) -> float:
    """Return how much livelier than binomial the time before the onset was, in blocks."""
    surprise, blocks = 0.0, 0
    start, end = int(evidence.tick_ms.min(initial=0)), evidence.onset_ms
    for inside in (True, False):
        rows = rows_of(evidence, start, end, inside=inside)
        block = (evidence.tick_ms[rows] - start) // (evidence.tick_size_ms * BLOCK_TICKS)
        sums = [
            np.bincount(block, column[rows])
            for column in (evidence.observed, evidence.expected, evidence.variance)
        ]
        observed, expected, variance = (each[sums[1] >= BLOCK_EXPECTED] for each in sums)
        if len(expected) > 1:
            own = expected * observed.sum() / expected.sum()
            surprise += float(((observed - own) ** 2 / np.maximum(variance, 1e-9)).sum())
            blocks += len(expected) - 1
    # Drawn towards one, since so few blocks say little by themselves.
    return min(max((PRIOR_BLOCKS + surprise) / (PRIOR_BLOCKS + blocks), 1.0), MOST_DISPERSION)
