"""What goes into each activity and comes out of it: one frozen model each way."""

from typing import Literal

from recoup.domain.base import Frozen, Moment
from recoup.domain.facts import Resolution
from recoup.domain.ports import VendorReview
from recoup.domain.proposals import ActionCall, ActionPreview, ActionResult, Decision, Proposal


class Nothing(Frozen):
    """The answer of an activity that has nothing to say."""


class InvestigateInput(Frozen):
    """Rank the causes for the ``version``-th time."""

    incident_id: str
    version: int


class Candidate(Frozen):
    """A hypothesis as the workflow needs it; everything else about it is in the log."""

    change_id: str
    probability: float


class Ranking(Frozen):
    """The hypotheses, the most probable first."""

    candidates: tuple[Candidate, ...]


class ProposeInput(Frozen):
    """Put a playbook for one hypothesis before people, as the ``version``-th proposal.

    ``playbook`` names one that a person (``asked_by``) wants; empty leaves the choice to Recoup.
    """

    incident_id: str
    version: int
    change_id: str
    playbook: str = ""
    asked_by: str = ""
    default_expires_s: int = 1800


class VerifyPlan(Frozen):
    """What the chosen playbook says about verification and undo; None leaves it to the settings."""

    settle_s: int | None = None
    every_s: int | None = None
    within_s: int | None = None
    margin: float | None = None
    undo: Literal["reverse", "keep"] = "reverse"


class Proposed(Frozen):
    """A proposal that was recorded, and how its success will be judged."""

    proposal: Proposal
    plan: VerifyPlan
    wake: str = ""
    """Why people have to be woken for it, because nobody is at work; empty when they are."""


class RecordDecisionInput(Frozen):
    """Keep a decision, whatever became of it."""

    decision: Decision
    accepted: bool
    answer: str


class ProposalEnded(Frozen):
    """A proposal expired without a decision."""

    incident_id: str
    proposal_id: str


class ReminderInput(Frozen):
    """Remind people of a proposal that is about to expire (``closes_at`` is in shop time)."""

    incident_id: str
    proposal_id: str


class ApplyInput(Frozen):
    """Carry out one action of an approved proposal."""

    incident_id: str
    proposal_id: str
    call: ActionCall
    preview: ActionPreview
    comment: str = ""


class Applied(Frozen):
    """An action that was carried out: what is needed to take it back."""

    proposal_id: str
    call: ActionCall
    preview: ActionPreview
    result: ActionResult


class FailedAction(Frozen):
    """An action that was not reported as done, in words; whether it took effect is to be found out.

    ``doubtful`` tells that an attempt may have reached the target.
    """

    request: ApplyInput
    kind: str
    reason: str
    doubtful: bool


class Settled(Frozen):
    """What became of a failed action: ``applied`` when it had taken effect after all."""

    applied: Applied | None = None


class Reviewed(Frozen):
    """Where a vendor's own approval stands; ``applied`` once the action was done through it."""

    review: VendorReview
    applied: Applied | None = None


class LookAtReviewInput(Frozen):
    """Look at the vendor's own approval of an action."""

    request: ApplyInput
    review_id: str


class EndReviewInput(Frozen):
    """Wait for the vendor's own approval no longer."""

    request: ApplyInput
    review_id: str


class UndoInput(Frozen):
    """Take one action back."""

    incident_id: str
    applied: Applied
    comment: str = ""


class FailedUndo(Frozen):
    """An action that could not be taken back, in words."""

    incident_id: str
    applied: Applied
    reason: str


class StartVerificationInput(Frozen):
    """Begin the test of the recovery, for the ``round``-th time, ``settle_s`` from now."""

    incident_id: str
    round: int
    settle_s: int = 0


class VerificationBegun(Frozen):
    """From when on the cohort is looked at (shop time)."""

    since: Moment


class CheckInput(Frozen):
    """Look at the cohort once; ``last`` means that no further look follows."""

    incident_id: str
    round: int
    since: Moment
    margin: float
    within_s: int
    last: bool = False


class EscalateInput(Frozen):
    """Hand the incident to people by another way, for the ``round``-th time."""

    incident_id: str
    round: int
    reason: str


class TellInput(Frozen):
    """Show the incident's present state; facts above ``after_version`` are new to the thread."""

    incident_id: str
    after_version: int
    proposal_id: str = ""


class Told(Frozen):
    """Up to which version of the incident people have been told."""

    version: int


class FeedbackInput(Frozen):
    """Keep what a person said the incident was."""

    incident_id: str
    by: str
    reason: str = ""


class CloseInput(Frozen):
    """End the incident."""

    incident_id: str
    resolution: Resolution
    summary: str = ""
