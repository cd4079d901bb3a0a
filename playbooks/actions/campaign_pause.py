"""Pauses an advertising campaign, so that no more money sends people to a broken shop."""

from typing import ClassVar

from pydantic import Field

from playbooks.action import Action, ActionContext, moved
from recoup.domain.base import Frozen
from recoup.domain.ports import CampaignState
from recoup.domain.proposals import ActionPreview, ActionResult


class CampaignPauseParams(Frozen):
    """Which campaign, and whether it is to run."""

    campaign_id: str = Field(min_length=1)
    active: bool = False


class CampaignPause(Action[CampaignPauseParams]):
    """Pauses (or resumes) a campaign; undo restores what it was before, and nothing else."""

    name: ClassVar[str] = "campaign_pause"
    title: ClassVar[str] = "Pause an advertising campaign"
    Params: ClassVar[type[Frozen]] = CampaignPauseParams

    async def preview(self, params: CampaignPauseParams, context: ActionContext) -> ActionPreview:
        """Read the campaign; say what pausing it would change."""
        state = await context.campaigns.read(params.campaign_id)
        verb = "Resume" if params.active else "Pause"
        name = state.name or state.campaign_id
        summary = f"{verb} campaign {name} on {state.platform}"
        if state.active == params.active:
            summary = f"Campaign {name} is {_word(state.active)} already; nothing to do"
        return ActionPreview(
            key=context.key,
            action=self.name,
            target=f"campaign:{state.platform}/{state.campaign_id}",
            summary=summary,
            before={"active": state.active, "raw_status": state.raw_status},
            after={"active": params.active},
            touched="Nobody sees its ads until it is resumed" if not params.active else "",
        )

    async def apply(
        self, params: CampaignPauseParams, preview: ActionPreview, context: ActionContext
    ) -> ActionResult:
        """Pause the campaign; when it is paused already, find out whether that was us."""
        state = await context.campaigns.read(params.campaign_id)
        before = preview.before
        if state.active == params.active:
            ours = context.attempted and before["active"] != params.active
            return self._result(preview, state, changed=ours)
        if (state.active, state.raw_status) != (before["active"], before["raw_status"]):
            raise moved(preview.target, before, {"raw_status": state.raw_status})
        after = await context.campaigns.set_active(
            state, active=params.active, idempotency_key=context.key
        )
        return self._result(preview, after, changed=True)

    async def verify(
        self, params: CampaignPauseParams, result: ActionResult, context: ActionContext
    ) -> bool:
        """Tell whether the campaign still is as we left it."""
        state = await context.campaigns.read(params.campaign_id)
        return state.active == params.active and state.raw_status == result.state["raw_status"]

    async def undo(
        self,
        params: CampaignPauseParams,
        preview: ActionPreview,
        result: ActionResult,
        context: ActionContext,
    ) -> bool:
        """Restore the campaign, if its status is the one that we left."""
        if not result.changed:
            return False
        state = await context.campaigns.read(params.campaign_id)
        was_active = bool(preview.before["active"])
        if context.attempted and state.active == was_active:
            return True
        if (state.active, state.raw_status) != (params.active, result.state["raw_status"]):
            return False
        await context.campaigns.set_active(
            state, active=was_active, idempotency_key=f"{context.key}:undo"
        )
        return True

    def _result(
        self, preview: ActionPreview, state: CampaignState, *, changed: bool
    ) -> ActionResult:
        return ActionResult(
            key=preview.key,
            action=self.name,
            target=preview.target,
            changed=changed,
            state={"active": state.active, "raw_status": state.raw_status},
            detail=f"{state.name or state.campaign_id} is {_word(state.active)}",
        )


def _word(active: bool) -> str:
    return "running" if active else "paused"
