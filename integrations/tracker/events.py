"""What Recoup's own tracker sends: events of the contract, and the browser's time of sending."""

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
)
from integrations.inbound import Payload, part
from recoup.domain.base import Moment

MOST_EVENTS = 500


class _Envelope(Payload):
    sent: Moment | None = None


class _Event(Payload):
    id: str = Field(min_length=1)
    type: str = Field(min_length=1)
    time: Moment
    session: str = Field(min_length=1)
    user: str | None = None
    dims: dict[str, str] = Field(default_factory=dict)
    props: dict[str, Any] = Field(default_factory=dict)


def key_of(posted: Posted) -> str:
    """Return the write key; a beacon can carry no header, so it stands in the address."""
    return posted.query.get("key", "")


def read(posted: Posted) -> Mapped:
    """Return the events, by the clock here, with the device that the browser says it is."""
    body = json_object(posted.body)
    sent = part(_Envelope, body).sent
    agent = {k: v for k, v in dims_of(posted.headers.get("user-agent", "")).items() if v}
    found = list_in(body, "events", MOST_EVENTS)
    return each(found, _Event, lambda one, _number: _event(one, sent, posted.received, agent))


def _event(
    one: _Event, sent: datetime | None, received: datetime, agent: dict[str, str]
) -> dict[str, Any]:
    return event(
        one.id,
        one.type,
        corrected(one.time, sent, received),
        one.session,
        user=one.user or "",
        dims={**agent, **one.dims},
        props=one.props,
    )


SOURCE = Source(
    name="tracker",
    paths=("/v1/collect",),
    summary="Take in events of the JavaScript tracker",
    key_of=key_of,
    read=read,
    answer=(202, '{"taken": true}', "application/json"),
    schema={
        "type": "object",
        "required": ["events"],
        "properties": {
            "sent": {"type": "string", "format": "date-time"},
            "events": {
                "type": "array",
                "maxItems": MOST_EVENTS,
                "items": {"$ref": "#/components/schemas/StorefrontEvent"},
            },
        },
    },
)
