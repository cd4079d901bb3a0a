"""Domain events: facts in the past tense, frozen, with stable names.

The name in ``FACT_TYPES`` is what is stored; renaming a class never touches the log. A fact
whose shape changes gets the next ``schema_version`` and a step in ``recoup.domain.upcasts``.
"""

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from recoup.domain.access_facts import KeyCreated as KeyCreated
from recoup.domain.access_facts import KeyRevoked as KeyRevoked
from recoup.domain.access_facts import SignedIn as SignedIn
from recoup.domain.action_facts import ActionConfirmed as ActionConfirmed
from recoup.domain.action_facts import ActionFailed as ActionFailed
from recoup.domain.action_facts import ActionUndone as ActionUndone
from recoup.domain.action_facts import FreezeSet as FreezeSet
from recoup.domain.action_facts import ResponseResumed as ResponseResumed
from recoup.domain.action_facts import VendorReviewAsked as VendorReviewAsked
from recoup.domain.action_facts import VendorReviewEnded as VendorReviewEnded
from recoup.domain.base import Frozen, Moment
from recoup.domain.changes import Change
from recoup.domain.cohort import Cohort
from recoup.domain.fact_base import Fact as Fact
from recoup.domain.hypotheses import Attribution
from recoup.domain.learning_facts import AlarmTolerated as AlarmTolerated
from recoup.domain.learning_facts import FeedbackGiven as FeedbackGiven
from recoup.domain.learning_facts import FeedbackWithdrawn as FeedbackWithdrawn
from recoup.domain.money import Impact, MoneyRange
from recoup.domain.proposals import ActionPreview, ActionResult, Decision, Proposal
from recoup.domain.shadow_facts import SHADOW_FACTS
from recoup.domain.shadow_facts import LayerAlarmed as LayerAlarmed
from recoup.domain.shadow_facts import ShadowIncidentOpened as ShadowIncidentOpened
from recoup.domain.shadow_facts import ShadowIncidentUpdated as ShadowIncidentUpdated
from recoup.domain.verification import RecoveryCheck


class IncidentKind(StrEnum):
    """What sort of trouble it is; only ``business`` asks anybody."""

    BUSINESS = "business"
    DATA_QUALITY = "data_quality"
    TRAFFIC = "traffic"


class Severity(StrEnum):
    """How much is at stake; ``critical`` pages at once."""

    CRITICAL = "critical"
    HIGH = "high"
    MODERATE = "moderate"
    LOW = "low"


class Resolution(StrEnum):
    """How an incident ended."""

    RECOVERED = "recovered"
    RECOVERED_ON_ITS_OWN = "recovered_on_its_own"
    REJECTED = "rejected"
    FALSE_POSITIVE = "false_positive"
    ESCALATED = "escalated"
    SHADOW = "shadow"
    NOTED = "noted"


class ChangeRecorded(Fact):
    """The shop was altered by someone or something."""

    type_name = "change.recorded"
    change: Change


class TimePassed(Fact):
    """Nothing arrived until this moment; so that an outage of everything is noticed too."""

    type_name = "clock.time_passed"
    until: Moment


class Alarm(Frozen):
    """A detector's claim that a cohort departs from its baseline.

    ``expected`` and ``observed`` are rates (or counts an hour for volumes) since the onset;
    ``statistic`` is the log evidence, ``threshold`` what it had to reach.
    """

    alarm_id: str
    detector: str
    metric: str
    cohort: Cohort
    direction: Literal["drop", "rise"]
    onset_at: Moment
    raised_at: Moment
    expected: float
    observed: float
    trials: float
    statistic: float
    threshold: float


class AlarmRaised(Fact):
    """A cohort departed from its baseline beyond the false-alarm budget."""

    type_name = "alarm.raised"
    incident_id: str
    alarm: Alarm


class IncidentOpened(Fact):
    """Alarms that belong together were put under one heading."""

    type_name = "incident.opened"
    incident_id: str
    kind: IncidentKind
    severity: Severity
    metric: str
    cohort: Cohort
    direction: Literal["drop", "rise"]
    onset_at: Moment
    opened_at: Moment
    expected: float
    observed: float
    trials: float
    at_risk_per_hour: MoneyRange
    alarm_id: str
    shadow: bool = False


class IncidentUpdated(Fact):
    """More trials sharpened the picture: cohort, onset, rates or severity changed."""

    type_name = "incident.updated"
    incident_id: str
    severity: Severity
    cohort: Cohort
    onset_at: Moment
    expected: float
    observed: float
    trials: float
    at_risk_per_hour: MoneyRange
    until: Moment


class CohortRecovered(Fact):
    """The detector saw the cohort back at its baseline, by the test that had raised the alarm."""

    type_name = "incident.cohort_recovered"
    incident_id: str
    at: Moment
    observed: float
    expected: float


class InvestigationStepTaken(Fact):
    """One step of the investigation: what was looked at, and what it said."""

    type_name = "investigation.step_taken"
    incident_id: str
    step: str
    summary: str
    detail: dict[str, Any] = Field(default_factory=dict)


