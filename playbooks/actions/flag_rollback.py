"""Switches a feature flag back (off, unless told otherwise)."""

from typing import ClassVar

from pydantic import Field

from playbooks.action import Action, ActionContext, moved
from recoup.domain.base import Frozen
from recoup.domain.ports import FlagState
from recoup.domain.proposals import ActionPreview, ActionResult


class FlagRollbackParams(Frozen):
    """Which flag, and what it is to be."""

    project: str = Field(min_length=1)
    environment: str = Field(min_length=1)
    flag: str = Field(min_length=1)
    on: bool = False


class FlagRollback(Action[FlagRollbackParams]):
    """Turns a flag off (or on) if it still has the version that was previewed."""

    name: ClassVar[str] = "flag_rollback"
    title: ClassVar[str] = "Switch a feature flag back"
    Params: ClassVar[type[Frozen]] = FlagRollbackParams

    async def preview(self, params: FlagRollbackParams, context: ActionContext) -> ActionPreview:
        """Read the flag; say what switching it would change."""
        state = await context.flags.read(params.project, params.environment, params.flag)
        word = _word(params.on)
        name = state.name or state.key
        summary = (
            f"Turn flag {name} {word} in {state.environment}"
            if state.on != params.on
            else f"Flag {name} is {word} in {state.environment} already; nothing to do"
        )
        return ActionPreview(
            key=context.key,
            action=self.name,
            target=_target(params),
            summary=summary,
            before={"on": state.on, "version": state.version},
            after={"on": params.on},
            touched=f"Everybody in {state.environment} whom the flag serves",
        )

    async def apply(
        self, params: FlagRollbackParams, preview: ActionPreview, context: ActionContext
    ) -> ActionResult:
        """Switch the flag; when it is switched already, find out whether that was us."""
        state = await context.flags.read(params.project, params.environment, params.flag)
        before = preview.before
        if state.on == params.on:
            ours = context.attempted and before["on"] != params.on
            return self._result(params, preview, state, changed=ours)
        if state.version != before["version"] or state.on != before["on"]:
            raise moved(preview.target, before, {"on": state.on, "version": state.version})
        after = await context.flags.switch(
            state, on=params.on, comment=context.comment, idempotency_key=context.key
        )
        return self._result(params, preview, after, changed=True)

    async def verify(
        self, params: FlagRollbackParams, result: ActionResult, context: ActionContext
    ) -> bool:
        """Tell whether the flag still has the version that we left."""
        state = await context.flags.read(params.project, params.environment, params.flag)
        return state.on == params.on and state.version == result.state["version"]

    async def undo(
        self,
        params: FlagRollbackParams,
        preview: ActionPreview,
        result: ActionResult,
        context: ActionContext,
    ) -> bool:
        """Switch the flag to what it was, if its version is the one that we left."""
        if not result.changed:
            return False
        state = await context.flags.read(params.project, params.environment, params.flag)
        was_on = bool(preview.before["on"])
        if context.attempted and state.on == was_on:
            return True
        if state.version != result.state["version"]:
            return False
        await context.flags.switch(
            state, on=was_on, comment=context.comment, idempotency_key=f"{context.key}:undo"
        )
        return True

    def _result(
        self,
        params: FlagRollbackParams,
        preview: ActionPreview,
        state: FlagState,
        *,
        changed: bool,
    ) -> ActionResult:
        how = "was switched" if changed else "was so already"
        return ActionResult(
            key=preview.key,
            action=self.name,
            target=preview.target,
            changed=changed,
            state={"on": state.on, "version": state.version},
            detail=f"{params.flag} is {_word(state.on)} ({how}), version {state.version}",
        )


def _word(on: bool) -> str:
    return "on" if on else "off"


def _target(params: FlagRollbackParams) -> str:
    return f"flag:{params.project}/{params.environment}/{params.flag}"
