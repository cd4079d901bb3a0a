"""Which incident of a backtest speaks of which fault."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from recoup.demo.world.truth import Truth
from recoup.domain.base import Moment
from recoup.domain.hypotheses import UNKNOWN_CAUSE

GRACE = timedelta(minutes=60)
"""How long after its end a fault may still be noticed."""

BUSINESS = "business"


class Cause(BaseModel):
    """One hypothesis of an incident; no ``change_id`` means that no known change did it."""

    model_config = ConfigDict(frozen=True)
    change_id: str | None = None
    kind: str | None = None
    probability: float

    @property
    def is_none(self) -> bool:
        """Tell whether this is the hypothesis that none of the known changes did it."""
        return self.change_id in (None, "", "none", UNKNOWN_CAUSE)


class Claim(BaseModel):
    """One incident as the backtest writes it; ``asked`` is the cohort people were asked about."""

    model_config = ConfigDict(frozen=True)
    id: str
    opened_at: Moment
    onset_at: Moment
    closed_at: Moment | None = None
    metric: str = ""
    cohort: dict[str, str]
    asked: dict[str, str] | None = None
    kind: str
    revenue_at_risk_per_hour: float | None = None
    causes: tuple[Cause, ...] = ()

    @property
    def ranked(self) -> list[Cause]:
        """Return the causes, the most probable first."""
        return sorted(self.causes, key=lambda cause: -cause.probability)


@dataclass
class Pair:
    """A fault and the incident that found it, if any; the others that also spoke of it."""

    truth: Truth
    claim: Claim | None = None
    others: list[Claim] = field(default_factory=list)


@dataclass
class Matched:
    """The faults with what found them, and the incidents that are about nothing."""

    pairs: list[Pair]
    false: list[Claim]


def read_claims(path: Path) -> list[Claim]:
    """Return the incidents of a backtest."""
    return [Claim.model_validate(plain) for plain in json.loads(path.read_text())]


def likeness(one: dict[str, str], other: dict[str, str]) -> float:
    """Return the Jaccard index of two cohorts as sets of ``dimension=value``."""
    first, second = set(one.items()), set(other.items())
    return len(first & second) / len(first | second) if first | second else 1.0


def compatible(one: dict[str, str], other: dict[str, str]) -> bool:
    """Tell whether no dimension that both name has different values."""
    return all(other.get(dim, value) == value for dim, value in one.items())


def speaks_of(claim: Claim, truth: Truth) -> bool:
    """Tell whether an incident may be about a fault: its kind, its time and its cohort fit."""
    in_time = truth.onset <= claim.opened_at <= truth.end + GRACE
    return in_time and claim.kind == truth.kind and compatible(claim.cohort, truth.cohort)


def match(truths: Sequence[Truth], claims: Sequence[Claim]) -> Matched:
    """Give each incident to the fault it fits best; the first to open is the one that found it."""
    pairs = [Pair(truth) for truth in truths]
    false = []
    for claim in sorted(claims, key=lambda claim: (claim.opened_at, claim.id)):
        fitting = [pair for pair in pairs if speaks_of(claim, pair.truth)]
        if not fitting:
            false.append(claim)
            continue
        best = max(fitting, key=lambda pair: _fit(pair, claim))
        if best.claim is None:
            best.claim = claim
        else:
            best.others.append(claim)
    return Matched(pairs, false)


def _fit(pair: Pair, claim: Claim) -> tuple[float, bool, float]:
    """Prefer the likest cohort, then a fault nothing has found yet, then the nearest onset."""
    apart = abs((claim.onset_at - pair.truth.onset).total_seconds())
    return likeness(claim.cohort, pair.truth.cohort), pair.claim is None, -apart
