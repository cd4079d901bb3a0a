"""The contract of a change: one fact about the shop itself; someone or something altered it."""

from enum import StrEnum
from typing import Any

from pydantic import Field

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


class Change(Frozen):
    """Someone or something altered the shop.

    ``scope`` says who is touched: a dimension with one value or several; ``{}`` is everyone, and a
    dimension that is not named is not restricted. ``ref`` names the thing in its own system (flag
    key, commit, campaign id). ``undo`` is what an action needs to take it back; for a flag
    ``{"action": "flag_rollback", "flag": KEY, "project": P, "environment": E}``. ``by`` says who
    made it (e-mail, login): where a playbook asks for it, they do not approve the way back.
    """

    id: str = Field(min_length=1, max_length=200)
    kind: ChangeKind
    time: Moment
    title: str = Field(default="", max_length=500)
    ref: str = Field(default="", max_length=500)
    scope: dict[str, str | list[str]] = Field(default_factory=dict)
    undo: dict[str, Any] = Field(default_factory=dict)
    by: str = Field(default="", max_length=200)
