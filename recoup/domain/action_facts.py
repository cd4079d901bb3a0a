"""Facts around actions: failed, taken back, found in place, held for a vendor's yes, forbidden."""

from typing import Literal

from recoup.domain.fact_base import Fact


class ActionFailed(Fact):
    """An action could not be carried out; the target is as it was, or the reason says how it is."""

    type_name = "action.failed"
    incident_id: str
    proposal_id: str
    key: str
    action: str
    kind: str
    reason: str


class ActionUndone(Fact):
    """An action was taken back; not ``restored`` when somebody had changed the target since."""

    type_name = "action.undone"
    incident_id: str
    proposal_id: str
    key: str
    action: str
    restored: bool
    reason: str = ""
    target: str = ""


class ActionConfirmed(Fact):
    """After an action its target was read again; ``holds``: it is as the action left it."""

    type_name = "action.confirmed"
    incident_id: str
    proposal_id: str
    key: str
    action: str
    target: str
    holds: bool


class VendorReviewAsked(Fact):
    """A vendor wants its own approval before an action, and was asked for it."""

    type_name = "action.vendor_review_asked"
    incident_id: str
    proposal_id: str
    key: str
    action: str
    target: str
    review_id: str
    url: str = ""


class VendorReviewEnded(Fact):
    """The vendor's own approval was given and applied, was declined, or is no longer waited for."""

    type_name = "action.vendor_review_ended"
    incident_id: str
    proposal_id: str
    key: str
    action: str
    review_id: str
    status: Literal["applied", "declined", "withdrawn"]


class ResponseResumed(Fact):
    """The workflow of an open incident was lost; a new one goes on from the log, in this phase."""

    type_name = "incident.response_resumed"
    incident_id: str
    phase: str


class FreezeSet(Fact):
    """Somebody forbade (or allowed again) every action."""

    type_name = "freeze.set"
    frozen: bool
    by: str
    reason: str = ""
