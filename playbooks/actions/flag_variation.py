"""Makes a flag serve another value: the payment provider before, the price list before."""

from collections.abc import Mapping
from typing import Any, ClassVar

from playbooks.action import ActionContext
from playbooks.flag_changes import FlagChange, FlagParams
from recoup.domain.base import Frozen
from recoup.domain.ports import FlagState


class FlagVariationParams(FlagParams):
    """Which flag, and which of its values it is to serve where no rule says otherwise."""

    value: Any


class FlagVariation(FlagChange[FlagVariationParams]):
    """Changes what a flag serves by default; undo restores the value or the rollout before."""

    name: ClassVar[str] = "flag_variation"
    title: ClassVar[str] = "Let a feature flag serve another value"
    Params: ClassVar[type[Frozen]] = FlagVariationParams
    example: ClassVar[Mapping[str, Any]] = {
        "project": "shop",
        "environment": "production",
        "flag": "new_payment",
        "value": "provider_a",
    }
    aspect = "serving"

    def wanted(self, params: FlagVariationParams) -> dict[str, Any]:
        """Return what it is to serve."""
        return {"value": params.value}

    def summary(self, params: FlagVariationParams, state: FlagState, *, is_so: bool) -> str:
        """Say what it would serve."""
        name = state.name or state.key
        if is_so:
            return f"Flag {name} serves {params.value!r} already; nothing to do"
        return f"Let flag {name} serve {params.value!r} in {state.environment}"

    async def write(
        self, state: FlagState, value: dict[str, Any], context: ActionContext, key: str
    ) -> FlagState:
        """Serve it."""
        return await context.flags.serve(
            state, serving=value, comment=context.comment, idempotency_key=key
        )
