"""Which change did it: every hypothesis with its evidence, combined into probabilities.

Each kind of evidence is a log-likelihood ratio against an unknown cause, which may have come at any
minute of half a day and may have hit any cohort. That no known change did it is one more
hypothesis. A River logistic model starts from weights near one and learns from outcomes.
"""

import math
import pickle
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from river.linear_model import LogisticRegression
from river.optim import SGD

from detectors.attribution.comparing import difference, dose
from detectors.attribution.likelihood import Picture, picture_of
from detectors.attribution.scoping import Fit, Scopes, scope_text
from detectors.attribution.signalling import (
    Naming,
    Risen,
    risen,
    third_party_text,
    touches,
    touches_text,
)
from detectors.attribution.suspects import Suspect, suspects_of
from detectors.attribution.timing import best_step, time_feature, time_text
from detectors.evidence import IncidentEvidence
from recoup.domain.base import to_ms
from recoup.domain.changes import Change, ChangeKind
from recoup.domain.cohort import Cohort
from recoup.domain.hypotheses import UNKNOWN_CAUSE, Finding, Hypothesis

PRIOR_WEIGHTS = {
    "time": 0.95, "scope": 0.9, "outside": 0.9, "touches": 0.65, "named": 0.8, "dose": 1.0,
}  # fmt: skip
KINDS = tuple(PRIOR_WEIGHTS)
"""The kinds of evidence, the cheapest first."""

UNKNOWN_SHARE = 0.3
"""How likely, before any evidence, nobody recorded the cause. With it, what is said of that agrees
with what proves right; a smaller share lets an innocent change near the onset take its place."""

NEAR_MS = 12 * 3_600_000
USUAL_CHANGES = 8
"""With fewer changes than this around, it is the likelier that somebody forgot to record one."""

ALIKE = 0.4
WORTH_NAMING = 0.05
RATE = 0.02


@dataclass
class CauseModel:
    """A River logistic model over the evidence, sensible from the start, learned further."""

    model: LogisticRegression = field(default_factory=LogisticRegression)
    kind_odds: dict[ChangeKind, float] = field(default_factory=dict)
    """By how much a kind of change proved guilty more often than the evidence alone said."""

    @classmethod
    def default(cls) -> "CauseModel":
        """Return the model with its prior weights."""
        model = LogisticRegression(optimizer=SGD(RATE), intercept_lr=0.0)
        model._weights.update(PRIOR_WEIGHTS)
        return cls(model)

    def log_odds(self, features: dict[str, float]) -> float:
        """Return the log-odds of a change with this evidence being the cause."""
        weights = self.model.weights
        return float(sum(weights.get(name, 0.0) * value for name, value in features.items()))

    def weight(self, name: str) -> float:
        """Return what one unit of a kind of evidence counts."""
        return float(self.model.weights.get(name, 0.0))

    def learn(self, features: dict[str, float], *, is_cause: bool) -> None:
        """Learn from a verified outcome."""
        self.model.learn_one(features, is_cause)

    def keep_within(self, least: float, most: float) -> None:
        """Keep every weight within two factors of its prior."""
        for name, prior in PRIOR_WEIGHTS.items():
            weight = min(max(self.weight(name), least * prior), most * prior)
            self.model._weights.update({name: weight})

    def dumps(self) -> bytes:
        """Return the learned state."""
        return pickle.dumps(self.model)

    @classmethod
    def loads(cls, payload: bytes) -> "CauseModel":
        """Return a model from its own dump."""
        return cls(pickle.loads(payload))  # noqa: S301 - our own dump, checksummed by the store


@dataclass(frozen=True)
class Seen:
    """What one incident's tallies say, whatever the changes were."""

    picture: Picture
    scopes: Scopes
    risen: list[Risen]

    @classmethod
    def of(cls, evidence: IncidentEvidence, root: Cohort) -> "Seen":
        """Return what is seen of an incident."""
        picture = picture_of(evidence, root)
        return cls(picture, Scopes(evidence, root, picture), risen(evidence, root))


