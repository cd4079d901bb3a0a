"""The contract of a storefront event: one fact, as sent by the shop."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

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


class StorefrontEvent(BaseModel):
    """One storefront event; at most 64 KiB as JSON.

    ``id`` is the idempotency key: the same id counts once, however often it is sent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: str = Field(min_length=1, max_length=MAX_TEXT)
    type: str = Field(min_length=1, max_length=MAX_TEXT)
    time: Moment = Field(strict=False, description="RFC 3339 with an offset, milliseconds kept")
    session: str = Field(min_length=1, max_length=MAX_TEXT)
    user: str | None = Field(default=None, min_length=1, max_length=MAX_TEXT)
    dims: dict[str, str] = Field(default_factory=dict, max_length=MAX_DIMS)
    props: dict[str, Any] = Field(default_factory=dict)
