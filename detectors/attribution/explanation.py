"""Why this cohort: a tree surrogate on what leaves fell short by, explained with SHAP."""

import numpy as np
import numpy.typing as npt

from detectors.evidence import IncidentEvidence
from recoup.domain.cohort import Cohort
from recoup.domain.hypotheses import CohortShare

TREES = 30
DEPTH = 4
SHOWN = 6
WORTH_SHOWING = 0.1
"""A value that carries less of the mean shortfall than this says nothing."""


def shares(evidence: IncidentEvidence, root: Cohort) -> tuple[CohortShare, ...]:
    """Return how much each ``dimension=value`` contributes to the shortfall of the root cohort.

    Contributions are mean SHAP values over the root's leaves, in relative shortfall.
    """
    weight, shortfall = _shortfall(evidence)
    usable = weight > 0.5
    if usable.sum() < 4:
        return ()
    columns, names = _one_hot(evidence)
    used = usable & evidence.in_cohort(root)
    if not used.any():
        return ()
    from shap import TreeExplainer
    from sklearn.ensemble import RandomForestRegressor

    model = RandomForestRegressor(n_estimators=TREES, max_depth=DEPTH, random_state=0)
    model.fit(columns[usable], shortfall[usable], sample_weight=weight[usable])
    values = TreeExplainer(model).shap_values(columns[used], check_additivity=False)
    mean = np.average(values, axis=0, weights=weight[used])
    present = np.average(columns[used], axis=0, weights=weight[used]) > 0.5
    least = WORTH_SHOWING * abs(float(np.average(shortfall[used], weights=weight[used])))
    found = [
        CohortShare(dimension=name, value=value, contribution=float(mean[i]))
        for i, (name, value) in enumerate(names)
        if present[i] and abs(float(mean[i])) >= least
    ]
    return tuple(sorted(found, key=lambda share: -abs(share.contribution))[:SHOWN])


def _shortfall(
    evidence: IncidentEvidence,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    number = evidence.metrics.index(evidence.metric_name)
    rows = (evidence.metric == number) & (evidence.tick_ms >= evidence.onset_ms)
    count = len(evidence.leaves)
    expected = np.bincount(evidence.leaf[rows], evidence.expected[rows], count)
    observed = np.bincount(evidence.leaf[rows], evidence.observed[rows], count)
    weight = np.bincount(evidence.leaf[rows], evidence.trials[rows], count)
    sign = 1.0 if evidence.direction == "drop" else -1.0
    return weight.astype(np.float64), sign * (expected - observed) / np.maximum(expected, 0.5)


def _one_hot(
    evidence: IncidentEvidence,
) -> tuple[npt.NDArray[np.float64], list[tuple[str, str]]]:
    names = [
        (name, value)
        for d, name in enumerate(evidence.dimensions)
        for value in evidence.values[d]
        if value
    ]
    columns = np.zeros((len(evidence.leaves), len(names)))
    for i, (name, value) in enumerate(names):
        d = evidence.dimensions.index(name)
        columns[:, i] = evidence.leaves[:, d] == evidence.values[d].index(value)
    return columns, names
