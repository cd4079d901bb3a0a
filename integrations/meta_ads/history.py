"""The activity log of a Meta ad account: who switched, funded, targeted or redrew what, and when.

An entry has no id of its own, so one is made of everything it says. A switch comes as several
entries (active, under review, inactive); each is a change, and only the certain ones carry an undo.
"""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import structlog
from pydantic import Field

from integrations.histories import History, Window
from integrations.http import VendorHttp
from integrations.inbound import Payload, change_id, part, title_of
from integrations.meta_ads.client import PLATFORM, VENDOR, call
from integrations.meta_ads.settings import MetaAdsSettings
from recoup.domain.changes import Change, ChangeKind
from recoup.domain.errors import InvalidInput, VendorRefused
from recoup.domain.ids import derive_id

FIELDS = "event_time,event_type,translated_event_type,object_id,object_name,object_type,"
FIELDS += "actor_name,extra_data"
PAGE = 200
MOST_PAGES = 100
RUN_STATUS = "update_campaign_run_status"
_ALTERING = ("create_", "update_campaign", "update_ad_", "update_adgroup", "campaign_", "merge_")
_ALSO_ALTERING = frozenset(
    {
        "account_spending_limit_reached",
        "ad_account_remove_spend_limit",
        "ad_account_reset_spend_limit",
        "ad_account_update_spend_limit",
        "ad_account_update_status",
        "ad_review_declined",
        "edit_and_update_ad_creative",
        "lifetime_budget_spent",
        "update_budget_flex_toggle_status",
        "update_delivery_type_cross_level_shift",
    }
)
"""What stops or moves the traffic without a hand on a campaign, or by another name."""
_WITHOUT_EFFECT = (
    "_name",
    "_labels",
    "_agency_fee",
    "_agency_fee_status",
    "_learning_stage_status",
    "_to_be_set_after_review",
)
_NOT_ADS = ("create_audience", "create_adaccount")
_ACTIVE, _INACTIVE = frozenset({1}), frozenset({7, 8, 15})
"""Codes of a run status as they come in ``extra_data``; the rest are on the way to one of them."""
_ACTIVE_WORDS, _INACTIVE_WORDS = frozenset({"Active"}), frozenset({"Inactive", "Paused"})

_log = structlog.get_logger()


class _Activity(Payload):
    event_time: str | int
    event_type: str = Field(min_length=1)
    translated_event_type: str = ""
    object_id: str = ""
    object_name: str = ""
    object_type: str = ""
    actor_name: str = ""
    extra_data: str = ""


async def read(settings: MetaAdsSettings, http: VendorHttp, window: Window) -> list[Change]:
    """Return what was altered in the account's campaigns, ad sets and ads in a window."""
    found = []
    async for entry in _entries(settings, http, window):
        try:
            activity = part(_Activity, entry)
            if alters(activity.event_type):
                found.append(_change(settings, activity))
        except InvalidInput as error:
            _log.warning("history.entry_unreadable", vendor=VENDOR, reason=str(error))
    return found


async def _entries(
    settings: MetaAdsSettings, http: VendorHttp, window: Window
) -> AsyncIterator[Any]:
    """Yield the entries of all pages; pages are asked for by cursor, never by the address given."""
    account = settings.account_id.removeprefix("act_")
    query = {
        "fields": FIELDS,
        "since": str(int(window.since.timestamp())),
        "until": str(int(window.until.timestamp()) + 1),
        "limit": str(PAGE),
    }
    seen: set[str] = set()
    for _ in range(MOST_PAGES):
        body = await call(settings, http, "GET", f"act_{account}/activities", params=query)
        entries = body.get("data")
        if not isinstance(entries, list):
            raise VendorRefused(f"{VENDOR} answered no list of activities")
        for entry in entries:
            yield entry
        after = _after(body)
        if not after or after in seen:
            return
        seen.add(after)
        query = {**query, "after": after}
    _log.warning("history.cut_off", vendor=VENDOR, pages=MOST_PAGES)


def _after(body: dict[str, Any]) -> str:
    paging = body.get("paging")
    if not isinstance(paging, dict) or not paging.get("next"):
        return ""
    cursors = paging.get("cursors")
    return str(cursors.get("after") or "") if isinstance(cursors, dict) else ""


def alters(event_type: str) -> bool:
    """Tell whether it may alter who comes to the shop."""
    return event_type in _ALSO_ALTERING or (
        event_type.startswith(_ALTERING)
        and not event_type.startswith(_NOT_ADS)
        and not event_type.endswith(_WITHOUT_EFFECT)
    )


def _change(settings: MetaAdsSettings, activity: _Activity) -> Change:
    details = _details(activity.extra_data)
    words = activity.translated_event_type or activity.event_type.replace("_", " ")
    title = f"{words}: {activity.object_name or activity.object_id}{_step(details)}"
    by = activity.actor_name
    unique = derive_id("entry", *activity.model_dump(exclude={"translated_event_type"}).values())
    return Change(
        id=change_id("meta", activity.event_type, activity.object_id, unique),
        kind=ChangeKind.CAMPAIGN,
        time=_moment(activity.event_time),
        title=title_of(f"{title} (by {by or 'somebody'})"),
        ref=activity.object_id[:500],
        scope=_scope(settings, activity),
        undo=_undo(activity, details),
        by=by[:200],
    )


def _moment(text: str | int) -> datetime:
    try:
        if isinstance(text, int):
            return datetime.fromtimestamp(text, UTC)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidInput(f"event_time: {text!r} is no time") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _details(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _step(details: dict[str, Any]) -> str:
    """Return ``, old to new`` where the entry has plain values."""
    old, new = details.get("old_value"), details.get("new_value")
    plain = [value for value in (old, new) if isinstance(value, str | int | float)]
    return f", {plain[0]} to {plain[1]}" if len(plain) == 2 else ""


def _scope(settings: MetaAdsSettings, activity: _Activity) -> dict[str, str | list[str]]:
    of_campaign = activity.event_type.startswith(("update_campaign", "create_campaign", "campaign"))
    value = {"name": activity.object_name, "id": activity.object_id}.get(settings.utm_campaign, "")
    return {"campaign": value} if of_campaign and value else {}


def _undo(activity: _Activity, details: dict[str, Any]) -> dict[str, Any]:
    """Return how a switched campaign is switched back; nothing for what is not certain."""
    if activity.event_type != RUN_STATUS or not activity.object_id:
        return {}
    codes = details.get("run_status")
    code = codes.get("new_value") if isinstance(codes, dict) else None
    word = details.get("new_value")
    is_word = isinstance(word, str) and code is None
    is_code = isinstance(code, int)
    if (is_code and code in _ACTIVE) or (is_word and word in _ACTIVE_WORDS):
        action = "campaign_pause"
    elif (is_code and code in _INACTIVE) or (is_word and word in _INACTIVE_WORDS):
        action = "campaign_resume"
    else:
        return {}
    return {"action": action, "campaign_id": activity.object_id, "platform": PLATFORM}


HISTORY = History(
    name="meta_ads",
    section=MetaAdsSettings,
    poll_s=lambda settings: settings.poll_s if settings.access_token and settings.account_id else 0,
    read=read,
)
