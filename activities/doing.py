"""Carries out actions and takes them back: recorded before and after, once in effect."""

from collections.abc import Mapping
from typing import Any

from temporalio import activity

from activities.contracts import (
    Applied,
    ApplyInput,
    FailedAction,
    FailedUndo,
    Nothing,
    Settled,
    UndoInput,
)
from activities.limiting import Limiting
from activities.recording import Recorder
from playbooks.action import ActionContext, Controls
from playbooks.registry import AnyAction
from recoup.domain.errors import ConfigurationError, StateMoved, VendorError
from recoup.domain.facts import (
    ActionApplied,
    ActionConfirmed,
    ActionFailed,
    ActionStarted,
    ActionUndone,
    Fact,
    Recorded,
    ResponseResumed,
)
from recoup.domain.proposals import ActionCall, ActionPreview, ActionResult


class Hands:
    """The actions of this installation, with the ports they need."""

    def __init__(self, actions: Mapping[str, AnyAction], controls: Controls) -> None:
        self.actions = actions
        self._controls = controls

    def context(
        self, incident_id: str, key: str, *, comment: str = "", attempted: bool = False
    ) -> ActionContext:
        """Return what one action may use."""
        return ActionContext(
            self._controls,
            incident_id=incident_id,
            key=key,
            comment=comment,
            attempted=attempted,
        )

    def prepare(self, call: ActionCall) -> tuple[AnyAction, Any]:
        """Return the action a call names, and its parameters."""
        action = self.actions.get(call.action)
        if action is None:
            raise ConfigurationError(f"this installation has no action {call.action!r}")
        return action, action.Params.model_validate(call.params)

    async def preview(self, incident_id: str, call: ActionCall) -> ActionPreview:
        """Find out what a call would do."""
        action, params = self.prepare(call)
        return await action.preview(params, self.context(incident_id, call.key))


