"""What verified outcomes teach the attribution: the weight of each evidence, and of each kind.

The model starts from its prior weights and is taught each outcome in order, so it is a function of
the log. It may come to trust one sort of evidence more or less, but never to turn it around.
"""

import math
from collections import Counter
from collections.abc import Sequence

from detectors.attribution.causes import PRIOR_WEIGHTS, CauseModel
from recoup.domain.changes import ChangeKind
from recoup.domain.hypotheses import Hypothesis
from recoup.domain.outcomes import Outcome

LEAST_SHARE, MOST_SHARE = 0.4, 2.0
"""How far a weight may move from its prior, as a factor."""
LARGEST_FEATURE = 4.0
KIND_PRIOR = 6.0
MOST_KIND_ODDS = 1.0


class CauseTeacher:
    """Teaches a model from outcomes as they come."""

    def __init__(self) -> None:
        self.model = CauseModel.default()
        self.seen = 0
        """How many outcomes it was shown, also those that proved nothing of a change."""
        self._tried: Counter[ChangeKind] = Counter()
        self._guilty: Counter[ChangeKind] = Counter()

    def teach(self, outcomes: Sequence[Outcome]) -> None:
        """Take in what was proven; attempts that touched nothing prove nothing of a change."""
        for each in outcomes:
            self.seen += 1
            if each.helped is None or not each.acted or each.tested is None:
                continue
            self._learn(each.tested, is_cause=each.helped)
            if each.helped:
                # One cause was found, so the others were none; only the likeliest is told from it.
                for other in each.others[:1]:
                    self._learn(other, is_cause=False)
            self._count(each.tested, is_cause=each.helped)
        self.model.kind_odds = {kind: self._odds_of(kind) for kind in self._tried}

    def _learn(self, hypothesis: Hypothesis, *, is_cause: bool) -> None:
        features = {
            name: min(max(value, -LARGEST_FEATURE), LARGEST_FEATURE)
            for name, value in hypothesis.features.items()
            if name in PRIOR_WEIGHTS
        }
        if features:
            self.model.learn(features, is_cause=is_cause)
            self.model.keep_within(LEAST_SHARE, MOST_SHARE)

    def _count(self, hypothesis: Hypothesis, *, is_cause: bool) -> None:
        if hypothesis.kind is not None:
            self._tried[hypothesis.kind] += 1
            self._guilty[hypothesis.kind] += is_cause

    def _odds_of(self, kind: ChangeKind) -> float:
        """Return the log-odds by which a kind proved guilty more often than all kinds together."""
        usual = (sum(self._guilty.values()) + 1.0) / (sum(self._tried.values()) + 2.0)
        share = (self._guilty[kind] + KIND_PRIOR * usual) / (self._tried[kind] + KIND_PRIOR)
        odds = math.log(share / (1 - share)) - math.log(usual / (1 - usual))
        return min(max(odds, -MOST_KIND_ODDS), MOST_KIND_ODDS)
