"""The contract of a storefront event: one fact, as sent by the shop."""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from recoup.domain.base import Moment

PAGE_VIEWED = "page_viewed"
PRODUCT_VIEWED = "product_viewed"
PRODUCT_ADDED = "product_added"
CHECKOUT_STARTED = "checkout_started"
PAYMENT_ATTEMPTED = "payment_attempted"
PAYMENT_FAILED = "payment_failed"
ORDER_COMPLETED = "order_completed"
SCRIPT_ERROR = "script_error"
API_TIMED = "api_timed"

KNOWN_TYPES = (
    PAGE_VIEWED,
    PRODUCT_VIEWED,
    PRODUCT_ADDED,
    CHECKOUT_STARTED,
    PAYMENT_ATTEMPTED,
    PAYMENT_FAILED,
    ORDER_COMPLETED,
    SCRIPT_ERROR,
    API_TIMED,
)
"""The types whose meaning Recoup knows; others are kept and counted."""

USUAL_DIMENSIONS = (
    "device",
    "os",
    "browser",
    "country",
    "region",
    "campaign",
    "category",
    "provider",
    "release",
    "experiment",
)

MAX_EVENT_BYTES = 64 * 1024
MAX_DIMS = 32
MAX_TEXT = 200
"""Longest id, type, session, user, dimension name and dimension value, in characters."""

MAX_DEPTH = 8
"""How deep ``props`` may be nested; flat ``props`` have depth 1."""

TIME_PATTERN = (
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?"
    r"([Zz]|[+-][0-9]{2}:?[0-5][0-9])"
)


def parse_time(text: object) -> datetime:
    """Return the moment of an RFC 3339 text, rounded to microseconds. Raises ValueError."""
    match = re.fullmatch(TIME_PATTERN, text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("must be RFC 3339 with an offset, such as 2026-11-24T04:14:08.123Z")
    day, clock, fraction, offset = match.groups()
    moment = datetime.fromisoformat(f"{day}T{clock}{offset.upper()}")
    tenths = int((fraction or "0")[:7].ljust(7, "0"))
    try:
        return (moment + timedelta(microseconds=(tenths + 5) // 10)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is beyond the calendar") from error


def _plain(props: dict[str, Any]) -> dict[str, Any]:
    """Refuse what JSON has no number for, and what is nested too deep."""
    level: list[Any] = [props]
    depth = 0
    while level:
        if any(isinstance(item, float) and not math.isfinite(item) for item in level):
            raise ValueError("numbers must be finite")
        containers = [item for item in level if isinstance(item, dict | list)]
        depth += bool(containers)
        if depth > MAX_DEPTH:
            raise ValueError(f"nested more than {MAX_DEPTH} deep")
        level = [
            inner
            for item in containers
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
    return props


DimensionName = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
DimensionValue = Annotated[str, Field(max_length=MAX_TEXT)]


class StorefrontEvent(BaseModel):
    """One storefront event; at most 64 KiB as JSON.

    ``id`` is the idempotency key: the same id counts once, however often it is sent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: str = Field(min_length=1, max_length=MAX_TEXT)
    type: str = Field(min_length=1, max_length=MAX_TEXT)
    time: Annotated[Moment, BeforeValidator(parse_time, json_schema_input_type=str)] = Field(
        strict=False, description="RFC 3339 with an offset, milliseconds kept"
    )
    session: str = Field(min_length=1, max_length=MAX_TEXT)
    user: str | None = Field(default=None, min_length=1, max_length=MAX_TEXT)
    dims: dict[DimensionName, DimensionValue] = Field(default_factory=dict, max_length=MAX_DIMS)
    props: Annotated[dict[str, Any], AfterValidator(_plain)] = Field(default_factory=dict)
