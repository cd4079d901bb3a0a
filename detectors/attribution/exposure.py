"""Who is exposed: masks over leaves for the scopes of changes; words and values in names."""

import re
from collections.abc import Mapping

import numpy as np

from detectors.evidence import IncidentEvidence
from detectors.trials import Bools

_COMMON = frozenset(
    {
        "the", "and", "for", "new", "now", "set", "off", "with",
        "from", "into", "page", "shop", "site", "update", "change", "flag",
        "deploy", "release", "version", "error", "failed", "script", "config", "campaign",
        "promo", "price", "inventory", "experiment", "third", "party", "step", "start",
        "end", "service", "product", "com", "www", "http", "https", "static",
        "assets", "min", "bundle", "api", "index",
    }
)  # fmt: skip
LEAST_LETTERS = 3


def scope_mask(evidence: IncidentEvidence, scope: Mapping[str, str | list[str]]) -> Bools:
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
    return {word for word in words - _COMMON if not word.isdigit()}


Names = list[tuple[str, str, re.Pattern[str]]]
"""Dimension, value, and how a text names it."""


def names_of(evidence: IncidentEvidence) -> Names:
    """Return how each value of each dimension would be named in a text, the longest first."""
    found = [
        (name, value, _pattern(value))
        for d, name in enumerate(evidence.dimensions)
        for value in evidence.values[d]
        if value and _can_be_named(value)
    ]
    return sorted(found, key=lambda each: (-len(each[1]), each[0], each[1]))


def values_named(names: Names, text: str) -> dict[str, str]:
    """Return the values of dimensions that a text names as whole words; the longest of each."""
    found: dict[str, str] = {}
    for dimension, value, pattern in names:
        if dimension not in found and pattern.search(text):
            found[dimension] = value
    return found


def _can_be_named(value: str) -> bool:
    """Tell whether a value says enough; of two letters only such as ``DE`` in capitals do."""
    if value.isdigit():
        return False
    return len(value) >= LEAST_LETTERS or (value.isupper() and value.isalpha())


def _pattern(value: str) -> re.Pattern[str]:
    flags = 0 if len(value) < LEAST_LETTERS else re.IGNORECASE
    return re.compile(rf"(?<![\w.]){re.escape(value)}(?!\w|\.\d)", flags)
