"""What every action is made of: preview, apply, verify and undo, each idempotent by key."""

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

from recoup.domain.base import Frozen
from recoup.domain.errors import StateMoved
from recoup.domain.ports import CampaignControl, FlagControl, WebhookControl
from recoup.domain.proposals import ActionPreview, ActionResult

P = TypeVar("P", bound=Frozen)


class ActionContext:
    """What an action may use: the ports by capability, and who asks for what.

    ``attempted`` tells that an earlier attempt may have reached the target although its answer
    was lost: an action then looks first, and what it finds done counts as its own doing.
    """

    def __init__(
        self,
        *,
        flags: FlagControl,
        campaigns: CampaignControl,
        webhooks: WebhookControl,
        incident_id: str,
        key: str,
        comment: str = "",
        attempted: bool = False,
    ) -> None:
        self.flags = flags
        self.campaigns = campaigns
        self.webhooks = webhooks
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

    @abstractmethod
    async def preview(self, params: P, context: ActionContext) -> ActionPreview:
        """Return what would be done to which target, and the target's present state."""

    @abstractmethod
    async def apply(
        self, params: P, preview: ActionPreview, context: ActionContext
    ) -> ActionResult:
        """Do it, once: compare the target with ``preview.before``, then write."""

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
        """Tell whether the target still is as this action left it."""

    @abstractmethod
    async def undo(
        self, params: P, preview: ActionPreview, result: ActionResult, context: ActionContext
    ) -> bool:
        """Restore the state before, unless somebody changed the target since; tell whether."""


def moved(target: str, expected: object, found: object) -> StateMoved:
    """Return the error that says how a target differs from its preview."""
    return StateMoved(f"{target} is no longer as recorded: expected {expected}, found {found}")
