"""Brings an earlier release to run: by GitHub, GitLab or Argo Rollouts, whichever deployed it."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from playbooks.action import Action, ActionContext, moved
from recoup.domain.base import Frozen
from recoup.domain.errors import StateMoved, TransientVendorError, VendorRefused
from recoup.domain.ports import ReleasePlace, ReleaseState
from recoup.domain.proposals import ActionPreview, ActionResult

LOOK_AGAIN_S = 40.0
"""How long to wait before looking again at a rollout that is under way."""


class ReleaseRollbackParams(Frozen):
    """What to roll back, and to which version (empty: the one that ran before and worked).

    ``accused`` is the version that is believed to be at fault: when another one runs, rolling back
    would take back something innocent, and is refused.
    """

    platform: str = Field(min_length=1, max_length=50)
    project: str = Field(min_length=1, max_length=300)
    environment: str = Field(default="production", min_length=1, max_length=100)
    workflow: str = Field(default="", max_length=200)
    to: str = Field(default="", max_length=200)
    accused: str = Field(default="", max_length=200)


class ReleaseRollback(Action[ReleaseRollbackParams]):
    """Deploys the version before; undo deploys the accused one again, if nobody deployed since."""

    name: ClassVar[str] = "release_rollback"
    title: ClassVar[str] = "Roll a release back"
    Params: ClassVar[type[Frozen]] = ReleaseRollbackParams
    example: ClassVar[Mapping[str, Any]] = {"platform": "memory", "project": "shop/web"}

    async def preview(self, params: ReleaseRollbackParams, context: ActionContext) -> ActionPreview:
        """Read what runs and what ran before; say what would be deployed."""
        place = _place(params)
        state = await context.releases.read(place)
        wanted = state.previous
        if params.to:
            wanted = await context.releases.resolve(place, params.to)
        if not wanted:
            raise VendorRefused(
                f"{place.label} has no earlier release that worked", kind="not_found"
            )
        await self._check_accused(params, state, wanted, context)
        summary = f"Roll {place.label} back from {_short(state.version)} to {_short(wanted)}"
        if state.version == wanted:
            summary = f"{place.label} runs {_short(wanted)} already; nothing to do"
        return ActionPreview(
            key=context.key,
            action=self.name,
            target=f"release:{place.label}",
            summary=summary,
            before={"version": state.version, "mark": state.mark},
            after={"version": wanted},
            touched=f"Everybody whom {params.project} serves in {params.environment}",
        )

    async def _check_accused(
        self,
        params: ReleaseRollbackParams,
        state: ReleaseState,
        wanted: str,
        context: ActionContext,
    ) -> None:
        if not params.accused or state.version == wanted:
            return
        accused = await context.releases.resolve(state.place, params.accused)
        if accused and accused != state.version:
            raise StateMoved(
                f"{state.place.label} runs {_short(state.version)}, not the accused "
                f"{_short(accused)}; a rollback would take back something else"
            )

    async def apply(
        self, params: ReleaseRollbackParams, preview: ActionPreview, context: ActionContext
    ) -> ActionResult:
        """Start the rollback, once; whether it arrived is what ``verify`` finds out."""
        state = await context.releases.read(_place(params))
        before, wanted = preview.before, str(preview.after["version"])
        if state.version == wanted:
            ours = context.attempted and before["version"] != wanted
            return self._result(preview, state, changed=ours)
        if state.mark != before["mark"] and not context.attempted:
            raise moved(preview.target, before, {"version": state.version, "mark": state.mark})
        known = state.model_copy(update={"version": before["version"], "mark": before["mark"]})
        after = await context.releases.deploy(
            known,
            version=wanted,
            comment=context.comment,
            idempotency_key=context.key,
            repeat=context.attempted,
        )
        return self._result(preview, after, changed=True)

    async def verify(
        self, params: ReleaseRollbackParams, result: ActionResult, context: ActionContext
    ) -> bool:
        """Tell whether the wanted version runs for everybody.

        While it is being rolled out that is not known yet (TransientVendorError); a rollout that
        failed is VendorRefused (``deploy_failed``).
        """
        state = await context.releases.read(_place(params))
        wanted = result.state["version"]
        arrived = state.version == wanted
        if state.status == "failed":
            raise VendorRefused(
                f"the rollback of {result.target} to {_short(str(wanted))} failed: {state.url}",
                kind="deploy_failed",
            )
        if state.status == "underway" or (not arrived and not result.state["mark"]):
            raise TransientVendorError(
                f"{result.target} is still being rolled out", retry_after_s=LOOK_AGAIN_S
            )
        return arrived and result.state["mark"] in ("", state.mark)

    async def undo(
        self,
        params: ReleaseRollbackParams,
        preview: ActionPreview,
        result: ActionResult,
        context: ActionContext,
    ) -> bool:
        """Deploy what ran before, if nobody deployed anything since."""
        if not result.changed:
            return False
        state = await context.releases.read(_place(params))
        before = str(preview.before["version"])
        if context.attempted and state.version == before:
            return True
        is_ours = state.version == result.state["version"]
        if not is_ours or result.state["mark"] not in ("", state.mark):
            return False
        await context.releases.deploy(
            state,
            version=before,
            comment=context.comment,
            idempotency_key=f"{context.key}:undo",
            repeat=context.attempted,
        )
        return True

    def _result(
        self, preview: ActionPreview, state: ReleaseState, *, changed: bool
    ) -> ActionResult:
        how = {"underway": "is being rolled out", "live": "runs", "failed": "failed"}[state.status]
        return ActionResult(
            key=preview.key,
            action=self.name,
            target=preview.target,
            changed=changed,
            state={"version": state.version, "mark": state.mark},
            detail=f"{_short(state.version)} {how} at {state.place.label}",
        )


def _place(params: ReleaseRollbackParams) -> ReleasePlace:
    return ReleasePlace(
        platform=params.platform,
        project=params.project,
        environment=params.environment,
        workflow=params.workflow,
    )


def _short(version: str) -> str:
    return version[:12]
