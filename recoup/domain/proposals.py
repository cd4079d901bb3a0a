"""What Recoup proposes to do, who may allow it, and what was decided."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from recoup.domain.base import Frozen, Moment


class ActionCall(Frozen):
    """One action of a playbook with its parameters; the key makes it happen once."""

    key: str
    action: str
    params: dict[str, Any] = Field(default_factory=dict)


class ActionPreview(Frozen):
    """What an action would do, found out without doing it.

    ``before`` is the target's present state, which apply() compares before it writes and undo()
    restores. ``touched`` is a plain sentence on who is affected, ``reach`` how many things change
    with it (a flag and those that depend on it).
    """

    key: str
    action: str
    target: str
    summary: str
    before: dict[str, Any] = Field(default_factory=dict)
    after: dict[str, Any] = Field(default_factory=dict)
    touched: str = ""
    reach: int = 1


class ApprovalRule(Frozen):
    """Who may say yes, how many of them, and until when.

    With ``not_requester`` whoever made the change, or asked for this playbook, is not counted.
    """

    roles: tuple[str, ...] = ("responder", "approver", "admin")
    quorum: int = 1
    expires_after_s: int = 1800
    automatic: bool = False
    not_requester: bool = False


class Rung(StrEnum):
    """How far a playbook is trusted, from looking on to acting by itself."""

    SHADOW = "shadow"
    SUGGEST = "suggest"
    APPROVE = "approve"
    AUTOMATIC = "automatic"


class Proposal(Frozen):
    """A playbook put before people, bound to the state it was computed from.

    ``state_hash`` covers the actions and the recorded state of their targets. ``nonce`` is single
    use. A click that carries another version, hash or nonce is refused as stale.
    ``requested_by`` names who made the change or asked for this playbook. On the rung ``suggest``
    there are no calls: people carry out what is ``suggested``, and Recoup proves it.
    """

    proposal_id: str
    version: int
    incident_id: str
    playbook: str
    change_id: str
    title: str
    reason: str = ""
    risk: str = "low"
    calls: tuple[ActionCall, ...]
    previews: tuple[ActionPreview, ...] = ()
    approval: ApprovalRule = ApprovalRule()
    alternatives: tuple[str, ...] = ()
    requested_by: tuple[str, ...] = ()
    rung: Rung = Rung.APPROVE
    suggested: tuple[ActionPreview, ...] = ()
    state_hash: str
    nonce: str
    made_at: Moment
    expires_at: Moment


class Verdict(StrEnum):
    """What a person can say to a proposal or an incident."""

    APPROVE = "approve"
    REJECT = "reject"
    OTHER_PLAYBOOK = "other_playbook"
    FALSE_POSITIVE = "false_positive"
    ACKNOWLEDGE = "acknowledge"
    SNOOZE = "snooze"


class Person(Frozen):
    """Somebody who decides; ``id`` is stable, ``roles`` are Recoup's own.

    ``known_as`` holds the other names under which they make changes: e-mail, login, chat user.
    """

    id: str
    name: str = ""
    roles: tuple[str, ...] = ()
    known_as: tuple[str, ...] = ()

    def is_one_of(self, names: tuple[str, ...]) -> bool:
        """Tell whether any of these names means this person."""
        mine = {name.casefold() for name in (self.id, *self.known_as)}
        return any(name.casefold() in mine for name in names if name)


class Decision(Frozen):
    """One person's word on one proposal, from whatever surface."""

    decision_id: str
    incident_id: str
    proposal_id: str = ""
    proposal_version: int = 0
    nonce: str = ""
    state_hash: str = ""
    verdict: Verdict
    by: Person
    at: Moment
    surface: str
    reason: str = ""
    playbook: str = ""
    snooze_s: int = 0


class DecisionAnswer(Frozen):
    """What became of a decision; ``text`` is shown to the person who made it."""

    accepted: bool
    text: str
    still_needed: int = 0


class ActionResult(Frozen):
    """What an action did; ``state`` is what undo() compares against before it restores."""

    key: str
    action: str
    target: str
    changed: bool
    state: dict[str, Any] = Field(default_factory=dict)
    detail: str = ""
