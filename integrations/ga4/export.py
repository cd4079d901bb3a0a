"""Rows of the BigQuery export of Google Analytics 4 as storefront events."""

from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from integrations.eventing import Mapped, each, event, session_of
from integrations.ga4.events import EPOCH, Micros
from integrations.ga4.naming import os_of, type_of
from integrations.inbound import Payload
from recoup.domain.ids import derive_id


def _params(rows: Any) -> Any:
    """Turn ``[{"key": k, "value": {"int_value": 1, ...}}]`` into ``{k: 1}``."""
    if isinstance(rows, dict) or rows is None:
        return rows or {}
    found: dict[str, Any] = {}
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and isinstance(row.get("value"), dict):
            told = ((kind, value) for kind, value in row["value"].items() if value is not None)
            found[str(row.get("key"))] = _value(*next(told, ("", None)))
    return found


def _value(kind: str, value: Any) -> Any:
    """Return a value; whole numbers come as texts in NDJSON, as numbers in Parquet."""
    if kind == "int_value" and isinstance(value, str) and value.lstrip("-").isdigit():
        return int(value)
    return value


class _Web(Payload):
    browser: str | None = None


class _Device(Payload):
    category: str | None = None
    operating_system: str | None = None
    operating_system_version: str | None = None
    browser: str | None = None
    web_info: _Web | None = None


class _Geo(Payload):
    country: str | None = None
    region: str | None = None


class _Traffic(Payload):
    name: str | None = None
    manual_campaign_name: str | None = None


class _Commerce(Payload):
    transaction_id: str | None = None
    purchase_revenue: float | None = None


class Row(Payload):
    """The part of an exported row that is read here."""

    event_name: str = Field(min_length=1)
    event_timestamp: Micros
    user_pseudo_id: str | None = None
    user_id: str | None = None
    event_params: Annotated[dict[str, Any], BeforeValidator(_params)] = Field(default_factory=dict)
    device: _Device | None = None
    geo: _Geo | None = None
    traffic_source: _Traffic | None = None
    collected_traffic_source: _Traffic | None = None
    ecommerce: _Commerce | None = None
    batch_event_index: int | None = None
    batch_page_id: int | None = None
    batch_ordering_id: int | None = None


def events_of(rows: list[Any]) -> Mapped:
    """Return the events of exported rows; the same rows give the same ids, however often."""
    return each(rows, Row, lambda row, _number: _event(row))


def _event(row: Row) -> dict[str, Any]:
    order = (row.ecommerce.transaction_id if row.ecommerce else None) or row.event_params.get(
        "transaction_id"
    )
    session = str(row.event_params.get("ga_session_id") or "")
    visitor = row.user_pseudo_id or row.user_id or ""
    if row.event_name == "purchase" and order and order != "(not set)":
        event_id = f"ga4:purchase:{order}"
    else:
        place = (row.batch_page_id, row.batch_ordering_id, row.batch_event_index)
        told = (visitor, session, row.event_name, row.event_timestamp, *place)
        event_id = derive_id("ga4", *told)
    return event(
        event_id,
        type_of(row.event_name),
        EPOCH + timedelta(microseconds=row.event_timestamp),
        session_of(visitor, session),
        user=row.user_id or "",
        dims=_dims(row),
        props=_props(row),
    )


def _dims(row: Row) -> dict[str, str]:
    device, geo = row.device or _Device(), row.geo or _Geo()
    browser = (device.web_info.browser if device.web_info else None) or device.browser
    campaign = row.event_params.get("campaign")
    if not campaign and row.collected_traffic_source:
        campaign = row.collected_traffic_source.manual_campaign_name
    if not campaign and row.traffic_source:
        campaign = row.traffic_source.name
    return {
        "device": device.category or "",
        "os": os_of(device.operating_system, device.operating_system_version),
        "browser": browser or "",
        "country": geo.country or "",
        "region": geo.region or "",
        "campaign": str(campaign or ""),
        "provider": str(row.event_params.get("payment_type") or ""),
    }


def _props(row: Row) -> dict[str, Any]:
    props = dict(row.event_params)
    if row.ecommerce and row.ecommerce.purchase_revenue is not None:
        props.setdefault("value", row.ecommerce.purchase_revenue)
    return props