class Doing:
    """Applies and undoes the actions of approved proposals."""

    def __init__(self, recorder: Recorder, hands: Hands, limiting: Limiting) -> None:
        self._recorder = recorder
        self._hands = hands
        self._limiting = limiting

    @activity.defn
    async def apply_action(self, request: ApplyInput) -> Applied:
        """Carry out one action, once.

        What was applied before is returned as it was recorded. When an earlier attempt began but
        its answer was lost, the target is read again instead of written again.
        """
        key = request.call.key
        facts = await self._recorder.stream(request.incident_id)
        done = _result_of(facts, key)
        if done is None:
            attempted = _has(facts, ActionStarted, key)
            if not attempted:
                await self._check_limits(request.preview)
            done = await self.carry_out(request, attempted=attempted)
        if not _has(facts, ActionConfirmed, key):
            await self._confirm(request, done)
        return applied_as(request, done)

    async def _check_limits(self, preview: ActionPreview) -> None:
        held = await self._limiting.held()
        if held is not None:
            raise held
        await self._limiting.check([preview])

    async def _confirm(self, request: ApplyInput, result: ActionResult) -> None:
        """Read the target again; a rollout that is under way is waited for by trying again."""
        action, params = self._hands.prepare(request.call)
        context = self._hands.context(request.incident_id, request.call.key)
        confirmed = ActionConfirmed(
            incident_id=request.incident_id,
            proposal_id=request.proposal_id,
            key=request.call.key,
            action=request.call.action,
            target=result.target,
            holds=await action.verify(params, result, context),
        )
        step = f"{request.call.key}:confirmed"
        await self._recorder.record(request.incident_id, step, confirmed)

    async def carry_out(self, request: ApplyInput, *, attempted: bool) -> ActionResult:
        """Do it between its two facts; after an earlier attempt, look before writing.

        Whoever calls it has checked the limits.
        """
        incident_id, key = request.incident_id, request.call.key
        action, params = self._hands.prepare(request.call)
        started = ActionStarted(
            incident_id=incident_id, proposal_id=request.proposal_id, preview=request.preview
        )
        await self._recorder.record(incident_id, f"{key}:started", started)
        context = self._hands.context(
            incident_id, key, comment=request.comment, attempted=attempted
        )
        result = await action.apply(params, request.preview, context)
        applied = ActionApplied(
            incident_id=incident_id, proposal_id=request.proposal_id, result=result
        )
        await self._recorder.record(incident_id, f"{key}:applied", applied)
        return result

    @activity.defn
    async def settle_failure(self, failure: FailedAction) -> Settled:
        """Find out what a failed action left behind, and record it: done after all, or failed."""
        request, reason = failure.request, failure.reason
        facts = await self._recorder.stream(request.incident_id)
        if failure.doubtful and _has(facts, ActionStarted, request.call.key):
            try:
                done = await self._look(request, facts)
            except (VendorError, StateMoved) as error:
                done = None
                reason = f"{reason}; whether it took effect could not be read: {error}"
            if done is not None:
                return Settled(applied=applied_as(request, done))
        failed = ActionFailed(
            incident_id=request.incident_id,
            proposal_id=request.proposal_id,
            key=request.call.key,
            action=request.call.action,
            kind=failure.kind,
            reason=reason,
        )
        await self._recorder.record(request.incident_id, f"{request.call.key}:failed", failed)
        return Settled()

    async def _look(self, request: ApplyInput, facts: list[Recorded]) -> ActionResult | None:
        """Return the result of an action that took effect although it was reported as failed."""
        known = _result_of(facts, request.call.key)
        if known is not None:
            return known
        action, params = self._hands.prepare(request.call)
        context = self._hands.context(request.incident_id, request.call.key, attempted=True)
        if not await action.took_effect(params, request.preview, context):
            return None
        return await self.carry_out(request, attempted=True)

    @activity.defn
    async def undo_action(self, request: UndoInput) -> Nothing:
        """Take one action back, unless it was taken back before or its target changed since."""
        key = request.applied.call.key
        facts = await self._recorder.stream(request.incident_id)
        if _has(facts, ActionUndone, key):
            return Nothing()
        action, params = self._hands.prepare(request.applied.call)
        context = self._hands.context(
            request.incident_id,
            key,
            comment=request.comment,
            attempted=_may_have_begun(facts),
        )
        restored = await action.undo(
            params, request.applied.preview, request.applied.result, context
        )
        reason = "" if restored else _why_not(request.applied.result)
        await self._record_undone(request.incident_id, request.applied, restored, reason)
        return Nothing()

    @activity.defn
    async def record_not_undone(self, request: FailedUndo) -> Nothing:
        """Record that an action could not be taken back."""
        await self._record_undone(request.incident_id, request.applied, False, request.reason)
        return Nothing()

    async def _record_undone(
        self, incident_id: str, applied: Applied, restored: bool, reason: str
    ) -> None:
        undone = ActionUndone(
            incident_id=incident_id,
            proposal_id=applied.proposal_id,
            key=applied.call.key,
            action=applied.call.action,
            restored=restored,
            reason=reason,
            target=applied.result.target,
        )
        await self._recorder.record(incident_id, f"{applied.call.key}:undone", undone)


def applied_as(request: ApplyInput, result: ActionResult) -> Applied:
    """Return what is needed to take an action back."""
    return Applied(
        proposal_id=request.proposal_id,
        call=request.call,
        preview=request.preview,
        result=result,
    )


def _may_have_begun(facts: list[Recorded]) -> bool:
    """Tell whether an earlier attempt to take something back may have reached the target.

    It left no fact: an attempt that died, or one of a workflow that was lost.
    """
    again = activity.in_activity() and activity.info().attempt > 1
    return again or any(isinstance(entry.fact, ResponseResumed) for entry in facts)


def _why_not(result: ActionResult) -> str:
    if not result.changed:
        return "the action had changed nothing"
    return "it has no undo, or somebody changed the target since"


def _result_of(facts: list[Recorded], key: str) -> ActionResult | None:
    for entry in facts:
        if isinstance(entry.fact, ActionApplied) and entry.fact.result.key == key:
            return entry.fact.result
    return None


def _has(facts: list[Recorded], kind: type[Fact], key: str) -> bool:
    return any(isinstance(entry.fact, kind) and _key_of(entry.fact) == key for entry in facts)


def _key_of(fact: Fact) -> str:
    return fact.preview.key if isinstance(fact, ActionStarted) else str(getattr(fact, "key", ""))
