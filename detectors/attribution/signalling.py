"""Evidence of kind: which details came up with the harm, what they name, and what breaks so."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from detectors.attribution.exposure import words_of
from detectors.evidence import IncidentEvidence
from detectors.trials import Bools
from recoup.domain.changes import Change, ChangeKind
from recoup.domain.cohort import Cohort
from recoup.domain.storefront import PAYMENT_FAILED, SCRIPT_ERROR

WORDS = {
    "payment_failed": "Payments that failed with",
    "script_error": "Script errors of",
    "api_slow": "Slow calls of",
}
MOST_TIMES = 3.0
"""A detail came up with the harm when it comes at least so many times as often as before."""

LEAST_COUNT = 4
LEAST_EXCESS = 6.0
MIN_OUTSIDE = 200.0
NAMED_BY_CAUSE = 0.25
"""How often a cause's title or reference names what then goes wrong."""

MOST_NAMED = 2.5
_K = ChangeKind

BY_SIGNAL: dict[str, dict[ChangeKind, float]] = {
    SCRIPT_ERROR: {
        _K.DEPLOY: 0.6, _K.FLAG: 0.6, _K.EXPERIMENT: 0.3, _K.CONFIG: 0.1, _K.THIRD_PARTY: -0.2,
        _K.PROMO: -1.2, _K.PRICE: -1.5, _K.CAMPAIGN: -1.5, _K.INVENTORY: -1.5,
    },
    PAYMENT_FAILED: {
        _K.CONFIG: 0.7, _K.THIRD_PARTY: 0.7, _K.DEPLOY: 0.0, _K.FLAG: 0.0, _K.EXPERIMENT: -1.0,
        _K.PROMO: -1.2, _K.PRICE: -1.2, _K.CAMPAIGN: -1.7, _K.INVENTORY: -1.7,
    },
    "api_slow": {
        _K.THIRD_PARTY: 0.7, _K.CONFIG: 0.5, _K.DEPLOY: 0.2, _K.FLAG: -0.2, _K.EXPERIMENT: -1.0,
        _K.PROMO: -1.2, _K.PRICE: -1.5, _K.CAMPAIGN: -1.5, _K.INVENTORY: -1.2,
    },
}  # fmt: skip
"""What a kind of change is likelier, or less likely, to bring about; log-odds."""

BY_STEP: dict[str, dict[ChangeKind, float]] = {
    "payment_attempted->order_completed": {
        _K.CONFIG: 0.3, _K.THIRD_PARTY: 0.4, _K.DEPLOY: 0.1, _K.FLAG: 0.1, _K.EXPERIMENT: -0.4,
        _K.PROMO: -0.8, _K.PRICE: -1.2, _K.CAMPAIGN: -1.2, _K.INVENTORY: -1.7,
    },
    "product_viewed->product_added": {
        _K.INVENTORY: 0.5, _K.PRICE: 0.3, _K.THIRD_PARTY: -0.2, _K.CAMPAIGN: -0.4,
        _K.PROMO: -0.3,
    },
    "page_viewed->product_viewed": {
        _K.INVENTORY: -0.7, _K.PRICE: -0.7, _K.PROMO: -0.5, _K.CAMPAIGN: -0.4, _K.CONFIG: 0.1,
        _K.THIRD_PARTY: 0.2,
    },
}  # fmt: skip
OTHER_STEPS: dict[ChangeKind, float] = {_K.INVENTORY: -0.7, _K.PRICE: -0.1}
SILENCE: dict[ChangeKind, float] = {
    _K.DEPLOY: 0.6, _K.CONFIG: 0.5, _K.THIRD_PARTY: 0.1, _K.FLAG: -0.3, _K.EXPERIMENT: -1.5,
    _K.PROMO: -2.0, _K.PRICE: -2.0, _K.CAMPAIGN: -2.0, _K.INVENTORY: -2.0,
}  # fmt: skip


@dataclass(frozen=True)
class Risen:
    """A detail that came up with the harm."""

    kind: str
    detail: str
    count: int
    usual: float


