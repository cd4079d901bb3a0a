"""The contract of a change: one fact about the shop itself; someone or something altered it."""

import json
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from recoup.domain.base import Frozen, Moment


class ChangeKind(StrEnum):
    """What sort of thing was altered."""

    DEPLOY = "deploy"
    FLAG = "flag"
    CONFIG = "config"
    CAMPAIGN = "campaign"
    PROMO = "promo"
    PRICE = "price"
    INVENTORY = "inventory"
    EXPERIMENT = "experiment"
    THIRD_PARTY = "third_party"


DEEPEST = 20
"""How deep ``undo`` may be nested."""


def _storable(undo: dict[str, Any]) -> dict[str, Any]:
    """Refuse what cannot be written as JSON: half characters, numbers without end, nests."""
    try:
        json.dumps(undo, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"cannot be kept as JSON: {type(error).__name__}") from error
    level: list[Any] = [undo]
    for _ in range(DEEPEST):
        level = [
            inner
            for item in level
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
    if any(isinstance(item, dict | list) for item in level):
        raise ValueError(f"nested more than {DEEPEST} deep")
    return undo


class Change(Frozen):
    """Someone or something altered the shop.

    ``scope`` says who is touched: a dimension with one value or several; ``{}`` is everyone, and a
    dimension that is not named is not restricted. ``ref`` names the thing in its own system (flag
    key, commit, campaign id). ``undo`` is what an action needs to take it back; for a flag
    ``{"action": "flag_rollback", "flag": KEY, "project": P, "environment": E}``. ``by`` says who
    made it (e-mail, login): where a playbook asks for it, they do not approve the way back.
    """

    id: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")
    kind: ChangeKind
    time: Moment
    title: str = Field(default="", max_length=500)
    ref: str = Field(default="", max_length=500)
    scope: dict[str, str | list[str]] = Field(default_factory=dict)
    undo: Annotated[dict[str, Any], AfterValidator(_storable)] = Field(default_factory=dict)
    by: str = Field(default="", max_length=200)
