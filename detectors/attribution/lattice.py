"""The lattice of cohorts over a table of leaves: every combination of dimension values, by number.

Cohorts are numbered through all *cuboids* (sets of dimensions), so that one sum over the leaves of
every cohort of a cuboid is one ``bincount``.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

DENSE = 4
"""A cuboid with more possible values than this many times the leaves is numbered by those seen."""


class Lattice:
    """All cohorts of up to ``max_dims`` dimensions; ``leaves[i, d]`` is a code below ``sizes[d]``.

    With ``absent_zero`` the code 0 means that the dimension is absent, so no cohort is made of it.
    """

    def __init__(
        self, leaves: Ints, sizes: Sequence[int], max_dims: int, *, absent_zero: bool = False
    ) -> None:
        self.leaves = leaves
        self.cuboids: list[tuple[int, ...]] = []
        self.codes: list[Ints] = []
        self.starts: list[int] = []
        self.counts: list[int] = []
        self.total = 0
        self._absent_zero = absent_zero
        for size in range(1, max_dims + 1):
            for dims in combinations(range(len(sizes)), size):
                self._add(dims, sizes)
        self.depth: Ints = np.repeat([len(dims) for dims in self.cuboids], self.counts)
        self.breadth: Floats = np.repeat(
            np.array(self.counts, dtype=np.float64), np.array(self.counts, dtype=np.int64)
        )

    def _add(self, dims: tuple[int, ...], sizes: Sequence[int]) -> None:
        code = np.zeros(len(self.leaves), dtype=np.int64)
        space = 1
        for d in dims:
            code = code * sizes[d] + self.leaves[:, d]
            space *= sizes[d]
        if space > DENSE * max(len(code), 16):
            kept, code = np.unique(code, return_inverse=True)
            space = len(kept)
        self.cuboids.append(dims)
        self.codes.append(code.astype(np.int64))
        self.starts.append(self.total)
        self.counts.append(space)
        self.total += space

    def sums(self, weights: Floats, rows: Ints | None = None) -> Floats:
        """Return the sum of a leaf weight over every cohort; only over some rows if given."""
        out = np.empty(self.total)
        used = weights if rows is None else weights[rows]
        for code, start, count in zip(self.codes, self.starts, self.counts, strict=True):
            picked = code if rows is None else code[rows]
            out[start : start + count] = np.bincount(picked, used, count)
        return out

    def members(self, number: int) -> Ints:
        """Return the leaves of one cohort."""
        cuboid, code = self._locate(number)
        return np.flatnonzero(self.codes[cuboid] == code)

    def values(self, number: int) -> dict[int, int] | None:
        """Return ``dimension: code`` of one cohort; None when it has no leaf or an absent value."""
        cuboid, _ = self._locate(number)
        members = self.members(number)
        if len(members) == 0:
            return None
        found = {d: int(self.leaves[members[0], d]) for d in self.cuboids[cuboid]}
        return None if self._absent_zero and 0 in found.values() else found

    def _locate(self, number: int) -> tuple[int, int]:
        cuboid = int(np.searchsorted(self.starts, number, side="right")) - 1
        return cuboid, number - self.starts[cuboid]
