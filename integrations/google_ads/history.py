"""The change events of a Google Ads customer: campaigns, budgets, targeting and ads.

Google keeps thirty days, shows a change up to three minutes late, and tells its time in the
account's own time zone. Of one hand's equal doings within a minute (an upload of a hundred ads)
one change is made.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog
from pydantic import Field

from integrations.google_ads.client import ENABLED, PLATFORM, VENDOR, GoogleCampaigns
from integrations.google_ads.settings import GoogleAdsSettings
from integrations.histories import History, Window
from integrations.http import VendorHttp
from integrations.inbound import Payload, change_id, part, title_of
from recoup.domain.changes import Change, ChangeKind
from recoup.domain.errors import InvalidInput, VendorRefused
from recoup.domain.ids import derive_id

KEPT = timedelta(days=29)
A_DAY = timedelta(days=1)
"""Asked for beyond the present, so that the hour that comes twice in autumn is not cut off."""
MOST_ROWS = 10_000
MOST_ROUNDS = 20
_WHAT = {
    "CAMPAIGN": "campaign",
    "CAMPAIGN_BUDGET": "budget",
    "CAMPAIGN_CRITERION": "targeting",
    "AD_GROUP": "ad group",
    "AD_GROUP_AD": "ad",
    "AD": "ad",
}
_DONE = {"CREATE": "created", "UPDATE": "changed", "REMOVE": "removed"}
_SELECT = """\
SELECT change_event.resource_name, change_event.change_date_time,
 change_event.change_resource_type, change_event.change_resource_name, change_event.user_email,
 change_event.client_type, change_event.resource_change_operation, change_event.changed_fields,
 change_event.old_resource, change_event.new_resource, campaign.id, campaign.name
 FROM change_event"""

_log = structlog.get_logger()


class _Campaign(Payload):
    id: str = ""
    name: str = ""


class _Event(Payload):
    time: str = Field(alias="changeDateTime", min_length=1)
    resource: str = Field(alias="changeResourceName", default="")
    type: str = Field(alias="changeResourceType", default="")
    operation: str = Field(alias="resourceChangeOperation", default="")
    fields: str = Field(alias="changedFields", default="")
    by: str = Field(alias="userEmail", default="")
    client: str = Field(alias="clientType", default="")
    old: dict[str, Any] = Field(alias="oldResource", default_factory=dict)
    new: dict[str, Any] = Field(alias="newResource", default_factory=dict)


class _Row(Payload):
    event: _Event = Field(alias="changeEvent")
    campaign: _Campaign = _Campaign()


async def read(settings: GoogleAdsSettings, http: VendorHttp, window: Window) -> list[Change]:
    """Return what was altered in the customer's campaigns in a window."""
    client = GoogleCampaigns(settings, http)
    zone = await _zone(client)
    since = max(window.since, window.until - KEPT).astimezone(zone)
    until = (window.until + A_DAY).astimezone(zone)
    found: dict[str, Change] = {}
    for _ in range(MOST_ROUNDS):
        rows = await client.search(_query(since, until))
        for change in _changes(settings, rows, zone):
            found.setdefault(change.id, change)
        last = _last(rows, zone)
        if len(rows) < MOST_ROWS or last is None or _local(last) <= _local(since):
            return list(found.values())
        since = last
    _log.warning("history.cut_off", vendor=VENDOR, rounds=MOST_ROUNDS)
    return list(found.values())


async def _zone(client: GoogleCampaigns) -> ZoneInfo:
    rows = await client.search("SELECT customer.time_zone FROM customer LIMIT 1")
    customer = rows[0].get("customer") if rows else None
    name = customer.get("timeZone") if isinstance(customer, dict) else None
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise VendorRefused(f"{VENDOR} names no time zone of the customer: {name!r}") from error


def _query(since: datetime, until: datetime) -> str:
    types = ", ".join(f"'{name}'" for name in _WHAT)
    return (
        f"{_SELECT} WHERE change_event.change_date_time >= '{_local(since)}'"
        f" AND change_event.change_date_time <= '{_local(until)}'"
        f" AND change_event.change_resource_type IN ({types})"
        f" ORDER BY change_event.change_date_time ASC LIMIT {MOST_ROWS}"
    )