class Inquiry:
    """One incident's hypotheses, weighed by more and more kinds of evidence."""

    def __init__(
        self,
        evidence: IncidentEvidence,
        changes: Sequence[Change],
        model: CauseModel,
        seen: Seen | None = None,
    ) -> None:
        seen = seen or Seen.of(evidence, evidence.cohort)
        self.evidence, self.model = evidence, model
        self.picture, self._scopes, self.risen = seen.picture, seen.scopes, seen.risen
        self.suspects: list[Suspect] = suspects_of(changes)
        self._fits: dict[str, Fit] = {}
        self._naming = Naming(self.risen, [each.change for each in self._near()])

    def rank(self, kinds: Collection[str] = KINDS) -> tuple[Hypothesis, ...]:
        """Return every hypothesis with its probability by these kinds, the most probable first."""
        prior = math.log((1 - UNKNOWN_SHARE) / max(len(self._near()), USUAL_CHANGES))
        scored = []
        for suspect in self.suspects:
            features = self.features(suspect, kinds)
            odds = prior + self.model.log_odds(features)
            odds += self.model.kind_odds.get(suspect.change.kind, 0.0)
            scored.append((odds, self._hypothesis(suspect, features)))
        scored.append((math.log(UNKNOWN_SHARE), self._unknown(kinds)))
        return _normalised(scored)

    def _unknown(self, kinds: Collection[str]) -> Hypothesis:
        text = third_party_text(self.risen, self.evidence.cohort) if "touches" in kinds else ""
        return Hypothesis(
            change_id=UNKNOWN_CAUSE,
            title="none of the known changes",
            probability=0.0,
            findings=(Finding(kind="third_party", weight=0.0, text=text),) if text else (),
        )

    def features(self, suspect: Suspect, kinds: Collection[str] = KINDS) -> dict[str, float]:
        """Return the evidence about one suspect as numbers, each a log-odds over the unknown."""
        found: dict[str, float] = {}
        if "time" in kinds:
            found["time"] = time_feature(self.picture, suspect.times_ms)
        if "scope" in kinds or "outside" in kinds:
            fit = self._fit(suspect)
            found |= {"scope": fit.total - fit.outside, "outside": fit.outside}
        if "touches" in kinds:
            found["touches"] = touches(self.evidence, self.risen, suspect.change.kind)
        if "named" in kinds:
            found["named"] = self._naming.feature(suspect.change)
        if "dose" in kinds:
            found["dose"] = dose(self.evidence, self._scopes.hit, suspect.times_ms)
        return {name: value for name, value in found.items() if name in kinds}

    def _near(self) -> list[Suspect]:
        since = self.evidence.onset_ms - NEAR_MS
        return [each for each in self.suspects if each.times_ms[-1] >= since]

    def _fit(self, suspect: Suspect) -> Fit:
        if suspect.change.id not in self._fits:
            self._fits[suspect.change.id] = self._scopes.fit(suspect.change)
        return self._fits[suspect.change.id]

    def _hypothesis(self, suspect: Suspect, features: dict[str, float]) -> Hypothesis:
        step = suspect.changes[best_step(self.picture, suspect.times_ms)]
        texts = self._texts(suspect, step, features)
        findings = tuple(
            Finding(kind=name, weight=self.model.weight(name) * features.get(name, 0.0), text=text)
            for name, text in texts.items()
            if text
        )
        return Hypothesis(
            change_id=step.id,
            kind=step.kind,
            title=step.title,
            probability=0.0,
            findings=findings,
            features=features,
        )

    def _texts(self, suspect: Suspect, step: Change, features: dict[str, float]) -> dict[str, str]:
        texts = {}
        if "time" in features:
            texts["time"] = time_text(self.picture, to_ms(step.time))
        if "scope" in features:
            texts["scope"] = scope_text(self._fit(suspect))
        if "outside" in features and features["outside"] < -1.0:
            texts["outside"] = "Part of the harm lies where it does not reach."
        if "touches" in features:
            texts["touches"] = touches_text(self.evidence, self.risen, features["touches"])
        if "named" in features:
            texts["named"] = self._naming.text(suspect.change)
        if features.get("dose"):
            grows = "grew" if features["dose"] > 0 else "did not grow"
            texts["dose"] = f"The harm {grows} with its {len(suspect.changes)} steps."
        return texts

    def compared(self, hypothesis: Hypothesis) -> Finding | None:
        """Return the difference in differences for one hypothesis, if it can be taken."""
        for suspect in self.suspects:
            change = next((c for c in suspect.changes if c.id == hypothesis.change_id), None)
            if change is not None and not self.picture.is_volume:
                found = difference(self.evidence, self._fit(suspect).mask, to_ms(change.time))
                if found is not None:
                    return Finding(kind="difference", weight=0.0, text=found.text())
        return None


def rank(
    evidence: IncidentEvidence, root: Cohort, changes: Sequence[Change], model: CauseModel
) -> tuple[Hypothesis, ...]:
    """Return every hypothesis with its probability, the most probable first."""
    return Inquiry(evidence, changes, model, Seen.of(evidence, root)).rank()


def _normalised(scored: list[tuple[float, Hypothesis]]) -> tuple[Hypothesis, ...]:
    top = max(odds for odds, _ in scored)
    total = sum(math.exp(odds - top) for odds, _ in scored)
    ranked = []
    for odds, hypothesis in scored:
        probability = math.exp(odds - top) / total
        alike = [
            other.change_id
            for near, other in scored
            if other is not hypothesis
            and hypothesis.kind is not None
            and other.kind is not None
            and abs(near - odds) < ALIKE
            and probability > WORTH_NAMING
        ]
        update = {"probability": probability, "indistinguishable_from": tuple(sorted(alike))}
        ranked.append(hypothesis.model_copy(update=update))
    return tuple(sorted(ranked, key=lambda item: (-item.probability, item.change_id)))
