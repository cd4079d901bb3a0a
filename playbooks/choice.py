"""Which playbook to propose for a hypothesis, and what its parameters come to."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from playbooks.expressions import holds, render
from playbooks.model import RISKS, Playbook
from playbooks.registry import AnyAction
from recoup.domain.changes import Change
from recoup.domain.errors import InvalidInput
from recoup.domain.hypotheses import UNKNOWN_CAUSE, Hypothesis
from recoup.domain.ids import derive_id
from recoup.domain.incident import Incident
from recoup.domain.outcomes import PlaybookRecord
from recoup.domain.proposals import ActionCall

PRIOR_TRIES = 8.0
"""How many tries a playbook's priority counts for, before experience outweighs it."""
HIGHEST_PRIORITY = 120.0
PASSED_OVER = 0.5
"""What it counts when people chose another one: half a failure, for nothing was proven."""


def names_for(
    incident: Incident, hypothesis: Hypothesis | None, change: Change | None
) -> dict[str, Any]:
    """Return what a playbook's expressions can see; plain values only."""
    return {
        "incident": {
            "id": incident.id,
            "kind": str(incident.kind),
            "severity": str(incident.severity),
            "metric": incident.metric,
            "direction": incident.direction,
            "cohort": dict(incident.cohort.root),
            "cohort_label": incident.cohort.label,
            "at_risk_per_hour": incident.at_risk_per_hour.mid,
        },
        "hypothesis": {
            "probability": hypothesis.probability if hypothesis else 0.0,
            "known": hypothesis is not None and hypothesis.change_id != UNKNOWN_CAUSE,
        },
        "change": change.model_dump(mode="json") if change else {},
    }


def names_of_example(
    change: Mapping[str, Any], incident: Mapping[str, Any], probability: float = 0.9
) -> dict[str, Any]:
    """Return what a playbook's expressions see for a change and an incident made up or given."""
    full = {
        "id": "chg_example",
        "kind": "config",
        "time": "2026-01-01T00:00:00Z",
        **change,
    }
    shown = {
        "id": "inc_example",
        "kind": "business",
        "severity": "high",
        "metric": "checkout_started->order_completed",
        "direction": "drop",
        "cohort": {},
        "cohort_label": "everyone",
        "at_risk_per_hour": 1000.0,
        **incident,
    }
    return {
        "incident": shown,
        "hypothesis": {"probability": probability, "known": True},
        "change": Change.model_validate(full).model_dump(mode="json"),
    }


def applicable(library: Mapping[str, Playbook], names: Mapping[str, Any]) -> list[Playbook]:
    """Return the playbooks whose condition holds, the most fitting first."""
    fitting = [playbook for playbook in library.values() if holds(playbook.when, names)]
    return sorted(fitting, key=lambda playbook: (-playbook.priority, playbook.name))


def by_experience(
    fitting: Sequence[Playbook],
    names: Mapping[str, Any],
    records: Mapping[str, PlaybookRecord],
    chance: str,
) -> list[Playbook]:
    """Return fitting playbooks with what experience prefers first, by Thompson sampling.

    Nothing is tried out at production's risk: only playbooks that are exactly as safe as the one
    that would be proposed anyway take part (same risk, approval and undo, and they do something);
    their priorities are the prior. ``chance`` decides the draws, so a repeat chooses the same.
    """
    if not fitting:
        return []
    safety = _safety(fitting[0], names)
    draw = random.Random(chance)  # noqa: S311 - an experiment, not a secret
    peers = [each for each in fitting if each.actions and _safety(each, names) == safety]
    if len(peers) < 2:
        return list(fitting)
    drawn = {each.name: _draw(draw, each, records.get(each.name)) for each in peers}
    peers.sort(key=lambda each: -drawn[each.name])
    return [*peers, *(each for each in fitting if each not in peers)]


def _safety(playbook: Playbook, names: Mapping[str, Any]) -> tuple[object, ...]:
    try:
        return risk_of(playbook, names), playbook.approval, playbook.undo
    except InvalidInput:
        return ("unknown", playbook.name)  # as safe as no other


def _draw(draw: random.Random, playbook: Playbook, record: PlaybookRecord | None) -> float:
    """Return a chance of helping, drawn from what is believed of it."""
    record = record or PlaybookRecord()
    prior = min(max(playbook.priority / HIGHEST_PRIORITY, 0.1), 0.9)
    failed = record.failed + PASSED_OVER * record.passed_over
    return draw.betavariate(PRIOR_TRIES * prior + record.helped, PRIOR_TRIES * (1 - prior) + failed)


def risk_of(playbook: Playbook, names: Mapping[str, Any]) -> str:
    """Return ``low``, ``medium`` or ``high``. Raises InvalidInput for anything else."""
    risk = str(render(playbook.risk, names)).strip()
    if risk not in RISKS:
        raise InvalidInput(f"{playbook.name}: risk came to {risk!r}, not one of {', '.join(RISKS)}")
    return risk


def calls_for(
    playbook: Playbook,
    names: Mapping[str, Any],
    actions: Mapping[str, AnyAction],
    *key_parts: object,
) -> tuple[ActionCall, ...]:
    """Return the actions with their parameters filled in and checked, each with its own key."""
    calls = []
    for number, spec in enumerate(playbook.actions):
        params = render(spec.params, names)
        try:
            checked = actions[spec.action].Params.model_validate(params)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            raise InvalidInput(
                f"{playbook.name}: {spec.action}: {field}: {first['msg']}"
            ) from error
        calls.append(
            ActionCall(
                key=derive_id("act", *key_parts, number),
                action=spec.action,
                params=checked.model_dump(mode="json"),
            )
        )
    return tuple(calls)
