"""Pauses an advertising campaign, so that no more money sends people to a broken shop."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from playbooks.action import Action, ActionContext, moved
from recoup.domain.base import Frozen
from recoup.domain.ports import CampaignState
from recoup.domain.proposals import ActionPreview, ActionResult


class CampaignPauseParams(Frozen):
    """Which campaign on which platform (the only one configured, if empty), and is it to run."""

    campaign_id: str = Field(min_length=1, max_length=100)
    platform: str = Field(default="", max_length=50)
    active: bool = False


class CampaignPause(Action[CampaignPauseParams]):
    """Pauses (or resumes) a campaign; undo restores what it was before, and nothing else."""

    name: ClassVar[str] = "campaign_pause"
    title: ClassVar[str] = "Pause an advertising campaign"
    Params: ClassVar[type[Frozen]] = CampaignPauseParams
    example: ClassVar[Mapping[str, Any]] = {"campaign_id": "120", "platform": "meta"}

    async def preview(self, params: CampaignPauseParams, context: ActionContext) -> ActionPreview:
        """Read the campaign; say what pausing it would change."""
        state = await self._read(params, context)
        verb = "Resume" if params.active else "Pause"
        name = state.name or state.campaign_id
        summary = f"{verb} campaign {name} on {state.platform}"
        if state.active == params.active:
            summary = f"Campaign {name} is {_word(state.active)} already; nothing to do"
        else:
            await context.campaigns.rehearse(state, active=params.active)
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
        state = await self._read(params, context)
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
        state = await self._read(params, context)
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
        state = await self._read(params, context)
        was_active = bool(preview.before["active"])
        if context.attempted and state.active == was_active:
            return True
        if (state.active, state.raw_status) != (params.active, result.state["raw_status"]):
            return False
        await context.campaigns.set_active(
            state, active=was_active, idempotency_key=f"{context.key}:undo"
        )
        return True

    async def _read(self, params: CampaignPauseParams, context: ActionContext) -> CampaignState:
        return await context.campaigns.read(params.campaign_id, params.platform)

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
