"""The answer in plain sentences: what did it, why we believe so, and what speaks against it."""

from collections.abc import Sequence

from recoup.domain.hypotheses import UNKNOWN_CAUSE, Finding, Hypothesis

REASONS = 3
TELLING = 0.1
RIVAL = 0.1


def sentences(hypotheses: Sequence[Hypothesis]) -> tuple[str, ...]:
    """Return the head, up to three reasons, and what speaks against the first hypothesis."""
    first = hypotheses[0]
    others = [each for each in hypotheses[1:] if each.change_id != UNKNOWN_CAUSE]
    if first.change_id == UNKNOWN_CAUSE:
        return _unknown(first, others)
    head = f"{_name(first)} is the cause with {first.probability:.0%}."
    return (head, *_reasons(first), *_against(first, hypotheses[1:]))


def _unknown(first: Hypothesis, others: Sequence[Hypothesis]) -> tuple[str, ...]:
    head = f"Most likely none of the known changes did it ({first.probability:.0%})."
    seen = tuple(each.text for each in first.findings)
    if not others:
        return (head, *seen, "No change is known from the days before.")
    best = others[0]
    against = [each for each in _by_weight(best) if each.weight < -TELLING]
    why = [f"Against the likeliest, {_name(best)} ({best.probability:.0%}): {each.text}"
           for each in against[-1:]]  # fmt: skip
    why = why or [f"{_name(best)} is the likeliest of them ({best.probability:.0%})."]
    return (head, *seen, *why)


def _reasons(first: Hypothesis) -> list[str]:
    speaking = [each.text for each in _by_weight(first) if each.weight > TELLING]
    compared = [each.text for each in first.findings if each.kind == "difference"]
    return [*speaking[: REASONS - len(compared)], *compared]


def _against(first: Hypothesis, others: Sequence[Hypothesis]) -> list[str]:
    found = [f"Against it: {each.text}" for each in _by_weight(first) if each.weight < -TELLING]
    found = found[-1:]
    if first.indistinguishable_from:
        names = [_name(each) for each in others if each.change_id in first.indistinguishable_from]
        found.append(f"The data cannot tell it from {' and '.join(names)}: they share the odds.")
    elif others and others[0].probability >= RIVAL:
        found.append(f"It may be {_name(others[0])} instead ({others[0].probability:.0%}).")
    return found


def _by_weight(hypothesis: Hypothesis) -> list[Finding]:
    return sorted(hypothesis.findings, key=lambda finding: -finding.weight)


def _name(hypothesis: Hypothesis) -> str:
    return hypothesis.title or hypothesis.change_id
