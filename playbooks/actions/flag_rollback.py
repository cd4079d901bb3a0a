"""Switches a feature flag back (off, unless told otherwise)."""

from collections.abc import Mapping
from typing import Any, ClassVar

from playbooks.action import ActionContext
from playbooks.flag_changes import FlagChange, FlagParams
from recoup.domain.base import Frozen
from recoup.domain.ports import FlagState


class FlagRollbackParams(FlagParams):
    """Which flag, and what it is to be."""

    on: bool = False


class FlagRollback(FlagChange[FlagRollbackParams]):
    """Turns a flag off (or on) if it still has the version that was previewed."""

    name: ClassVar[str] = "flag_rollback"
    title: ClassVar[str] = "Switch a feature flag back"
    Params: ClassVar[type[Frozen]] = FlagRollbackParams
    example: ClassVar[Mapping[str, Any]] = {
        "project": "shop",
        "environment": "production",
        "flag": "new_payment",
    }
    aspect = "on"

    def wanted(self, params: FlagRollbackParams) -> bool:
        """Return whether it is to be on."""
        return params.on

    def summary(self, params: FlagRollbackParams, state: FlagState, *, is_so: bool) -> str:
        """Say what switching it would change."""
        word, name = "on" if params.on else "off", state.name or state.key
        if is_so:
            return f"Flag {name} is {word} in {state.environment} already; nothing to do"
        return f"Turn flag {name} {word} in {state.environment}"

    async def write(
        self, state: FlagState, value: bool, context: ActionContext, key: str
    ) -> FlagState:
        """Switch it."""
        return await context.flags.switch(
            state, on=value, comment=context.comment, idempotency_key=key
        )
