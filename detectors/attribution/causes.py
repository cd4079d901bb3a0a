"""Which change did it: the likelihood of each hypothesis, combined into probabilities.

A change that did it has its time shortly before the onset and its scope where the harm is. Both
are likelihoods of the very tallies that raised the alarm: of the onset given the change's time,
and of who is hit given its scope. That no known change did it is one more hypothesis, whose onset
may be any minute. A River logistic model starts from weights of one and learns from outcomes.
"""

import math
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from river.linear_model import LogisticRegression
from river.optim import SGD

from detectors.attribution.exposure import scope_mask, words_of
from detectors.attribution.likelihood import Picture, interval, log_mean, picture_of
from detectors.evidence import IncidentEvidence
from recoup.domain.base import from_ms, to_ms
from recoup.domain.changes import Change, ChangeKind
from recoup.domain.cohort import Cohort
from recoup.domain.hypotheses import UNKNOWN_CAUSE, Finding, Hypothesis

PRIOR_WEIGHTS = {"time": 1.0, "scope": 1.0, "named": 1.5}
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
UNKNOWN_SHARE = 0.12
WINDOW_MIN = 720.0
"""An unknown cause may have come at any minute of half a day."""

SOON_MIN, LATER_MIN = 5.0, 60.0
SOON_SHARE, LATER_SHARE = 0.75, 0.2
EARLY_MIN = 4.0
"""Clocks differ, and an onset is an estimate: so early may a cause still come after it."""

PART_PRICE = 3.0
"""What it costs to say that a change broke only a part of those it touches."""

LEAST_SCOPE = -12.0
ALIKE = 0.25


@dataclass
class CauseModel:
    """A River logistic model over the evidence, sensible from the start, learned further."""

    model: LogisticRegression = field(default_factory=LogisticRegression)

    @classmethod
    def default(cls) -> "CauseModel":
        """Return the model with its prior weights."""
        model = LogisticRegression(optimizer=SGD(0.02), intercept_lr=0.0)
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
    picture = picture_of(evidence, root)
    since = evidence.onset_ms - int(WINDOW_MIN * 60_000)
    near = sum(to_ms(change.time) >= since for change in changes)
    prior = math.log((1 - UNKNOWN_SHARE) / max(near, 1))
    scored: list[tuple[float, Hypothesis]] = []
    for change in changes:
        features, findings = gather(evidence, root, change, model, picture)
        log_odds = prior + model.log_odds(features) + KIND_LOG_ODDS[change.kind]
        hypothesis = Hypothesis(
            change_id=change.id,
            kind=change.kind,
            title=change.title,
            probability=0.0,
            findings=tuple(findings),
        )
        scored.append((log_odds, hypothesis))
    unknown = Hypothesis(
        change_id=UNKNOWN_CAUSE, title="none of the known changes", probability=0.0
    )
    # Of an unknown cause the scope is whatever is hit, and nothing names it.
    scored.append((math.log(UNKNOWN_SHARE / WINDOW_MIN), unknown))
    return _normalised(scored)


def _normalised(scored: list[tuple[float, Hypothesis]]) -> tuple[Hypothesis, ...]:
    top = max(odds for odds, _ in scored)
    total = sum(math.exp(odds - top) for odds, _ in scored)
    ranked = []
    for odds, hypothesis in scored:
        alike = [
            other.change_id
            for near, other in scored
            if other is not hypothesis and abs(near - odds) < ALIKE and odds > top - 2.0
        ]
        update = {
            "probability": math.exp(odds - top) / total,
            "indistinguishable_from": tuple(sorted(alike)),
        }
        ranked.append(hypothesis.model_copy(update=update))
    return tuple(sorted(ranked, key=lambda item: (-item.probability, item.change_id)))


