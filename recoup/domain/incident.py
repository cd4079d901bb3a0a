"""The state of an incident, folded from its facts: what pages, messages and commands show."""

from datetime import datetime
from enum import StrEnum
from functools import singledispatch
from typing import Literal

from pydantic import Field

from recoup.domain import facts as f
from recoup.domain.base import Frozen, Moment
from recoup.domain.cohort import Cohort
from recoup.domain.hypotheses import Attribution
from recoup.domain.money import Impact, MoneyRange
from recoup.domain.proposals import ActionResult, Decision, Proposal
from recoup.domain.verification import RecoveryCheck


class Status(StrEnum):
    """Where an incident stands."""

    OPENED = "opened"
    INVESTIGATING = "investigating"
    AWAITING_APPROVAL = "awaiting_approval"
    EXECUTING = "executing"
    VERIFYING = "verifying"
    CLOSED = "closed"


class Incident(Frozen):
    """Everything that is known of an incident at one version of its stream."""

    id: str
    version: int
    status: Status
    kind: f.IncidentKind
    severity: f.Severity
    metric: str
    cohort: Cohort
    direction: Literal["drop", "rise"]
    onset_at: Moment
    opened_at: Moment
    expected: float
    observed: float
    trials: float
    at_risk_per_hour: MoneyRange
    shadow: bool = False
    alarms: tuple[f.Alarm, ...] = ()
    attribution: Attribution | None = None
    attribution_version: int = 0
    proposal: Proposal | None = None
    decisions: tuple[Decision, ...] = ()
    messages: dict[str, dict[str, str]] = Field(default_factory=dict)
    applied: tuple[ActionResult, ...] = ()
    undone: tuple[str, ...] = ()
    action_failures: tuple[str, ...] = ()
    verifying_since: Moment | None = None
    check: RecoveryCheck | None = None
    escalations: tuple[str, ...] = ()
    cohort_recovered_at: Moment | None = None
    resolution: f.Resolution | None = None
    closed_at: Moment | None = None
    impact: Impact | None = None
    recovered_per_hour: MoneyRange | None = None
    feedback: str = ""
    report: str = ""


def ended_unaided(incident_id: str, at: datetime) -> f.IncidentClosed:
    """Return the end of an incident that recovered although nobody acted on it."""
    return f.IncidentClosed(
        incident_id=incident_id,
        resolution=f.Resolution.RECOVERED_ON_ITS_OWN,
        closed_at=at,
    )


def fold(recorded: list[f.Recorded]) -> Incident | None:
    """Return the incident that these facts of one stream add up to, or None without an opening."""
    state: Incident | None = None
    for entry in recorded:
        state = apply(state, entry)
    return state


def apply(state: Incident | None, entry: f.Recorded) -> Incident | None:
    """Return the state after one more fact; facts before the opening are ignored."""
    if isinstance(entry.fact, f.IncidentOpened):
        return _opened(entry.fact, entry.version)
    if state is None:
        return None
    changes = _changes(entry.fact, state)
    return state.model_copy(update={**changes, "version": entry.version})


def _opened(fact: f.IncidentOpened, version: int) -> Incident:
    return Incident(
        id=fact.incident_id,
        version=version,
        status=Status.OPENED,
        kind=fact.kind,
        severity=fact.severity,
        metric=fact.metric,
        cohort=fact.cohort,
        direction=fact.direction,
        onset_at=fact.onset_at,
        opened_at=fact.opened_at,
        expected=fact.expected,
        observed=fact.observed,
        trials=fact.trials,
        at_risk_per_hour=fact.at_risk_per_hour,
        shadow=fact.shadow,
    )


@singledispatch
def _changes(_fact: f.Fact, _state: Incident) -> dict[str, object]:
    return {}


@_changes.register
def _(fact: f.AlarmRaised, state: Incident) -> dict[str, object]:
    return {"alarms": (*state.alarms, fact.alarm)}


@_changes.register
def _(fact: f.IncidentUpdated, _state: Incident) -> dict[str, object]:
    names = ("severity", "cohort", "onset_at", "expected", "observed", "trials", "at_risk_per_hour")
    return {name: getattr(fact, name) for name in names}


@_changes.register
def _(fact: f.CohortRecovered, _state: Incident) -> dict[str, object]:
    return {"cohort_recovered_at": fact.at}


@_changes.register
def _(_fact: f.InvestigationStepTaken, state: Incident) -> dict[str, object]:
    return {"status": Status.INVESTIGATING} if state.status is Status.OPENED else {}


@_changes.register
def _(fact: f.CausesRanked, state: Incident) -> dict[str, object]:
    early = state.status in (Status.OPENED, Status.INVESTIGATING)
    onset = fact.attribution.onset
    return {
        "onset_at": onset.at if onset else state.onset_at,
        "attribution": fact.attribution,
        "attribution_version": fact.version,
        "impact": fact.attribution.impact,
        "status": Status.INVESTIGATING if early else state.status,
    }


@_changes.register
def _(fact: f.ProposalMade, _state: Incident) -> dict[str, object]:
    return {"proposal": fact.proposal, "status": Status.AWAITING_APPROVAL}


@_changes.register
def _(fact: f.ApprovalRequested, state: Incident) -> dict[str, object]:
    return {"messages": {**state.messages, fact.surface: fact.reference}}


@_changes.register
def _(fact: f.DecisionTaken, state: Incident) -> dict[str, object]:
    return {"decisions": (*state.decisions, fact.decision)} if fact.accepted else {}


@_changes.register
def _(_fact: f.ActionStarted, _state: Incident) -> dict[str, object]:
    return {"status": Status.EXECUTING}


@_changes.register
def _(fact: f.ActionApplied, state: Incident) -> dict[str, object]:
    return {"applied": (*state.applied, fact.result)}


@_changes.register
def _(fact: f.ActionFailed, state: Incident) -> dict[str, object]:
    return {"action_failures": (*state.action_failures, f"{fact.action}: {fact.reason}")}


@_changes.register
def _(fact: f.ActionUndone, state: Incident) -> dict[str, object]:
    return {"undone": (*state.undone, fact.key)}


@_changes.register
def _(fact: f.VerificationStarted, _state: Incident) -> dict[str, object]:
    return {"verifying_since": fact.since, "status": Status.VERIFYING}


@_changes.register
def _(fact: f.VerificationConcluded, _state: Incident) -> dict[str, object]:
    return {"check": fact.check, "recovered_per_hour": fact.check.recovered_per_hour}


@_changes.register
def _(fact: f.Escalated, state: Incident) -> dict[str, object]:
    return {"escalations": (*state.escalations, fact.to)}


@_changes.register
def _(fact: f.FeedbackGiven, _state: Incident) -> dict[str, object]:
    return {"feedback": fact.label}


@_changes.register
def _(_fact: f.FeedbackWithdrawn, _state: Incident) -> dict[str, object]:
    return {"feedback": ""}


@_changes.register
def _(fact: f.ReportWritten, _state: Incident) -> dict[str, object]:
    return {"report": fact.markdown}


@_changes.register
def _(fact: f.IncidentClosed, state: Incident) -> dict[str, object]:
    return {
        "status": Status.CLOSED,
        "resolution": fact.resolution,
        "closed_at": fact.closed_at,
        "impact": fact.impact or state.impact,
        "recovered_per_hour": fact.recovered_per_hour or state.recovered_per_hour,
    }