def risen(evidence: IncidentEvidence, root: Cohort) -> list[Risen]:
    """Return the details that came up in the root cohort with the harm, the strongest first.

    What is usual is reckoned from before, and from those outside the cohort where there are some.
    """
    hit = evidence.in_cohort(root)
    onset = evidence.onset_ms - evidence.tick_size_ms
    counts: dict[tuple[str, str], list[float]] = {}
    for signal in evidence.signals:
        four = counts.setdefault((signal.kind, signal.detail), [0.0] * 4)
        four[2 * int(not hit[signal.leaf]) + int(signal.tick_ms >= onset)] += signal.count
    trials = _trials(evidence, hit, onset)
    found = []
    for (kind, detail), (earlier, since, out_earlier, out_since) in counts.items():
        usual = (earlier + 0.5) / trials[0] * trials[1]
        if trials[2] >= MIN_OUTSIDE and trials[3] >= MIN_OUTSIDE:
            growth = (out_since + 0.5) / trials[3] / ((out_earlier + 0.5) / trials[2])
            usual *= max(1.0, growth)
        if since >= LEAST_COUNT and since >= MOST_TIMES * usual and _excess(since, usual):
            found.append(Risen(kind, detail, round(since), usual))
    return sorted(found, key=lambda each: (-each.count, each.kind, each.detail))


def _trials(evidence: IncidentEvidence, hit: Bools, onset_ms: int) -> list[float]:
    """Return all trials inside before and since, and outside before and since; at least one."""
    inside, since = hit[evidence.leaf], evidence.tick_ms >= onset_ms
    return [
        max(float(evidence.trials[(inside == own) & (since == late)].sum()), 1.0)
        for own in (True, False)
        for late in (False, True)
    ]


def _excess(count: float, usual: float) -> bool:
    """Tell whether a count is beyond chance, as Poisson goes."""
    return count * math.log(count / usual) - (count - usual) >= LEAST_EXCESS


def touches(evidence: IncidentEvidence, up: Sequence[Risen], kind: ChangeKind) -> float:
    """Return the log-odds that a change of this kind shows in this step with these signals."""
    if evidence.metric_name.startswith("volume:"):
        return SILENCE[kind]
    found = BY_STEP.get(evidence.metric_name, OTHER_STEPS).get(kind, 0.0)
    kinds = {each.kind for each in up} | {evidence.metric_name}
    return found + sum(BY_SIGNAL[each].get(kind, 0.0) for each in sorted(kinds & set(BY_SIGNAL)))


def touches_text(evidence: IncidentEvidence, up: Sequence[Risen], weight: float) -> str:
    """Return how the kind of change goes with what is seen, if it says anything."""
    if abs(weight) < 0.25:
        return ""
    seen = f"{_said(up[0])} came up" if up else f"The step {evidence.metric_name} is hit"
    how = "often" if weight > 0 else "seldom"
    return f"{seen}; changes of this kind {how} break a shop in this way."


def _said(each: Risen) -> str:
    """Return a detail in words."""
    return f"{WORDS.get(each.kind, each.kind)} {each.detail!r}"


OUTSIDE = {"provider": "are served by", "region": "are served from"}
"""Dimensions whose values others run for the shop, and how people have to do with them."""

BROUGHT_IN = {
    "payment_failed": "payments failed with {!r}",
    "api_slow": "calls of {!r} were slow",
}


def third_party_text(up: Sequence[Risen], root: Cohort) -> str:
    """Return what makes a third party, whose trouble nobody recorded, a likely unknown cause."""
    served = [f"{OUTSIDE[name]} {value}" for name, value in root.root.items() if name in OUTSIDE]
    seen = [BROUGHT_IN[each.kind].format(each.detail) for each in up if each.kind in BROUGHT_IN]
    if not served and not seen:
        return ""
    who = f"all who are hit {' and '.join(served)}" if served else ""
    why = " and ".join(each for each in (who, *seen[:1]) if each)
    return f"A third party may be in trouble without a record of it: {why}."


class Naming:
    """What the details that came up name, compared with what the changes are called."""

    def __init__(self, up: Sequence[Risen], changes: Sequence[Change]) -> None:
        self._words = [(each, words_of(each.detail)) for each in up if each.kind != "api_slow"]
        self._named = {
            change.id for change in changes if any(words & _own(change) for _, words in self._words)
        }
        self._share = (len(self._named) + 0.5) / (len(changes) + 1.0)

    def feature(self, change: Change) -> float:
        """Return the log-odds that the names speak for; the fewer changes they name, the more."""
        if not self._named:
            return 0.0
        if change.id in self._named:
            found = math.log(NAMED_BY_CAUSE / self._share + (1 - NAMED_BY_CAUSE))
            return min(found, MOST_NAMED)
        return math.log(1 - NAMED_BY_CAUSE)

    def text(self, change: Change) -> str:
        """Return which detail names what a change touches, if one does."""
        if change.id not in self._named:
            return ""
        for each, words in self._words:
            if words & _own(change):
                often = f"{each.count} times since the onset, usually {each.usual:.1f}"
                return f"{_said(each)}: the name is that of what it touches ({often})."
        return ""


def _own(change: Change) -> set[str]:
    return words_of(re.sub(r"_", " ", f"{change.title} {change.ref}"))
