"""``recoup explain``: who is hit, what it costs, what probably did it, and how that was found."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from recoup.cli._shared import (
    AsJson,
    Config,
    Data,
    opened,
    settings_of,
    show_fields,
    show_json,
    show_table,
)
from recoup.domain.errors import NotFound
from recoup.domain.facts import CausesRanked, InvestigationStepTaken, Recorded
from recoup.domain.hypotheses import Attribution, Hypothesis
from recoup.domain.incident import Incident


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(explain)


def explain(
    incident_id: Annotated[str, typer.Argument(help="The incident's id, inc_...")],
    config: Config = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Say who is hit, what it costs, why this change, and what speaks against it.

    Example: recoup explain inc_0123456789abcdef0123
    """
    with opened(settings_of(config, data)) as store:
        incident = store.incidents.get(incident_id)
        facts = store.read_stream(incident_id)
    if incident is None:
        raise NotFound(f"no incident {incident_id!r}; see `recoup incidents list`")
    if as_json:
        show_json(_as_data(incident, facts))
        return
    show_state(incident)
    if incident.attribution is None:
        print("\nThe investigation has not come to a ranking yet.")
    else:
        _show_causes(incident.attribution)
    show_table(
        "How it was found",
        ("time", "step", "what it said"),
        [
            (f"{step['at']:%F %T}", _line(step["step"]), _line(step["summary"]))
            for step in _steps(facts)
        ],
        empty="No step of the investigation yet.",
    )


def show_state(incident: Incident) -> None:
    """Print what is known of an incident, one line each."""
    show_fields({name: _line(text) for name, text in _state(incident).items()})


def _state(incident: Incident) -> dict[str, str]:
    """Return what is known of the incident, one line each; money with its interval."""
    found = incident.attribution
    onset = found.onset if found else None
    state = {
        "incident": incident.id,
        "status": str(incident.resolution or incident.status),
        "what": f"{incident.metric} {incident.direction}: "
        f"{incident.observed:.1%} where {incident.expected:.1%} was expected",
        "for whom": incident.cohort.label,
        "since": f"{incident.onset_at:%F %T} UTC (opened {incident.opened_at:%F %T})",
        "at risk per hour": incident.at_risk_per_hour.text(),
    }
    if found and onset:
        state["since"] = (
            f"{onset.at:%F %T} UTC, between {onset.earliest:%T} and {onset.latest:%T} "
            f"(opened {incident.opened_at:%F %T})"
        )
    if found:
        state["for whom"] = "; ".join(root.label for root in found.roots) or incident.cohort.label
        state["lost so far"] = found.impact.lost_so_far.text()
    if incident.recovered_per_hour:
        state["recovered per hour"] = incident.recovered_per_hour.text()
    return state


def _show_causes(found: Attribution) -> None:
    print()
    for sentence in found.sentences:
        print(f"  {_line(sentence)}")
    print()
    show_table(
        "Causes",
        ("probability", "change", "for it", "against it"),
        [
            (f"{each.probability:.0%}", _name(each), *("\n".join(s) for s in _sides(each)))
            for each in found.hypotheses
        ],
        empty="No hypotheses.",
    )


def _name(hypothesis: Hypothesis) -> str:
    name = _line(hypothesis.title or hypothesis.change_id)
    twins = ", ".join(_line(each) for each in hypothesis.indistinguishable_from)
    return f"{name}\n(cannot be told from {twins})" if twins else name


def _sides(hypothesis: Hypothesis) -> tuple[list[str], list[str]]:
    """Return the sentences for a hypothesis and those against it, the weightiest first."""
    ordered = sorted(hypothesis.findings, key=lambda each: -abs(each.weight))
    return (
        [_line(each.text) for each in ordered if each.weight >= 0],
        [_line(each.text) for each in ordered if each.weight < 0],
    )


def _steps(facts: Sequence[Recorded]) -> list[dict[str, Any]]:
    """Return the steps of the investigation and the rankings they came to, in order."""
    found: list[dict[str, Any]] = []

    def add(at: datetime, step: str, summary: str, detail: dict[str, Any]) -> None:
        found.append({"at": at, "step": step, "summary": summary, "detail": detail})

    for entry in facts:
        fact = entry.fact
        if isinstance(fact, InvestigationStepTaken):
            add(entry.occurred_at, fact.step, fact.summary, fact.detail)
        elif isinstance(fact, CausesRanked):
            first = fact.attribution.hypotheses[:1]
            best = "; ".join(f"{e.title or e.change_id}: {e.probability:.0%}" for e in first)
            add(entry.occurred_at, "ranked", best, {"version": fact.version})
    return found


def _as_data(incident: Incident, facts: Sequence[Recorded]) -> dict[str, Any]:
    found = incident.attribution
    causes = [
        {
            "change_id": each.change_id,
            "kind": each.kind,
            "title": each.title,
            "probability": each.probability,
            "for": (sides := _sides(each))[0],
            "against": sides[1],
            "indistinguishable_from": each.indistinguishable_from,
        }
        for each in (found.hypotheses if found else ())
    ]
    return {
        "incident_id": incident.id,
        "status": incident.resolution or incident.status,
        "metric": incident.metric,
        "direction": incident.direction,
        "expected": incident.expected,
        "observed": incident.observed,
        "cohorts": [root.root for root in (found.roots if found else (incident.cohort,))],
        "onset": found.onset if found and found.onset else {"at": incident.onset_at},
        "at_risk_per_hour": incident.at_risk_per_hour,
        "lost_so_far": found.impact.lost_so_far if found else None,
        "recovered_per_hour": incident.recovered_per_hour,
        "sentences": found.sentences if found else (),
        "causes": causes,
        "steps": _steps(facts),
        "attribution": found,
    }


def _line(text: str) -> str:
    """Return a text from outside as one line that cannot steer a terminal."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
