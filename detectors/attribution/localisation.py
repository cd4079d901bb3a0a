"""Where a table of leaves departs from its forecast: root cohorts by likelihood.

Each leaf has the relative deviation ``(predict - real) / max(predict, real)``. Away from the roots
it scatters around zero; inside one root all leaves share a deviation. A cohort is scored by how
much likelier its leaves are under a shared deviation than under the scatter, less the price of
having searched for it; what the best one explains is taken away, and the search goes on.
"""

import math
from dataclasses import dataclass

import numpy as np

from detectors.attribution.lattice import Bools, Floats, Ints, Lattice

LEAST_SCATTER = 0.004
LEAST_SPREAD = 0.02
MOST_SPREAD = 0.12
STRAY = 0.03
"""The share of a root's leaves that may follow something else, such as another root."""

PRICE = 3.0
PRICE_A_VALUE = 0.5
PRICE_AGAINST_THE_TOTAL = 4.0
SHORTLIST = 24
MOST_ROOTS = 40
HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True)
class LeafTable:
    """Leaves with their actual and their forecast value; ``leaves[i, d]`` indexes ``values[d]``."""

    dimensions: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    leaves: Ints
    real: Floats
    predict: Floats

    def __len__(self) -> int:
        return len(self.real)


def localise(table: LeafTable, max_dims: int = 6) -> list[dict[str, str]]:
    """Return the root cohorts of the deviation, the strongest first; empty when there is none."""
    top = np.maximum(table.real, table.predict)
    told = np.flatnonzero((top > 0) & np.isfinite(top))
    if len(told) < 4:
        return []
    deviation = (table.predict[told] - table.real[told]) / top[told]
    leaves = table.leaves[told]
    depth = min(max_dims, len(table.dimensions))
    lattice = Lattice(leaves, [len(known) for known in table.values], depth)
    total = float(table.predict[told].sum() - table.real[told].sum())
    found = _Search(lattice, deviation, math.copysign(1.0, total)).run()
    named = []
    for number in found:
        cohort = lattice.values(number) or {}
        named.append({table.dimensions[d]: table.values[d][code] for d, code in cohort.items()})
    return named


class _Search:
    """Takes the best cohort, and what it explains away, until nothing pays its price."""

    def __init__(self, lattice: Lattice, deviation: Floats, sign: float) -> None:
        self.lattice, self.u, self.sign = lattice, deviation, sign
        self.free: Bools = np.ones(len(deviation), dtype=bool)
        # The side without the harm is the cleaner sample of the scatter; the middle half of both
        # is what roots distort least.
        clean = np.abs(deviation[deviation * sign <= 0])
        sample = clean if len(clean) >= 30 else np.abs(deviation)
        self.scatter = max(1.4826 * float(np.median(sample)), LEAST_SCATTER)
        self.null = -0.5 * (deviation / self.scatter) ** 2 - math.log(self.scatter) - HALF_LOG_TAU
        self.most_spread = max(MOST_SPREAD, 1.1 * self.scatter)
        self.price = (
            PRICE
            + math.log(len(lattice.cuboids))
            + np.log(np.maximum(lattice.breadth, 1.0))
            + PRICE_A_VALUE * lattice.depth
        )
        ones = np.ones(len(deviation))
        self.weights = (ones, deviation, deviation**2, self.null)
        self.sums = [lattice.sums(weight) for weight in self.weights]
        self.gains = self._quick(np.arange(lattice.total))

    def run(self) -> list[int]:
        """Return the numbers of the roots, the strongest first."""
        roots: list[int] = []
        while len(roots) < MOST_ROOTS:
            best = self._best()
            if best is None:
                break
            roots.append(best)
            self._take(self.lattice.members(best))
        return roots

    def _take(self, members: Ints) -> None:
        gone = members[self.free[members]]
        self.free[gone] = False
        changed = np.flatnonzero(self.lattice.sums(self.weights[0], gone))
        for total, weight in zip(self.sums, self.weights, strict=True):
            total -= self.lattice.sums(weight, gone)
        self.gains[changed] = self._quick(changed)

    def _best(self) -> int | None:
        gains = self.gains
        count = min(SHORTLIST, len(gains) - 1)
        picked = np.argpartition(-gains, count)[:count]
        picked = picked[gains[picked] > 0]
        scored = [(self._exact(int(number)), -int(number)) for number in np.sort(picked)]
        if not scored or max(scored)[0] <= 0:
            return None
        return -max(scored)[1]

    def _quick(self, numbers: Ints) -> Floats:
        """Return the gain of these cohorts from their sums alone, one normal for all leaves."""
        n, first, second, null = (total[numbers] for total in self.sums)
        count = np.maximum(n, 1.0)
        mean = first / count
        variance = np.maximum(second / count - mean**2, 0.0)
        spread = np.clip((n * variance + LEAST_SPREAD**2) / (n + 1), LEAST_SPREAD**2, None)
        spread = np.minimum(spread, self.most_spread**2)
        fit = -0.5 * n * (np.log(2 * math.pi * spread) + variance / spread)
        against = np.where(mean * self.sign < 0, PRICE_AGAINST_THE_TOTAL, 0.0)
        gains: Floats = np.where(n > 0.5, fit - null - self.price[numbers] - against, -np.inf)
        return gains

    def _exact(self, number: int) -> float:
        """Return the gain of one cohort when some of its leaves may be strays."""
        members = self.lattice.members(number)
        members = members[self.free[members]]
        u = self.u[members]
        centre = float(np.median(u))
        spread = float(
            np.clip(1.4826 * np.median(np.abs(u - centre)), LEAST_SPREAD, self.most_spread)
        )
        inside = -0.5 * ((u - centre) / spread) ** 2 - math.log(spread) - HALF_LOG_TAU
        gain = np.logaddexp(
            math.log(1 - STRAY) + inside - self.null[members], math.log(STRAY) + 0.0 * inside
        ).sum()
        against = PRICE_AGAINST_THE_TOTAL if centre * self.sign < 0 else 0.0
        return float(gain - self.price[number] - against)
