"""Snowplow's tracker protocol, version 2: point a tracker's second collector at Recoup."""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import Field
from pydantic_core import from_json

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
from recoup.domain import storefront as s

MOST_EVENTS = 1000
PATH = "/com.snowplowanalytics.snowplow/tp2"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS = r"^\d{1,15}$"
_COMMERCE = {
    "product_view": s.PRODUCT_VIEWED,
    "add_to_cart": s.PRODUCT_ADDED,
    "checkout_step": s.CHECKOUT_STARTED,
    "transaction": s.ORDER_COMPLETED,
    "transaction_error": s.PAYMENT_FAILED,
}
_SCHEMAS = {"application_error": s.SCRIPT_ERROR}
_STANDARD = {"pv": s.PAGE_VIEWED, "tr": s.ORDER_COMPLETED}
_NO_STEP = ("pp", "ti")
Parts = dict[str, Any]


class Payload2(Payload):
    """One event of the protocol; every value is a text."""

    e: str
    eid: str = Field(min_length=1)
    dtm: str | None = Field(default=None, pattern=_DIGITS)
    ttm: str | None = Field(default=None, pattern=_DIGITS)
    stm: str | None = Field(default=None, pattern=_DIGITS)
    sid: str | None = None
    duid: str | None = None
    nuid: str | None = None
    uid: str | None = None
    url: str | None = None
    ua: str | None = None
    ue_pr: str | None = None
    ue_px: str | None = None
    co: str | None = None
    cx: str | None = None
    se_ca: str | None = None
    se_ac: str | None = None
    se_va: str | None = None
    tr_id: str | None = None
    tr_tt: str | None = None
    tr_cu: str | None = None
    tr_co: str | None = None


def key_of(posted: Posted) -> str:
    """Return the write key, which a tracker carries in its collector's address."""
    return posted.query.get("key", "")


def read(posted: Posted) -> Mapped:
    """Return the events of a payload."""
    found = list_in(json_object(posted.body), "data", MOST_EVENTS)
    agent = posted.headers.get("user-agent", "")
    return each(found, Payload2, lambda item, _number: _event(item, posted.received, agent))


def _event(item: Payload2, received: datetime, agent: str) -> dict[str, Any] | None:
    if item.e in _NO_STEP:
        return None
    told = _data(item.ue_pr, item.ue_px).get("data")
    inner = told if isinstance(told, dict) else {}
    kind, props = _told(item, inner)
    entities = _entities(item)
    sale = entities.get("transaction", {})
    visitor = item.sid or item.duid or item.nuid or item.eid
    return event(
        f"snowplow:{item.eid}",
        kind,
        _time(item, received),
        session_of(visitor),
        user=item.uid or "",
        dims={
            **dims_of(item.ua or agent, item.url or ""),
            "provider": str(sale.get("payment_method") or ""),
            "country": item.tr_co or "",
        },
        props={**props, "value": sale.get("revenue"), "currency": sale.get("currency")}
        if sale
        else props,
    )


def _told(item: Payload2, inner: Parts) -> tuple[str, Parts]:
    """Return the type and the props of an event."""
    data = inner.get("data")
    props = data if isinstance(data, dict) else {}
    if item.e == "se":
        return snake(item.se_ac or "event"), {"category": item.se_ca, "value": _number(item.se_va)}
    if item.e == "tr":
        worth = {"value": _number(item.tr_tt), "currency": item.tr_cu, "order": item.tr_id}
        return s.ORDER_COMPLETED, worth
    if item.e != "ue":
        return _STANDARD.get(item.e, item.e), {}
    name = _schema_name(inner.get("schema"))
    if name == "snowplow_ecommerce_action":
        action = str(props.get("type", ""))
        return _COMMERCE.get(action, snake(action)), props
    return _SCHEMAS.get(name, snake(name)), props


def _time(item: Payload2, received: datetime) -> datetime:
    """Return when it was: as told for certain, else by the device's clock, corrected."""
    if item.ttm:
        return _moment(item.ttm)
    if not item.dtm:
        return received
    return corrected(_moment(item.dtm), _moment(item.stm) if item.stm else None, received)


def _moment(milliseconds: str) -> datetime:
    return EPOCH + timedelta(milliseconds=min(int(milliseconds), 253_402_300_799_000))


def _entities(item: Payload2) -> dict[str, Parts]:
    """Return the entities that came along, by the name of their schema."""
    found: dict[str, Parts] = {}
    listed = _data(item.co, item.cx).get("data")
    for entity in listed if isinstance(listed, list) else ():
        if isinstance(entity, dict) and isinstance(entity.get("data"), dict):
            found[_schema_name(entity.get("schema"))] = entity["data"]
    return found


def _data(text: str | None, encoded: str | None) -> Parts:
    """Return self-describing JSON, plain or base64; what cannot be read is empty."""
    try:
        raw = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)) if encoded else text
        found = from_json(raw, allow_inf_nan=False) if raw else {}
    except (ValueError, binascii.Error):
        return {}
    return found if isinstance(found, dict) else {}


def _schema_name(schema: Any) -> str:
    """Return the name in ``iglu:vendor/name/format/version``."""
    parts = str(schema or "").split("/")
    return parts[1] if len(parts) > 1 else "event"


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


SOURCE = Source(
    name="snowplow",
    paths=(PATH,),
    summary="Take in events of Snowplow's trackers",
    key_of=key_of,
    read=read,
    answer=(200, "ok", "text/plain"),
    schema={
        "type": "object",
        "required": ["schema", "data"],
        "properties": {
            "schema": {"type": "string"},
            "data": {"type": "array", "items": {"type": "object"}},
        },
    },
)