class CausesRanked(Fact):
    """The hypotheses were put in order of probability."""

    type_name = "incident.causes_ranked"
    incident_id: str
    version: int
    attribution: Attribution


class ProposalMade(Fact):
    """A playbook was put before people."""

    type_name = "proposal.made"
    incident_id: str
    proposal: Proposal


class ApprovalRequested(Fact):
    """People were asked, on a surface, at a place that can be updated later."""

    type_name = "approval.requested"
    incident_id: str
    proposal_id: str
    surface: str
    reference: dict[str, str] = Field(default_factory=dict)


class DecisionTaken(Fact):
    """A person (or a rule, for automatic approval) decided; refused decisions are kept too."""

    type_name = "decision.taken"
    incident_id: str
    decision: Decision
    accepted: bool
    answer: str = ""


class ApprovalExpired(Fact):
    """Nobody decided in time; nothing was done."""

    type_name = "approval.expired"
    incident_id: str
    proposal_id: str


class Escalated(Fact):
    """The incident was handed to people by another way."""

    type_name = "incident.escalated"
    incident_id: str
    to: str
    reason: str


class ActionStarted(Fact):
    """An action is about to touch its target; written before it does."""

    type_name = "action.started"
    incident_id: str
    proposal_id: str
    preview: ActionPreview


class ActionApplied(Fact):
    """An action did what it was to do (or found it done already)."""

    type_name = "action.applied"
    incident_id: str
    proposal_id: str
    result: ActionResult


class VerificationStarted(Fact):
    """The test of the recovery began."""

    type_name = "verification.started"
    incident_id: str
    since: Moment


class VerificationConcluded(Fact):
    """The test of the recovery came to its verdict; the figures it stands on are kept."""

    type_name = "verification.concluded"
    incident_id: str
    check: RecoveryCheck


class IncidentClosed(Fact):
    """The incident ended; what it cost and what was saved, as known at that moment."""

    type_name = "incident.closed"
    incident_id: str
    resolution: Resolution
    closed_at: Moment
    impact: Impact | None = None
    recovered_per_hour: MoneyRange | None = None
    summary: str = ""


class ReportWritten(Fact):
    """The post-incident report was rendered."""

    type_name = "report.written"
    incident_id: str
    markdown: str


class SubjectErased(Fact):
    """A person was forgotten: their key is gone, their pseudonym means nobody any more."""

    type_name = "privacy.subject_erased"
    receipt_id: str
    pseudonym: str
    by: str


class ApprovalReminded(Fact):
    """People were reminded that a proposal is about to expire."""

    type_name = "approval.reminded"
    incident_id: str
    proposal_id: str
    closes_at: Moment


class PlaybookHeld(Fact):
    """A playbook would have been proposed, but is not trusted that far yet; it only looked on."""

    type_name = "playbook.held"
    incident_id: str
    playbook: str
    change_id: str
    reason: str


class RoundTripProven(Fact):
    """A click on the test card of ``recoup doctor`` arrived."""

    type_name = "doctor.round_trip_proven"
    check_id: str
    surface: str
    by: str


FACT_CLASSES: tuple[type[Fact], ...] = (
    ChangeRecorded,
    TimePassed,
    AlarmRaised,
    IncidentOpened,
    IncidentUpdated,
    CohortRecovered,
    InvestigationStepTaken,
    CausesRanked,
    ProposalMade,
    ApprovalRequested,
    DecisionTaken,
    ApprovalExpired,
    Escalated,
    ActionStarted,
    ActionApplied,
    ActionFailed,
    ActionUndone,
    VerificationStarted,
    VerificationConcluded,
    IncidentClosed,
    FeedbackGiven,
    FeedbackWithdrawn,
    AlarmTolerated,
    ReportWritten,
    FreezeSet,
    SubjectErased,
    ApprovalReminded,
    PlaybookHeld,
    RoundTripProven,
    KeyCreated,
    KeyRevoked,
    SignedIn,
    ActionConfirmed,
    VendorReviewAsked,
    VendorReviewEnded,
    *SHADOW_FACTS,
    ResponseResumed,
)

FACT_TYPES: dict[str, type[Fact]] = {cls.type_name: cls for cls in FACT_CLASSES}
"""From the stored name to the class."""


class NewFact(Frozen):
    """A fact about to be appended; appending the same ``fact_id`` again changes nothing."""

    fact_id: str
    fact: Fact = Field(..., repr=True)
    occurred_at: Moment
    actor: str = "recoup"
    correlation_id: str = ""
    causation_id: str = ""


class Recorded(Frozen):
    """A fact as it stands in the log, with its envelope."""

    position: int
    stream: str
    version: int
    fact_id: str
    occurred_at: Moment
    recorded_at: Moment
    actor: str
    correlation_id: str = ""
    causation_id: str = ""
    fact: Fact
