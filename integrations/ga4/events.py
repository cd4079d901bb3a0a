"""The Measurement Protocol of Google Analytics 4: send the same body to Recoup as well."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import Field

from integrations.eventing import (
    Mapped,
    Posted,
    Source,
    campaign_of,
    each,
    event,
    json_object,
    list_in,
    session_of,
)
from integrations.ga4.naming import os_of, type_of
from integrations.inbound import Payload, part
from recoup.domain.ids import derive_id

MOST_EVENTS = 25
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Micros = Annotated[int, Field(ge=0, le=253_402_300_799_000_000)]


class _Device(Payload):
    category: str | None = None
    operating_system: str | None = None
    operating_system_version: str | None = None
    browser: str | None = None


class _Location(Payload):
    country_id: str | None = None
    region_id: str | None = None


class _Sender(Payload):
    client_id: str = Field(min_length=1)
    user_id: str | None = None
    timestamp_micros: Micros | None = None
    device: _Device = _Device()
    user_location: _Location = _Location()


class _Hit(Payload):
    name: str = Field(min_length=1)
    params: dict[str, Any] = Field(default_factory=dict)
    timestamp_micros: Micros | None = None


def key_of(posted: Posted) -> str:
    """Return the secret that GA4's clients send in the address."""
    return posted.query.get("api_secret", "")


def read(posted: Posted) -> Mapped:
    """Return the events of one request. They carry no time of sending, so times stand as told."""
    body = json_object(posted.body)
    sender = part(_Sender, body)
    hits = list_in(body, "events", MOST_EVENTS)
    return each(hits, _Hit, lambda hit, number: _event(sender, hit, number, posted.received))


def _event(sender: _Sender, hit: _Hit, number: int, received: datetime) -> dict[str, Any]:
    micros = hit.timestamp_micros or sender.timestamp_micros
    time = EPOCH + timedelta(microseconds=micros) if micros else received
    params = hit.params
    order = params.get("transaction_id")
    session = str(params.get("session_id") or "")
    if hit.name == "purchase" and order:
        event_id = f"ga4:purchase:{order}"
    else:
        told = (sender.client_id, session, hit.name, time.isoformat(), number, sorted(params))
        event_id = derive_id("ga4", *told)
    return event(
        event_id,
        type_of(hit.name),
        time,
        session_of(sender.client_id, session),
        user=sender.user_id or "",
        dims=_dims(sender, params),
        props=params,
    )


def _dims(sender: _Sender, params: dict[str, Any]) -> dict[str, str]:
    device, place = sender.device, sender.user_location
    campaign = params.get("campaign") or campaign_of(str(params.get("page_location", "")))
    return {
        "device": device.category or "",
        "os": os_of(device.operating_system, device.operating_system_version),
        "browser": device.browser or "",
        "country": place.country_id or "",
        "region": place.region_id or "",
        "campaign": str(campaign),
        "provider": str(params.get("payment_type") or ""),
    }


SOURCE = Source(
    name="ga4",
    paths=("/mp/collect",),
    summary="Take in what is sent by the Measurement Protocol of Google Analytics 4",
    key_of=key_of,
    read=read,
    answer=(204, "", ""),
    schema={
        "type": "object",
        "required": ["client_id", "events"],
        "properties": {
            "client_id": {"type": "string"},
            "user_id": {"type": "string"},
            "timestamp_micros": {"type": "integer"},
            "events": {"type": "array", "maxItems": MOST_EVENTS, "items": {"type": "object"}},
        },
    },
)
