"""Who is exposed: masks over leaves for cohorts and for the scopes of changes; words in names."""

import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from detectors.evidence import IncidentEvidence
from recoup.domain.cohort import Cohort

_COMMON = frozenset(
    {
        "the",
        "and",
        "for",
        "new",
        "now",
        "set",
        "off",
        "with",
        "from",
        "into",
        "page",
        "shop",
        "site",
        "update",
        "change",
        "flag",
        "deploy",
        "release",
        "version",
        "error",
        "failed",
        "script",
    }
)


def cohort_mask(evidence: IncidentEvidence, cohort: Cohort) -> npt.NDArray[np.bool_]:
    """Return which leaves belong to a cohort."""
    return evidence.in_cohort(cohort)


def scope_mask(
    evidence: IncidentEvidence, scope: Mapping[str, str | list[str]]
) -> npt.NDArray[np.bool_]:
    """Return which leaves a change touches; dimensions the events do not have restrict nothing."""
    mask = np.ones(len(evidence.leaves), dtype=bool)
    for name, wanted in scope.items():
        if name not in evidence.dimensions:
            continue
        d = evidence.dimensions.index(name)
        values = [wanted] if isinstance(wanted, str) else wanted
        codes = [evidence.values[d].index(v) for v in values if v in evidence.values[d]]
        mask &= np.isin(evidence.leaves[:, d], codes)
    return mask


def words_of(text: str) -> set[str]:
    """Return the telling words of a title, a reference or a file name, in lower case."""
    words = {word for word in re.split(r"[^a-z0-9]+", text.lower()) if len(word) > 2}
    return words - _COMMON
