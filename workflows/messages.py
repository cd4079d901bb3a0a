"""What goes into the incident workflow and what can be asked of it."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from activities.contracts import Applied, Candidate, VerifyPlan
from recoup.domain.base import Frozen, Moment
from recoup.domain.facts import IncidentKind, Resolution, Severity
from recoup.domain.proposals import DecisionAnswer
from workflows.approvals import Gate

SEARCH_ATTRIBUTES = ("RecoupPhase", "RecoupKind", "RecoupSeverity")
"""By what incidents can be found in Temporal; all of them keywords."""


class Phase(StrEnum):
    """Where the workflow is."""

    OPENED = "opened"
    INVESTIGATING = "investigating"
    PROPOSING = "proposing"
    AWAITING_APPROVAL = "awaiting_approval"
    EXECUTING = "executing"
    VERIFYING = "verifying"
    UNDOING = "undoing"
    ESCALATING = "escalating"
    WATCHING = "watching"
    CLOSING = "closing"
    DONE = "done"


class ResponsePolicy(Frozen):
    """The settings of the response as they were when the incident was opened; in shop time.

    ``pace`` is how much faster than the machine the shop's time runs; timers divide by it.
    """

    pace: float = Field(default=1.0, gt=0)
    approval_expires_s: int = 1800
    verify_every_s: int = 60
    verify_within_s: int = 7200
    settle_s: int = 60
    margin: float = 0.03
    reconsider_every_s: int = 180
    watch_for_s: int = 86400
    remind_before_s: int = 0
    most_attempts: int = 3
    most_renewals: int = 1
    most_moves: int = 5
    most_history: int = Field(
        default=0, description="events before a fresh history; 0 leaves it to the server"
    )
    tagged: bool = False


class EvidenceGrew(Frozen):
    """Signal: the detector knows more; ``position`` is that of the fact in the log."""

    position: int
    severity: Severity
    cohort: str


class CohortBack(Frozen):
    """Signal: the detector saw the cohort back at its baseline."""

    position: int
    at: Moment


class ChangeAppeared(Frozen):
    """Signal: a change was recorded while the incident is open."""

    position: int
    change_id: str


class FeedbackNoted(Frozen):
    """Signal: a person said on another surface what the incident was."""

    position: int
    label: str
    by: str
    reason: str = ""


class Book(BaseModel):
    """Everything the workflow remembers; it travels whole when the history gets long."""

    model_config = ConfigDict(extra="forbid")

    phase: Phase = Phase.OPENED
    rankings: int = 0
    ranked_at: Moment | None = None
    candidates: tuple[Candidate, ...] = ()
    tried: tuple[str, ...] = ()
    proposals: int = 0
    wanted_change: str = ""
    wanted_playbook: str = ""
    wanted_by: str = ""
    gate: Gate | None = None
    spent: str = ""
    reminded: str = ""
    plan: VerifyPlan = VerifyPlan()
    applied: tuple[Applied, ...] = ()
    attempts: int = 0
    escalations: int = 0
    verifications: int = 0
    verifying_since: Moment | None = None
    verifying_until: Moment | None = None
    watching_until: Moment | None = None
    trouble: str = ""
    target_moved: bool = False
    moves: int = 0
    handed_over: str = ""
    ask_again: bool = False
    renewals: int = 0
    ending: Resolution | None = None
    summary: str = ""
    feedback_by: str = ""
    feedback_reason: str = ""
    feedback_recorded: bool = False
    paged: bool = False
    reconsider: bool = False
    cohort: str = ""
    severity: Severity | None = None
    answers: dict[str, DecisionAnswer] = Field(default_factory=dict)
    told_version: int = 0
    last_position: int = 0


class IncidentInput(Frozen):
    """Starts the response to one incident; ``book`` is set when a run goes on from another."""

    incident_id: str
    kind: IncidentKind
    severity: Severity
    shadow: bool = False
    cohort: str = ""
    policy: ResponsePolicy = ResponsePolicy()
    book: Book | None = None


class IncidentOutcome(Frozen):
    """How it ended."""

    resolution: Resolution
    summary: str = ""


class IncidentState(Frozen):
    """Answer to the query ``state``: where it stands, for people who look into Temporal."""

    phase: Phase
    proposal_id: str = ""
    still_needed: int = 0
    closes_at: Moment | None = None
    attempts: int = 0
    tried: tuple[str, ...] = ()
    applied: tuple[str, ...] = ()
    resolution: Resolution | None = None


def state_of(book: Book) -> IncidentState:
    """Return where the response stands by its book."""
    gate = book.gate
    is_open = gate is not None and gate.outcome is None
    return IncidentState(
        phase=book.phase,
        proposal_id=gate.proposal.proposal_id if gate else "",
        still_needed=gate.still_needed if gate and is_open else 0,
        closes_at=gate.closes_at if gate and is_open else None,
        attempts=book.attempts,
        tried=book.tried,
        applied=tuple(each.result.target for each in book.applied),
        resolution=book.ending,
    )
