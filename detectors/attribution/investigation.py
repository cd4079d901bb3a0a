"""The investigation: cheap evidence first, until more would not change the answer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from detectors.attribution.causes import CauseModel, rank
from detectors.attribution.explanation import shares
from detectors.attribution.impact import estimate
from detectors.evidence import IncidentEvidence
from recoup.domain.base import from_ms
from recoup.domain.changes import Change
from recoup.domain.hypotheses import UNKNOWN_CAUSE, Attribution, Hypothesis


@dataclass(frozen=True)
class InvestigationStep:
    """One step: what was looked at, what it said, and the ranking so far."""

    name: str
    summary: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    attribution_so_far: Attribution | None = None


def investigate(
    evidence: IncidentEvidence,
    changes: Sequence[Change],
    model: CauseModel,
    *,
    explain: bool = True,
) -> Attribution:
    """Return who is hit, what it costs and which change did it. Pure; well under a second."""
    root = evidence.cohort
    hypotheses = rank(evidence, root, changes, model)
    return Attribution(
        roots=(root,),
        hypotheses=hypotheses,
        shares=shares(evidence, root) if explain else (),
        sentences=_sentences(hypotheses),
        impact=estimate(evidence, root, evidence.until_ms),
        evidence_until=from_ms(evidence.until_ms),
    )


def steps(
    evidence: IncidentEvidence, changes: Sequence[Change], model: CauseModel
) -> Iterator[InvestigationStep]:
    """Investigate step by step; the last step carries the answer."""
    impact = estimate(evidence, evidence.cohort, evidence.until_ms)
    yield InvestigationStep(
        "impact",
        f"About {impact.orders_lost.mid:.0f} orders lost since the onset, "
        f"{impact.at_risk_per_hour.text()} at risk per hour.",
    )
    found = investigate(evidence, changes, model, explain=False)
    yield InvestigationStep(
        "changes",
        f"{len(changes)} known changes compared by time, scope and signals.",
        {"considered": len(changes)},
        found,
    )
    why = shares(evidence, found.roots[0])
    summary = ", ".join(f"{share.dimension}={share.value}" for share in why[:3])
    yield InvestigationStep(
        "explanation",
        f"The shortfall is carried by {summary or 'no single value'}.",
        {},
        found.model_copy(update={"shares": why}),
    )


def _sentences(hypotheses: Sequence[Hypothesis]) -> tuple[str, ...]:
    first = hypotheses[0]
    if first.change_id == UNKNOWN_CAUSE:
        return ("No known change explains this well.",)
    by_weight = sorted(first.findings, key=lambda finding: -finding.weight)
    reasons = [finding.text for finding in by_weight if finding.weight > 0][:2]
    against = [finding.text for finding in by_weight if finding.weight < 0][:1]
    head = f"{first.title or first.change_id} is the cause with {first.probability:.0%}."
    return (head, *reasons, *(f"Against it: {text}" for text in against))
