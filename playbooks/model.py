"""The shape of a playbook file: when it applies, what it does, who allows it, how it is proven."""

from typing import Any, Literal

from pydantic import Field

from recoup.domain.base import Frozen
from recoup.domain.facts import Severity
from recoup.domain.proposals import Rung
from recoup.domain.trust import LADDER, Ladder

RISKS = ("low", "medium", "high")


class ActionSpec(Frozen):
    """One action with its parameters; text in a parameter may be a ``{{ template }}``."""

    action: str = Field(min_length=1, max_length=100)
    params: dict[str, Any] = Field(default_factory=dict)


class ApprovalSpec(Frozen):
    """Who may say yes, how many, and until when; without ``expires_after_s`` the setting holds.

    ``not_requester`` leaves out whoever made the change or asked for this playbook. ``start`` and
    ``most`` are rungs of trust (shadow, suggest, approve, automatic): after ``promote_after`` good
    outcomes in a row a playbook climbs one, after one bad outcome it falls one. ``automatic`` is
    short for both being automatic; ``severities`` and the calendar limit when it acts unasked.
    """

    roles: tuple[str, ...] = Field(default=("responder", "approver", "admin"), min_length=1)
    quorum: int = Field(default=1, ge=1, le=10)
    expires_after_s: int | None = Field(default=None, ge=60)
    automatic: bool = False
    not_requester: bool = False
    start: Rung | None = None
    most: Rung | None = None
    promote_after: int = Field(default=5, ge=1, le=1000)
    severities: tuple[Severity, ...] = tuple(Severity)
    out_of_hours_roles: tuple[str, ...] = ()

    @property
    def ladder(self) -> Ladder:
        """Where the playbook starts on the ladder of trust, and how far it may climb."""
        usual = Rung.AUTOMATIC if self.automatic else Rung.APPROVE
        start = self.start or usual
        return Ladder(
            start=start,
            most=self.most or max(start, usual, key=LADDER.index),
            promote_after=self.promote_after,
        )


class VerifySpec(Frozen):
    """How the recovery is proven; what is left out comes from the settings."""

    settle_s: int | None = Field(default=None, ge=0)
    every_s: int | None = Field(default=None, ge=1)
    within_s: int | None = Field(default=None, ge=60)
    margin: float | None = Field(default=None, gt=0, lt=1)


class Example(Frozen):
    """A case that the playbook is tested with: given this change, does it apply, and to what?"""

    name: str = Field(min_length=1, max_length=200)
    change: dict[str, Any] = Field(default_factory=dict)
    incident: dict[str, Any] = Field(default_factory=dict)
    applies: bool = True
    risk: str | None = None
    title: str | None = None
    actions: tuple[ActionSpec, ...] | None = None


class Playbook(Frozen):
    """What to do about one sort of cause.

    ``when`` is an expression over ``incident``, ``change`` and ``hypothesis``; of the playbooks
    that apply, the one with the highest ``priority`` is proposed and the others are offered.
    ``undo`` says what happens when the recovery is not proven: ``reverse`` takes the actions back
    in reverse order (each only if nobody changed its target since), ``keep`` leaves them.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{1,63}$")
    title: str = Field(min_length=1, max_length=300)
    description: str = Field(default="", max_length=2000)
    priority: int = Field(default=50, ge=0, le=1000)
    when: str = Field(min_length=1, max_length=2000)
    risk: str = Field(default="low", max_length=500)
    approval: ApprovalSpec = ApprovalSpec()
    actions: tuple[ActionSpec, ...] = Field(default=(), max_length=20)
    undo: Literal["reverse", "keep"] = "reverse"
    verify: VerifySpec = VerifySpec()
    examples: tuple[Example, ...] = ()
