"""Segment's HTTP tracking API: its libraries can send to Recoup, too."""

import base64
import binascii
from datetime import datetime
from typing import Any

from pydantic import Field

from integrations.eventing import (
    Mapped,
    Posted,
    Source,
    corrected,
    dims_of,
    each,
    event,
    json_object,
    list_in,
    session_of,
    snake,
)
from integrations.inbound import Payload
from recoup.domain.base import Moment
from recoup.domain.ids import derive_id
from recoup.domain.storefront import PAGE_VIEWED, PAYMENT_ATTEMPTED

MOST_CALLS = 2500
PREFIX = "/v1/"
_NAMES = {"payment_info_entered": PAYMENT_ATTEMPTED}
_MOBILE = ("ios", "android", "iphone", "phone")


class _Named(Payload):
    name: str | None = None
    version: str | None = None
    type: str | None = None


class _Page(Payload):
    url: str | None = None


class _Location(Payload):
    country: str | None = None
    region: str | None = None


class _Context(Payload):
    campaign: _Named = _Named()
    device: _Named = _Named()
    os: _Named = _Named()
    app: _Named = _Named()
    page: _Page = _Page()
    location: _Location = _Location()
    userAgent: str | None = None  # noqa: N815 - as Segment spells it


class Call(Payload):
    """One call: track, page, screen, identify, group or alias."""

    type: str
    messageId: str | None = None  # noqa: N815
    userId: str | int | None = None  # noqa: N815
    anonymousId: str | int | None = None  # noqa: N815
    event: str | None = None
    name: str | None = None
    properties: dict[str, Any] | None = None
    context: _Context | None = None
    timestamp: Moment | None = None
    sentAt: Moment | None = Field(default=None)  # noqa: N815


def key_of(posted: Posted) -> str:
    """Return the write key: in the body, or as the user of Basic authentication."""
    scheme, _, rest = posted.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return str(json_object(posted.body).get("writeKey") or "")


def read(posted: Posted) -> Mapped:
    """Return the events of a call or of a batch of them."""
    body = json_object(posted.body)
    kind = posted.path.rpartition("/")[2]
    if kind != "batch":
        items: list[Any] = [{**body, "type": kind}]
    else:
        shared = {name: body[name] for name in ("sentAt", "context") if name in body}
        items = [
            {**shared, **item} if isinstance(item, dict) else item
            for item in list_in(body, "batch", MOST_CALLS)
        ]
    return each(items, Call, lambda call, _number: _event(call, posted.received))


def _event(call: Call, received: datetime) -> dict[str, Any] | None:
    """Return the event of a call; calls that are no step of a visit come to nothing."""
    if call.type not in ("track", "page", "screen"):
        return None
    kind = snake(call.event or "") if call.type == "track" else PAGE_VIEWED
    visitor = str(call.anonymousId or call.userId or "")
    told = call.timestamp
    time = corrected(told, call.sentAt, received) if told else received
    properties = call.properties or {}
    return event(
        f"segment:{call.messageId or derive_id('call', call.model_dump_json())}",
        _NAMES.get(kind, kind),
        time,
        session_of(visitor) if visitor else f"call-{call.messageId}",
        user=str(call.userId or ""),
        dims=_dims(call.context or _Context(), properties),
        props={"value": _value(properties), **properties},
    )


def _dims(context: _Context, properties: dict[str, Any]) -> dict[str, str]:
    told = dims_of(context.userAgent or "", context.page.url or "")
    os_name = " ".join(filter(None, (context.os.name, (context.os.version or "").split(".")[0])))
    kind = (context.device.type or "").lower()
    known = {
        "device": "mobile" if kind in _MOBILE else kind,
        "os": os_name,
        "campaign": context.campaign.name,
        "country": context.location.country,
        "region": context.location.region,
        "release": context.app.version,
        "category": _text(properties.get("category")),
        "provider": _text(properties.get("payment_method")),
    }
    return {**told, **{name: text for name, text in known.items() if text}}


def _value(properties: dict[str, Any]) -> float | None:
    """Return what an order is worth: the total, as Segment's own reports take it."""
    for name in ("value", "total", "revenue"):
        try:
            return float(properties[name])
        except (KeyError, TypeError, ValueError):
            continue
    return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


SOURCE = Source(
    name="segment",
    paths=tuple(PREFIX + kind for kind in ("track", "page", "screen", "identify", "batch")),
    summary="Take in calls of Segment's libraries",
    key_of=key_of,
    read=read,
    answer=(200, '{"success": true}', "application/json"),
    schema={
        "type": "object",
        "properties": {
            "writeKey": {"type": "string"},
            "batch": {"type": "array", "items": {"type": "object"}},
            "messageId": {"type": "string"},
            "anonymousId": {"type": "string"},
            "userId": {"type": "string"},
            "event": {"type": "string"},
            "properties": {"type": "object"},
            "context": {"type": "object"},
            "timestamp": {"type": "string", "format": "date-time"},
            "sentAt": {"type": "string", "format": "date-time"},
        },
    },
)
