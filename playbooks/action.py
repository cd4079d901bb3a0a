"""What every action is made of: preview, apply, verify and undo, each idempotent by key."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from recoup.domain.base import Frozen
from recoup.domain.errors import StateMoved, VendorNeedsApproval
from recoup.domain.ports import (
    CampaignControl,
    FlagControl,
    ReleaseControl,
    VendorReview,
    WebhookControl,
)
from recoup.domain.proposals import ActionPreview, ActionResult

P = TypeVar("P", bound=Frozen)


@dataclass(frozen=True)
class Controls:
    """What can be acted upon, by capability; which vendor is behind it is no action's business."""

    flags: FlagControl
    campaigns: CampaignControl
    webhooks: WebhookControl
    releases: ReleaseControl


class ActionContext:
    """What an action may use: the ports by capability, and who asks for what.

    ``attempted`` tells that an earlier attempt may have reached the target although its answer
    was lost: an action then looks first, and what it finds done counts as its own doing.
    """

    def __init__(
        self,
        controls: Controls,
        *,
        incident_id: str,
        key: str,
        comment: str = "",
        attempted: bool = False,
    ) -> None:
        self.flags = controls.flags
        self.campaigns = controls.campaigns
        self.webhooks = controls.webhooks
        self.releases = controls.releases
        self.incident_id = incident_id
        self.key = key
        self.comment = comment
        self.attempted = attempted


class Action(ABC, Generic[P]):
    """One thing that can be done to a target, and be taken back.

    ``preview`` finds out without doing; ``apply`` does it if the target still is as previewed and
    raises StateMoved otherwise; ``verify`` tells whether the target is as applied; ``undo``
    restores the recorded state only if nobody changed the target since, and tells whether it did.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    Params: ClassVar[type[Frozen]]
    example: ClassVar[Mapping[str, Any]]
    """Parameters as a playbook would give them; the conformance suite tries the action with them,
    on the flag ``shop/production/new_payment``, the campaign ``120``, the place
    ``memory:shop/web@production`` and any address."""

    @abstractmethod
    async def preview(self, params: P, context: ActionContext) -> ActionPreview:
        """Return what would be done to which target, and the target's present state."""

    @abstractmethod
    async def apply(
        self, params: P, preview: ActionPreview, context: ActionContext
    ) -> ActionResult:
        """Do it, once: compare the target with ``preview.before``, then write.

        Raises VendorNeedsApproval when the vendor wants an approval of its own first.
        """

    async def took_effect(self, params: P, preview: ActionPreview, context: ActionContext) -> bool:
        """Tell whether the target is as the preview promised, and was not before.

        Without a state to compare (a webhook) the answer is no: nobody can tell.
        """
        if not preview.before:
            return False
        present = await self.preview(params, context)
        return present.before != preview.before and all(
            present.before.get(name) == value for name, value in preview.after.items()
        )

    @abstractmethod
    async def verify(self, params: P, result: ActionResult, context: ActionContext) -> bool:
        """Tell whether the target still is as this action left it.

        Raises TransientVendorError while that cannot be told yet, VendorRefused
        (``deploy_failed``) when what was started came to nothing.
        """

    @abstractmethod
    async def undo(
        self, params: P, preview: ActionPreview, result: ActionResult, context: ActionContext
    ) -> bool:
        """Restore the state before, unless somebody changed the target since; tell whether."""

    async def ask_vendor(
        self, params: P, preview: ActionPreview, context: ActionContext
    ) -> VendorReview:
        """Ask for the vendor's own approval; a repeat returns the same request."""
        del params, preview, context
        raise VendorNeedsApproval(f"{self.name} cannot ask the vendor for its approval")

    async def look_at_review(
        self, params: P, review_id: str, context: ActionContext
    ) -> VendorReview:
        """Return where the vendor's approval stands; one that was given is applied first."""
        del params, review_id, context
        raise VendorNeedsApproval(f"{self.name} cannot look at an approval of the vendor")

    async def withdraw_review(self, params: P, review_id: str, context: ActionContext) -> None:
        """Take back a request for the vendor's approval that nobody decided yet."""
        del params, review_id, context


def moved(target: str, expected: object, found: object) -> StateMoved:
    """Return the error that says how a target differs from its preview."""
    return StateMoved(f"{target} is no longer as recorded: expected {expected}, found {found}")


async def note_on_review(rehearsal: Awaitable[None]) -> str:
    """Let the vendor validate a change; return what to add to its summary.

    Raises what the vendor says against the change, except that it wants an approval of its own.
    """
    try:
        await rehearsal
    except VendorNeedsApproval:
        return ", once its vendor's own approval is given"
    return ""
