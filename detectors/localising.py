"""Which cohort an alarm is about: up to the parent, or down to the child that explains it."""

from dataclasses import dataclass

import numpy as np

from detectors.trials import Bools, Floats, Ints, TrialTable
from recoup.domain.cohort import Cohort

PENALTY_A_DIM = 2.0
CLEAN_SHARE = 0.35
MIN_EXPECTED = 4.0


@dataclass(frozen=True)
class LeafTallies:
    """Trials, successes, expectation and variance by leaf, since a moment; length L each."""

    leaves: Ints
    dims: tuple[dict[str, str], ...]
    trials: Floats
    observed: Floats
    expected: Floats
    variance: Floats
    sign: float
    """1 where a drop is the harm, -1 where a rise is."""

    def mask(self, cohort: Cohort) -> Bools:
        """Return which leaves belong to a cohort."""
        return np.array([cohort.covers(dims) for dims in self.dims], dtype=bool)

    def shortfall(self, mask: Bools) -> tuple[float, float, float]:
        """Return harm (in successes), expectation and variance of a set of leaves."""
        expected = float(self.expected[mask].sum())
        harm = self.sign * (expected - float(self.observed[mask].sum()))
        return harm, expected, float(self.variance[mask].sum())

    def gain(self, mask: Bools) -> float:
        """Return the approximate log-likelihood ratio of harm in a set of leaves."""
        harm, _, variance = self.shortfall(mask)
        return max(0.0, harm) ** 2 / (2 * max(variance, 0.5))


def tally(
    table: TrialTable, since_ms: int, now_ms: int, all_dims: list[dict[str, str]]
) -> LeafTallies:
    """Return the tallies by leaf of trials exposed since a moment."""
    start = int(np.searchsorted(table.exposed_ms, since_ms))
    share = table.lags.share_by((now_ms - table.exposed_ms[start:]).astype(np.float64))
    p = table.predicted[start:] * share
    leaves, place = np.unique(table.leaf[start:], return_inverse=True)

    def total(weights: Floats) -> Floats:
        sums: Floats = np.bincount(place, weights, len(leaves)).astype(np.float64)
        return sums

    return LeafTallies(
        leaves=leaves,
        dims=tuple(all_dims[leaf] for leaf in leaves),
        trials=total(share),
        observed=total((table.success_ms[start:] >= 0).astype(np.float64)),
        expected=total(p),
        variance=total(p * (1 - p)),
        sign=1.0 if table.direction == "drop" else -1.0,
    )


def find_root(tallies: LeafTallies, start: Cohort, max_dims: int) -> Cohort:
    """Return the cohort that best explains the harm, beginning from one that raised an alarm."""
    best = start
    while (parent := _better_parent(tallies, best)) is not None:
        best = parent
    while len(best) < max_dims and (child := _better_child(tallies, best)) is not None:
        best = child
    return best


def _better_parent(tallies: LeafTallies, cohort: Cohort) -> Cohort | None:
    inside = tallies.mask(cohort)
    share = _harm_share(tallies, inside)
    candidates = []
    for name in cohort.root:
        parent = Cohort({k: v for k, v in cohort.root.items() if k != name})
        rest = tallies.mask(parent) & ~inside
        harm, expected, _ = tallies.shortfall(rest)
        if expected < MIN_EXPECTED:
            # Nearly the same people under a shorter name.
            if tallies.trials[rest].sum() < 0.05 * tallies.trials[inside].sum():
                candidates.append((tallies.gain(rest | inside), parent))
            continue
        if harm / expected > 0.5 * share and tallies.gain(rest) > PENALTY_A_DIM:
            candidates.append((tallies.gain(rest | inside), parent))
    return max(candidates, key=lambda item: (item[0], item[1].label))[1] if candidates else None


def _better_child(tallies: LeafTallies, cohort: Cohort) -> Cohort | None:
    inside = tallies.mask(cohort)
    gain = tallies.gain(inside)
    best: tuple[float, str, Cohort] | None = None
    values = {
        (name, value)
        for dims, used in zip(tallies.dims, inside, strict=True)
        if used
        for name, value in dims.items()
        if name not in cohort.root
    }
    for name, value in sorted(values):
        child = Cohort({**cohort.root, name: value})
        mask = tallies.mask(child)
        rest = inside & ~mask
        if tallies.trials[rest].sum() < 0.1 * tallies.trials[inside].sum():
            continue
        share, rest_share = _harm_share(tallies, mask), _harm_share(tallies, rest)
        better = tallies.gain(mask)
        if better > gain + PENALTY_A_DIM and rest_share < CLEAN_SHARE * share:
            best = max(
                best or (better, child.label, child),
                (better, child.label, child),
                key=lambda item: item[:2],
            )
    return best[2] if best else None


def _harm_share(tallies: LeafTallies, mask: Bools) -> float:
    harm, expected, _ = tallies.shortfall(mask)
    return harm / max(expected, 1e-9)