def gather(
    evidence: IncidentEvidence,
    root: Cohort,
    change: Change,
    model: CauseModel,
    picture: Picture | None = None,
) -> tuple[dict[str, float], list[Finding]]:
    """Return the evidence about one change: numbers for the model, sentences for people."""
    picture = picture or picture_of(evidence, root)
    features: dict[str, float] = {}
    texts: dict[str, str] = {}
    features["time"], texts["time"] = _time(picture, change)
    features["scope"], texts["scope"] = _scope(evidence, root, change, picture)
    features["named"], texts["named"] = _signals(evidence, root, change)
    weights = model.model.weights
    told = {"time": features["time"] + math.log(WINDOW_MIN), "scope": features["scope"] + 1.0}
    return features, [
        Finding(
            kind=name, weight=weights.get(name, 0.0) * told.get(name, features[name]), text=text
        )
        for name, text in texts.items()
        if text
    ]


def _time(picture: Picture, change: Change) -> tuple[float, str]:
    """Return the log density, per minute, of the onset given the change's time."""
    lag = (picture.ticks - to_ms(change.time)) / 60_000
    after = np.maximum(lag, 0.0)
    density = SOON_SHARE / SOON_MIN * np.exp(-after / SOON_MIN)
    density += LATER_SHARE / LATER_MIN * np.exp(-after / LATER_MIN)
    early = np.exp(-np.maximum(-lag, 0.0) / (EARLY_MIN / 3))
    found = float(picture.belief @ (density * early)) + 1e-7
    return math.log(found), _when(picture, change)


def _when(picture: Picture, change: Change) -> str:
    low, high = interval(picture)
    best = int(picture.ticks[int(np.argmax(picture.belief))])
    minutes = (best - to_ms(change.time)) / 60_000
    span = f"between {from_ms(low):%H:%M} and {from_ms(high):%H:%M}"
    if abs(minutes) < 1:
        return f"It came at the onset ({span}, 90 %)."
    order = "before" if minutes > 0 else "after"
    return f"It came {abs(minutes):.0f} min {order} the most likely onset ({span}, 90 %)."


def _scope(
    evidence: IncidentEvidence, root: Cohort, change: Change, picture: Picture
) -> tuple[float, str]:
    """Return the log-likelihood of who is hit given whom the change touches, over the root's."""
    hit, scope = evidence.in_cohort(root), scope_mask(evidence, change.scope)
    known = [name for name in change.scope if name in evidence.dimensions]
    whole = picture.explained(hit)
    all_of_it = picture.explained(scope) - whole
    part_of_it = picture.explained(hit & scope) - whole - PART_PRICE
    found = log_mean([(0.5, min(all_of_it, 0.5)), (0.5, part_of_it)])
    weight = np.bincount(evidence.leaf[picture.rows], evidence.trials[picture.rows], len(hit))
    both = float(weight[hit & scope].sum())
    covered = both / max(float(weight[hit].sum()), 1e-9)
    share = float(weight[scope].sum()) / max(float(weight.sum()), 1e-9)
    if not known:
        text = "It touches everyone, as far as its scope says."
    elif covered < 0.05:
        text = "It touches hardly anybody of those who are hit."
    else:
        text = f"It touches {covered:.0%} of those who are hit, and {share:.0%} of all."
    return max(found, LEAST_SCOPE), text


def _signals(evidence: IncidentEvidence, root: Cohort, change: Change) -> tuple[float, str]:
    hit = evidence.in_cohort(root)
    mine = words_of(f"{change.title} {change.ref} {change.id}")
    counts: dict[str, int] = {}
    for signal in evidence.signals:
        if signal.tick_ms >= evidence.onset_ms - 60_000 and hit[signal.leaf]:
            counts[signal.detail] = counts.get(signal.detail, 0) + signal.count
    named = [(n, detail) for detail, n in counts.items() if n >= 3 and words_of(detail) & mine]
    if not named:
        return 0.0, ""
    count, detail = max(named)
    return 1.0, f"{count} signals since the onset name {detail!r}, which it touches."
