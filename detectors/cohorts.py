"""Cohorts by number: everyone, single values and pairs, and which of them each leaf belongs to."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from detectors.trials import Bools, Floats, Ints
from recoup.domain.cohort import Cohort

EVERYONE_ID = 0
WATCHED_DIMS = 2
"""Cohorts watched at all times; deeper ones are found by drill-down once these show something."""


class CohortIndex:
    """Numbers cohorts as they are first seen; ``of(leaf)`` are those a leaf belongs to."""

    def __init__(self) -> None:
        self.cohorts: list[Cohort] = [Cohort({})]
        self.first_seen_ms: list[int] = [0]
        self._numbers: dict[tuple[tuple[str, str], ...], int] = {(): EVERYONE_ID}
        self._of_leaf: dict[int, Ints] = {}

    def __len__(self) -> int:
        return len(self.cohorts)

    def of(self, leaf: int, dims: dict[str, str], now_ms: int) -> Ints:
        """Return the numbers of the cohorts of a leaf, numbering new ones."""
        known = self._of_leaf.get(leaf)
        if known is None:
            items = tuple(sorted(dims.items()))
            keys = [key for size in range(WATCHED_DIMS + 1) for key in combinations(items, size)]
            known = np.array([self._number(key, now_ms) for key in keys], dtype=np.int64)
            self._of_leaf[leaf] = known
        return known

    def _number(self, key: tuple[tuple[str, str], ...], now_ms: int) -> int:
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.cohorts)
            self.cohorts.append(Cohort(dict(key)))
            self.first_seen_ms.append(now_ms)
        return number

    def sums(
        self, leaf: Ints, values: Floats, dims: Sequence[dict[str, str]], now_ms: int
    ) -> tuple[Ints, Floats]:
        """Sum rows of values (n x E) over the cohorts of their leaves; each cohort once."""
        leaves, place = np.unique(leaf, return_inverse=True)
        totals = np.zeros((len(leaves), values.shape[1]))
        np.add.at(totals, place, values)
        groups = [self.of(int(i), dims[int(i)], now_ms) for i in leaves]
        sizes = np.array([len(group) for group in groups])
        cohorts, where = np.unique(np.concatenate(groups), return_inverse=True)
        sums = np.zeros((len(cohorts), values.shape[1]))
        np.add.at(sums, where, np.repeat(totals, sizes, axis=0))
        return cohorts, sums

    def touching(self, cohort: Cohort) -> Bools:
        """Return which cohorts can share people with one: no dimension has two values."""
        return np.array(
            [
                all(cohort.root.get(name, value) == value for name, value in other.root.items())
                for other in self.cohorts
            ],
            dtype=bool,
        )
