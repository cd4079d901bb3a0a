"""The investigation: evidence in steps, cheap first, until more would not change the answer.

An agent in a small sense: it holds beliefs (the ranking), looks at one more kind of evidence, and
updates them; what is left out is what could not change the order any more.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from detectors.attribution.causes import CauseModel, Inquiry
from detectors.attribution.dating import date_onset
from detectors.attribution.explanation import shares
from detectors.attribution.impact import estimate
from detectors.attribution.wording import sentences
from detectors.evidence import IncidentEvidence
from recoup.domain.base import from_ms, to_ms
from recoup.domain.changes import Change
from recoup.domain.hypotheses import UNKNOWN_CAUSE, Attribution, Hypothesis

PLAN: tuple[tuple[str, tuple[str, ...], float], ...] = (
    ("timing", ("time",), math.inf),
    ("scope", ("scope", "outside"), math.inf),
    ("signals", ("touches", "named"), 6.0),
    ("rollout", ("dose",), 2.5),
)
"""Steps: their name, the kinds of evidence, and by how much they can move two suspects apart."""

COMPARED = 2
"""Of so many hypotheses the difference between touched and others is taken: it is for people."""

SURE, OPEN = 0.9, 0.5


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
    found = [step.attribution_so_far for step in steps(evidence, changes, model, explain=explain)]
    answer = found[-1]
    assert answer is not None
    return answer


def steps(
    evidence: IncidentEvidence,
    changes: Sequence[Change],
    model: CauseModel,
    *,
    explain: bool = True,
) -> Iterator[InvestigationStep]:
    """Investigate step by step; the last step carries the answer."""
    impact = estimate(evidence, evidence.cohort, evidence.until_ms)
    yield InvestigationStep(
        "impact",
        f"About {impact.orders_lost.mid:.0f} orders lost since the onset, "
        f"{impact.at_risk_per_hour.text()} at risk per hour.",
    )
    inquiry = Inquiry(evidence, changes, model)
    answer = Attribution(
        roots=(evidence.cohort,),
        hypotheses=inquiry.rank(()),
        impact=impact,
        evidence_until=from_ms(evidence.until_ms),
    )
    known: tuple[str, ...] = ()
    for name, kinds, reach in PLAN:
        if _is_settled(inquiry, known, reach):
            summary = "Left out: it could not change the order any more."
            yield InvestigationStep(name, summary, _detail(answer.hypotheses, len(changes)), answer)
            continue
        known += kinds
        answer = answer.model_copy(update={"hypotheses": inquiry.rank(known)})
        yield InvestigationStep(
            name, _said(inquiry, name, answer), _detail(answer.hypotheses, len(changes)), answer
        )
    answer = _worded(inquiry, answer)
    yield InvestigationStep("comparison", _verdict(answer), {}, answer)
    if explain:
        why = shares(evidence, answer.roots[0])
        carrying = [f"{each.dimension}={each.value}" for each in why if each.contribution > 0]
        yield InvestigationStep(
            "explanation",
            f"The shortfall is carried by {', '.join(carrying[:3]) or 'no single value'}.",
            {},
            answer.model_copy(update={"shares": why}),
        )


def _is_settled(inquiry: Inquiry, known: tuple[str, ...], reach: float) -> bool:
    """Tell whether the first hypothesis leads by more than a further step could turn round."""
    if not known or math.isinf(reach):
        return False
    first, second, *_ = (*inquiry.rank(known), None, None)
    if first is None or second is None:
        return True
    return math.log(max(first.probability, 1e-12) / max(second.probability, 1e-12)) > reach


def _said(inquiry: Inquiry, name: str, answer: Attribution) -> str:
    first = answer.first
    lead = f"{first.title or first.change_id} leads with {first.probability:.0%}"
    if name == "timing":
        near = sum(each.features.get("time", -9.0) > 0 for each in answer.hypotheses)
        return f"{len(inquiry.suspects)} known changes, {near} of them near the onset; {lead}."
    if name == "scope":
        return f"Compared with who is hit: {lead}."
    if name == "signals":
        up = ", ".join(f"{each.kind} {each.detail!r}" for each in inquiry.risen[:2])
        return f"{up or 'No error, reason or slow call'} came up with the harm; {lead}."
    return f"Compared with the steps of each rollout: {lead}."


def _detail(hypotheses: Sequence[Hypothesis], considered: int) -> dict[str, Any]:
    return {
        "considered": considered,
        "beliefs": {each.change_id: round(each.probability, 3) for each in hypotheses[:3]},
    }


def _worded(inquiry: Inquiry, answer: Attribution) -> Attribution:
    """Return the answer with the comparisons for people, its sentences, and onset and impact.

    The causes tell the onset better than the alarm could, and the onset what it costs.
    """
    compared = []
    for place, hypothesis in enumerate(answer.hypotheses):
        finding = inquiry.compared(hypothesis) if place < COMPARED else None
        more = {"findings": (*hypothesis.findings, finding)} if finding else {}
        compared.append(hypothesis.model_copy(update=more))
    onset = date_onset(inquiry.picture, inquiry.suspects, compared, inquiry.evidence.opened_ms)
    since = replace(inquiry.evidence, onset_ms=to_ms(onset.at))
    update = {
        "hypotheses": tuple(compared),
        "sentences": sentences(compared),
        "onset": onset,
        "impact": estimate(since, since.cohort, since.until_ms),
    }
    return answer.model_copy(update=update)


def _verdict(answer: Attribution) -> str:
    first = answer.first
    if first.indistinguishable_from:
        return "These data cannot tell the first hypotheses apart; more trials may."
    if first.probability >= SURE:
        return "Sure enough: more evidence would hardly change the answer."
    if first.probability >= OPEN:
        return "The first hypothesis leads; it is ranked again as evidence grows."
    what = "an unknown cause" if first.change_id == UNKNOWN_CAUSE else "the first hypothesis"
    return f"Open: not even {what} is likelier than not; it is ranked again as evidence grows."
