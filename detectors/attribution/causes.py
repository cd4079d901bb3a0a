"""Which change did it: evidence for each hypothesis, combined into probabilities."""

import math
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from river.linear_model import LogisticRegression

from detectors.attribution.exposure import cohort_mask, scope_mask, words_of
from detectors.evidence import IncidentEvidence
from recoup.domain.base import to_ms
from recoup.domain.changes import Change, ChangeKind
from recoup.domain.cohort import Cohort
from recoup.domain.hypotheses import UNKNOWN_CAUSE, Finding, Hypothesis

FEATURES = ("before", "near", "after", "overlap", "narrow", "disjoint", "named", "difference")
PRIOR_WEIGHTS = {
    "before": -0.035,
    "near": 1.6,
    "after": -5.0,
    "overlap": 4.5,
    "narrow": 0.0,
    "disjoint": -6.0,
    "named": 1.5,
    "difference": 1.0,
}
PRIOR_INTERCEPT = -3.0
UNKNOWN_LOG_ODDS = -2.2
KIND_LOG_ODDS = {
    ChangeKind.DEPLOY: 0.4,
    ChangeKind.FLAG: 0.4,
    ChangeKind.CONFIG: 0.3,
    ChangeKind.THIRD_PARTY: 0.2,
    ChangeKind.EXPERIMENT: 0.1,
    ChangeKind.PROMO: 0.0,
    ChangeKind.PRICE: -0.4,
    ChangeKind.CAMPAIGN: -0.4,
    ChangeKind.INVENTORY: -0.2,
}
NEAR_MS = 10 * 60_000
TOLERATED_MS = 4 * 60_000


@dataclass
class CauseModel:
    """A River logistic model over the evidence, sensible from the start, learned further."""

    model: LogisticRegression = field(default_factory=LogisticRegression)

    @classmethod
    def default(cls) -> "CauseModel":
        """Return the model with its prior weights."""
        model = LogisticRegression(intercept_init=PRIOR_INTERCEPT)
        model._weights.update(PRIOR_WEIGHTS)
        return cls(model)

    def log_odds(self, features: dict[str, float]) -> float:
        """Return the log-odds of a change with this evidence being the cause."""
        weights = self.model.weights
        return float(
            self.model.intercept
            + sum(weights.get(name, 0.0) * value for name, value in features.items())
        )

    def learn(self, features: dict[str, float], *, is_cause: bool) -> None:
        """Learn from a verified outcome."""
        self.model.learn_one(features, is_cause)

    def dumps(self) -> bytes:
        """Return the learned state."""
        return pickle.dumps(self.model)

    @classmethod
    def loads(cls, payload: bytes) -> "CauseModel":
        """Return a model from its own dump."""
        return cls(pickle.loads(payload))  # noqa: S301 - our own dump, checksummed by the store


def rank(
    evidence: IncidentEvidence, root: Cohort, changes: Sequence[Change], model: CauseModel
) -> tuple[Hypothesis, ...]:
    """Return every hypothesis with its probability, the most probable first."""
    scored: list[tuple[float, Hypothesis]] = []
    for change in changes:
        features, findings = gather(evidence, root, change, model)
        log_odds = model.log_odds(features) + KIND_LOG_ODDS[change.kind]
        scored.append(
            (
                log_odds,
                Hypothesis(
                    change_id=change.id,
                    kind=change.kind,
                    title=change.title,
                    probability=0.0,
                    findings=tuple(findings),
                ),
            )
        )
    unknown = Hypothesis(
        change_id=UNKNOWN_CAUSE, title="none of the known changes", probability=0.0
    )
    scored.append((UNKNOWN_LOG_ODDS, unknown))
    top = max(odds for odds, _ in scored)
    total = sum(math.exp(odds - top) for odds, _ in scored)
    ranked = [
        hypothesis.model_copy(update={"probability": math.exp(odds - top) / total})
        for odds, hypothesis in scored
    ]
    return tuple(sorted(ranked, key=lambda item: (-item.probability, item.change_id)))


def gather(
    evidence: IncidentEvidence, root: Cohort, change: Change, model: CauseModel
) -> tuple[dict[str, float], list[Finding]]:
    """Return the evidence about one change: numbers for the model, sentences for people."""
    features = dict.fromkeys(FEATURES, 0.0)
    texts: dict[str, str] = {}
    _time(evidence, change, features, texts)
    _scope(evidence, root, change, features, texts)
    _signals(evidence, root, change, features, texts)
    findings = [
        Finding(kind=name, weight=model.model.weights.get(name, 0.0) * features[name], text=text)
        for name, text in texts.items()
    ]
    return features, findings


def _time(
    evidence: IncidentEvidence, change: Change, features: dict[str, float], texts: dict[str, str]
) -> None:
    lead_ms = evidence.onset_ms - to_ms(change.time)
    minutes = lead_ms / 60_000
    if lead_ms < -TOLERATED_MS:
        features["after"] = min(3.0, -lead_ms / NEAR_MS)
        texts["after"] = f"It came {-minutes:.0f} min after the onset."
    elif abs(lead_ms) <= NEAR_MS:
        features["near"] = 1.0 - abs(lead_ms) / (2 * NEAR_MS)
        texts["near"] = f"It came {abs(minutes):.0f} min from the onset."
    else:
        features["before"] = min(minutes, 240.0)
        texts["before"] = f"It came {minutes:.0f} min before the onset."


def _scope(
    evidence: IncidentEvidence,
    root: Cohort,
    change: Change,
    features: dict[str, float],
    texts: dict[str, str],
) -> None:
    hit, scope = cohort_mask(evidence, root), scope_mask(evidence, change.scope)
    weight = _traffic(evidence)
    both = float(weight[hit & scope].sum())
    either = float(weight[hit | scope].sum())
    covered = both / max(float(weight[hit].sum()), 1e-9)
    if covered < 0.05:
        features["disjoint"] = 1.0
        texts["disjoint"] = "It touches hardly anybody of those who are hit."
        return
    # Everyone is a weak claim: a change without scope explains any cohort a little.
    features["overlap"] = both / max(either, 1e-9) if change.scope else 0.35
    texts["overlap"] = (
        f"It touches {covered:.0%} of those who are hit; they overlap by {both / either:.0%}."
    )


def _traffic(evidence: IncidentEvidence) -> npt.NDArray[np.float64]:
    return np.bincount(evidence.leaf, evidence.trials, len(evidence.leaves)).astype(np.float64)


def _signals(
    evidence: IncidentEvidence,
    root: Cohort,
    change: Change,
    features: dict[str, float],
    texts: dict[str, str],
) -> None:
    hit = cohort_mask(evidence, root)
    mine = words_of(f"{change.title} {change.ref} {change.id}")
    counts: dict[str, int] = {}
    for signal in evidence.signals:
        if signal.tick_ms >= evidence.onset_ms - 60_000 and hit[signal.leaf]:
            counts[signal.detail] = counts.get(signal.detail, 0) + signal.count
    named = [(n, detail) for detail, n in counts.items() if n >= 3 and words_of(detail) & mine]
    if named:
        count, detail = max(named)
        features["named"] = 1.0
        texts["named"] = f"{count} signals since the onset name {detail!r}, which it touches."
