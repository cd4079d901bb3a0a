"""What all actions on feature flags share: one target, one version, the vendor's own approval."""

from abc import abstractmethod
from typing import Any, TypeVar

from pydantic import Field

from playbooks.action import Action, ActionContext, moved, note_on_review
from recoup.domain.base import Frozen
from recoup.domain.ports import FlagState, VendorReview
from recoup.domain.proposals import ActionPreview, ActionResult


class FlagParams(Frozen):
    """Which flag."""

    project: str = Field(min_length=1)
    environment: str = Field(min_length=1)
    flag: str = Field(min_length=1)


P = TypeVar("P", bound=FlagParams)


class FlagChange(Action[P]):
    """Changes one aspect of a flag if it still has the version that was previewed.

    A subclass says which aspect (``on`` or ``serving``), what it is to be, and how to write it.
    """

    aspect: str

    @abstractmethod
    def wanted(self, params: P) -> Any:
        """Return what the aspect is to be."""

    @abstractmethod
    def summary(self, params: P, state: FlagState, *, is_so: bool) -> str:
        """Say in a sentence without a full stop what would be done."""

    @abstractmethod
    async def write(
        self, state: FlagState, value: Any, context: ActionContext, key: str
    ) -> FlagState:
        """Write the aspect."""

    async def preview(self, params: P, context: ActionContext) -> ActionPreview:
        """Read the flag and what depends on it; let the vendor validate the change."""
        state = await self._read(params, context)
        present, wanted = getattr(state, self.aspect), self.wanted(params)
        summary = self.summary(params, state, is_so=present == wanted)
        others: tuple[str, ...] = ()
        if present != wanted:
            rehearsal = context.flags.rehearse(state, **{self.aspect: wanted})
            summary += await note_on_review(rehearsal)
            others = await context.flags.dependents(state) or ()
        through = f", and through it {', '.join(others)}" if others else ""
        return ActionPreview(
            key=context.key,
            action=self.name,
            target=f"flag:{params.project}/{params.environment}/{params.flag}",
            summary=summary,
            before={self.aspect: present, "version": state.version},
            after={self.aspect: wanted},
            touched=f"Everybody in {state.environment} whom the flag serves{through}",
            reach=1 + len(others),
        )

    async def apply(
        self, params: P, preview: ActionPreview, context: ActionContext
    ) -> ActionResult:
        """Write it; when the flag is so already, find out whether that was us."""
        state = await self._read(params, context)
        present, before = getattr(state, self.aspect), preview.before
        wanted = preview.after[self.aspect]
        if present == wanted:
            ours = context.attempted and before[self.aspect] != wanted
            return self._result(preview, state, changed=ours)
        if state.version != before["version"] or present != before[self.aspect]:
            found = {self.aspect: present, "version": state.version}
            raise moved(preview.target, before, found)
        after = await self.write(state, wanted, context, context.key)
        return self._result(preview, after, changed=True)

    async def verify(self, params: P, result: ActionResult, context: ActionContext) -> bool:
        """Tell whether the flag still has the version that we left."""
        state = await self._read(params, context)
        wanted = result.state[self.aspect]
        return bool(
            getattr(state, self.aspect) == wanted and state.version == result.state["version"]
        )

    async def undo(
        self, params: P, preview: ActionPreview, result: ActionResult, context: ActionContext
    ) -> bool:
        """Restore what it was, if the flag's version is the one that we left."""
        if not result.changed:
            return False
        state = await self._read(params, context)
        before = preview.before[self.aspect]
        if context.attempted and getattr(state, self.aspect) == before:
            return True
        if state.version != result.state["version"]:
            return False
        await self.write(state, before, context, f"{context.key}:undo")
        return True

    async def ask_vendor(
        self, params: P, preview: ActionPreview, context: ActionContext
    ) -> VendorReview:
        """Ask for the vendor's own approval of the change."""
        return await context.flags.ask(
            await self._read(params, context),
            **{self.aspect: preview.after[self.aspect]},
            description=context.comment or preview.summary,
            idempotency_key=context.key,
        )

    async def look_at_review(
        self, params: P, review_id: str, context: ActionContext
    ) -> VendorReview:
        """Return where the vendor's approval stands; one that was given is applied first."""
        return await context.flags.look(await self._read(params, context), review_id)

    async def withdraw_review(self, params: P, review_id: str, context: ActionContext) -> None:
        """Take back the request for the vendor's approval."""
        await context.flags.withdraw(await self._read(params, context), review_id)

    async def _read(self, params: P, context: ActionContext) -> FlagState:
        return await context.flags.read(params.project, params.environment, params.flag)

    def _result(self, preview: ActionPreview, state: FlagState, *, changed: bool) -> ActionResult:
        value = getattr(state, self.aspect)
        how = "was changed" if changed else "was so already"
        return ActionResult(
            key=preview.key,
            action=self.name,
            target=preview.target,
            changed=changed,
            state={self.aspect: value, "version": state.version},
            detail=f"{state.key} {told(self.aspect, value)} ({how}), version {state.version}",
        )


def told(aspect: str, value: Any) -> str:
    """Return what a flag does, in words."""
    if aspect == "on":
        return "is on" if value else "is off"
    if "rollout" in value:
        return f"is rolled out in {len(value['rollout'])} shares"
    return f"serves {value.get('value')!r}"
