"""Evidence of scope: how well whom a change touches goes with who is hit.

A change breaks all whom it touches, or a part of them, or rarely somebody its scope does not name.
An unknown cause may hit any cohort; so a scope that names just those who are hit says much, the
more cohorts there are, and one that names everybody says next to nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from detectors.attribution.exposure import names_of, scope_mask, values_named
from detectors.attribution.likelihood import Picture, log_mean
from detectors.evidence import IncidentEvidence
from detectors.trials import Bools
from recoup.domain.changes import Change, ChangeKind
from recoup.domain.cohort import Cohort

Scope = Mapping[str, str | list[str]]

ALL_OF_IT, PART_OF_IT, BEYOND_IT = 0.64, 0.356, 0.004
DEPTHS = (0.25, 0.35, 0.2, 0.2)
"""How likely an unknown cause hits everyone, one value, a pair or a triple of values."""

DEEPER = (0.55, 0.3, 0.15)
"""When only a part is hit: how likely it takes one, two or three more dimensions to name it."""

PLAUSIBLE_SHARE = 0.01
SPARSE = 0.5
"""The share of pairs (its square: of triples) of values that anybody has."""

TOUCHED_DIMENSIONS = {
    ChangeKind.DEPLOY: "release",
    ChangeKind.EXPERIMENT: "experiment",
    ChangeKind.CAMPAIGN: "campaign",
    ChangeKind.INVENTORY: "category",
}
"""Which dimension of the events tells who has a change, where its scope does not say."""


@dataclass(frozen=True)
class Fit:
    """How a scope goes with who is hit; log-odds over an unknown cause.

    ``outside`` is the part of it that comes from harm where the change does not reach.
    """

    total: float
    outside: float
    covered: float
    share: float
    mask: Bools
    is_everyone: bool


class Scopes:
    """Judges scopes by one incident's tallies."""

    def __init__(self, evidence: IncidentEvidence, root: Cohort, picture: Picture) -> None:
        self.evidence, self.root, self.picture = evidence, root, picture
        self.hit = evidence.in_cohort(root)
        self.weight = picture.weight
        self.names = names_of(evidence)
        self.whole = picture.explained(self.hit)
        self.log_prior = self._log_prior()

    def fit(self, change: Change) -> Fit:
        """Return how a change's scope, as declared or as its name implies, goes with the harm."""
        declared = self._fit(change.scope)
        implied = [scope for scope in self._implied(change) if scope != change.scope]
        if not implied:
            return declared
        best = max((self._fit(scope) for scope in implied), key=lambda fit: fit.total)
        if best.total <= declared.total:
            return declared
        total = log_mean([(0.5, declared.total), (0.5, best.total)])
        return Fit(total, best.outside, best.covered, best.share, best.mask, False)

    def _fit(self, scope: Scope) -> Fit:
        mask = scope_mask(self.evidence, scope)
        both = self.hit & mask
        hit = max(float(self.weight[self.hit].sum()), 1e-9)
        covered = float(self.weight[both].sum()) / hit
        share = float(self.weight[mask].sum()) / max(float(self.weight.sum()), 1e-9)
        known = [name for name in scope if name in self.evidence.dimensions]
        beyond = math.log(BEYOND_IT)
        if self.picture.is_volume:
            total = math.log(ALL_OF_IT) - self.log_prior if not known else beyond
            return Fit(total, 0.0, covered, share, mask, not known)
        outside = min(self.picture.explained(both) - self.whole, 0.0)
        exact = ALL_OF_IT if len(known) == len(scope) else ALL_OF_IT / 3
        all_of_it = min(self.picture.explained(mask) - self.whole, 0.5) - self.log_prior
        part = outside + self._log_part(known, mask) - self.log_prior
        terms = [(exact, all_of_it), (PART_OF_IT, part), (BEYOND_IT, 0.0)]
        total = log_mean(terms)
        outside = max(outside, min(total, 0.0))
        return Fit(total, outside, covered, share, mask, not known)

    def _implied(self, change: Change) -> list[Scope]:
        """Return scopes that a change's words, or the newness of those who are hit, suggest."""
        text = f"{change.title} {change.ref}"
        found: list[Scope] = []
        for name, value in values_named(self.names, text).items():
            if name not in change.scope:
                found.append({**change.scope, name: value})
        touched = TOUCHED_DIMENSIONS.get(change.kind)
        is_new = self.picture.appeared_ms is not None
        if is_new and touched in self.root.root and touched not in change.scope:
            found.append({**change.scope, touched: self.root.root[touched]})
        return found

    def _log_prior(self) -> float:
        """Return how likely an unknown cause hits just this cohort."""
        depth = min(len(self.root), len(DEPTHS) - 1)
        if depth == 0:
            return math.log(DEPTHS[0])
        everyone = np.ones(len(self.hit), dtype=bool)
        return math.log(DEPTHS[depth]) - self._log_count(depth, everyone, ())

    def _log_part(self, known: list[str], mask: Bools) -> float:
        """Return how likely just the part that is hit is hit, of all parts of a scope."""
        deeper = [name for name in self.root.root if name not in known]
        if not deeper:
            return math.log(0.5)
        depth = min(len(deeper), len(DEEPER))
        return math.log(DEEPER[depth - 1]) - self._log_count(depth, mask, tuple(known))

    def _log_count(self, depth: int, mask: Bools, but: tuple[str, ...]) -> float:
        """Return the log of how many cohorts of so many dimensions are worth telling apart."""
        total = max(float(self.weight[mask].sum()), 1e-9)
        counts = []
        for d, name in enumerate(self.evidence.dimensions):
            if name in but:
                continue
            codes = self.evidence.leaves[mask, d]
            shares = np.bincount(codes, self.weight[mask], len(self.evidence.values[d])) / total
            counts.append(int((shares[1:] >= PLAUSIBLE_SHARE).sum()))
        sizes = np.array(counts or [1], dtype=float)
        single = max(sizes.sum(), 1.0)
        if depth == 1:
            return math.log(single)
        pairs = max((single**2 - (sizes**2).sum()) / 2 * SPARSE, 1.0)
        if depth == 2:
            return math.log(pairs)
        return math.log(max(pairs * single / 3 * SPARSE**2, 1.0))


def scope_text(fit: Fit) -> str:
    """Return whom a change touches, of those who are hit and of all."""
    if fit.is_everyone:
        return "It touches everyone, as far as its scope says."
    if fit.covered < 0.05:
        return "It touches hardly anybody of those who are hit."
    share = f"{fit.share:.0%}" if fit.share >= 0.01 else f"{fit.share:.1%}"
    return f"It touches {fit.covered:.0%} of those who are hit, and {share} of all."