def _local(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _last(rows: list[dict[str, Any]], zone: ZoneInfo) -> datetime | None:
    """Return the time of the last row, from which a further round goes on."""
    try:
        return _moment(part(_Row, rows[-1]).event.time, zone).astimezone(zone)
    except (InvalidInput, IndexError):
        return None


def _changes(
    settings: GoogleAdsSettings, rows: Iterable[dict[str, Any]], zone: ZoneInfo
) -> Iterable[Change]:
    for entry in rows:
        try:
            row = part(_Row, entry)
            if row.event.type in _WHAT:
                yield _change(settings, row, _moment(row.event.time, zone))
        except InvalidInput as error:
            _log.warning("history.entry_unreadable", vendor=VENDOR, reason=str(error))


def _moment(text: str, zone: ZoneInfo) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"changeDateTime: {text!r} is no time") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _change(settings: GoogleAdsSettings, row: _Row, moment: datetime) -> Change:
    event, campaign = row.event, row.campaign
    fields = ", ".join(sorted(filter(None, event.fields.split(","))))
    done = (event.type, event.operation, fields, _step(event), event.by)
    unique = derive_id("event", *done, f"{moment:%F %R}")
    name = campaign.name or campaign.id or event.resource
    what = f"{_WHAT[event.type]} {_DONE.get(event.operation, 'changed')}"
    step = _step(event) or (_told(event, fields) if event.operation == "UPDATE" else "")
    said = f"{what} in {name}" if event.type != "CAMPAIGN" else f"{what}: {name}"
    by = event.by or event.client.replace("_", " ").lower() or "somebody"
    return Change(
        id=change_id("google_ads", campaign.id or "account", unique),
        kind=ChangeKind.CAMPAIGN,
        time=moment,
        title=title_of(f"{said}{f', {step}' if step else ''} (by {by})"),
        ref=(campaign.id or event.resource)[:500],
        scope=_scope(settings, campaign),
        undo=_undo(event, campaign),
        by=event.by[:200],
    )


def _scope(settings: GoogleAdsSettings, campaign: _Campaign) -> dict[str, str | list[str]]:
    value = {"name": campaign.name, "id": campaign.id}.get(settings.utm_campaign, "")
    return {"campaign": value} if value else {}


def _status(resource: dict[str, Any]) -> str:
    campaign = resource.get("campaign")
    return str(campaign.get("status") or "") if isinstance(campaign, dict) else ""


def _step(event: _Event) -> str:
    old, new = _status(event.old), _status(event.new)
    return f"{old} to {new}" if old and new else ""


def _told(event: _Event, fields: str) -> str:
    """Return what became of each field, ``amount 50 to 90``, as far as the values are plain."""
    told = []
    for field in filter(None, fields.split(", ")):
        old, new = _value(event.old, field), _value(event.new, field)
        told.append(f"{field.removesuffix('Micros')} {old} to {new}" if old and new else field)
    return ", ".join(told)


def _value(resource: dict[str, Any], field: str) -> str:
    """Return the plain value of a field of whatever resource it is; money is in millionths."""
    value: Any = next(iter(resource.values()), None)
    for name in field.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    text = str(value) if isinstance(value, str | int | float) else ""
    if field.endswith("Micros") and text.isdigit():
        return f"{int(text) / 1e6:g}"
    return text


def _undo(event: _Event, campaign: _Campaign) -> dict[str, Any]:
    """Return how a switched campaign is switched back; nothing for what is not certain."""
    switched = event.type == "CAMPAIGN" and "status" in event.fields.split(",")
    status = _status(event.new)
    if not switched or not campaign.id.isdigit() or status not in (ENABLED, "PAUSED"):
        return {}
    action = "campaign_pause" if status == ENABLED else "campaign_resume"
    return {"action": action, "campaign_id": campaign.id, "platform": PLATFORM}


HISTORY = History(
    name="google_ads",
    section=GoogleAdsSettings,
    poll_s=lambda settings: settings.poll_s if settings.configured else 0,
    read=read,
)
