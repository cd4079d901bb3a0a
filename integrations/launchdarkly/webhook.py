"""LaunchDarkly's webhooks: signed audit entries become changes, with what undoes them.

Deliveries come in any order: a change has the time of its entry, and everything that looks at
changes looks at them by time. The id is the entry's, so a repeat or a replay counts once. Entries
of other projects and environments, and those that alter nothing anybody is served, are passed over.
"""

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from integrations.inbound import (
    Delivery,
    Payload,
    Received,
    Webhook,
    change_id,
    parse,
    secret_of,
    title_of,
)
from integrations.launchdarkly.settings import LaunchDarklySettings
from integrations.signatures import hmac_hex, verify_hex
from recoup.domain.base import from_ms
from recoup.domain.changes import Change, ChangeKind

_TURNED = {"turned on the flag": True, "turned off the flag": False}
"""What the title says, by which a switch is known when an entry carries no versions."""
_WITHOUT_EFFECT = frozenset(
    {
        "updateName",
        "updateDescription",
        "updateTag",
        "updateTags",
        "updateMaintainer",
        "updateTemporary",
        "updateIncludeInSnippet",
        "updateClientSideFlagAvailability",
        "createFlagLink",
        "updateFlagLink",
        "deleteFlagLink",
        "createFlag",
    }
)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_MARK = re.compile(r"(`|~~|\*\*?)(\S(?:.*?\S)?)\1")
_BULLET = re.compile(r"^[\s>]*(?:[*-] )?")
"""Titles and descriptions come as Markdown; people read what it says."""

LONGEST_DETAILS = 250
_LAST_MS = 253_402_300_799_000


class _Access(Payload):
    action: str = ""
    resource: str = ""


class _Member(Payload):
    email: str = ""


class _Version(Payload):
    environments: dict[str, dict[str, Any]] = Field(default_factory=dict)


class _Entry(Payload):
    id: str = Field(alias="_id", min_length=1)
    kind: str
    date: Annotated[int, Field(ge=0, le=_LAST_MS)]
    name: str = ""
    title: str | None = None
    description: str = ""
    titleVerb: str | None = None  # noqa: N815 - as LaunchDarkly spells it
    accesses: list[_Access] = Field(default_factory=list)
    member: _Member | None = None
    currentVersion: _Version | None = None  # noqa: N815
    previousVersion: _Version | None = None  # noqa: N815


class _Kind(Payload):
    kind: str = ""


def read(settings: LaunchDarklySettings, delivery: Delivery) -> Received:
    """Return the flag change that a delivery tells of, if it is one."""
    secret = secret_of(settings, "webhook_secret")
    verify_hex(secret, delivery.body, delivery.headers.get("x-ld-signature", ""))
    if parse(_Kind, delivery.body).kind != "flag":
        return Received()
    entry = parse(_Entry, delivery.body)
    if not _concerns(settings, entry):
        return Received()
    return Received([_change(settings, entry)])


def _concerns(settings: LaunchDarklySettings, entry: _Entry) -> bool:
    """Tell whether the entry alters what the configured environment serves."""
    if not entry.accesses:
        return True
    wanted = {f"proj/{settings.project}:env/{name}" for name in (settings.environment, "*")}
    return any(
        access.resource.partition(":flag/")[0] in wanted and access.action not in _WITHOUT_EFFECT
        for access in entry.accesses
    )


def _change(settings: LaunchDarklySettings, entry: _Entry) -> Change:
    key = _flag_key(entry)
    turned_on = _was_turned_on(entry, settings.environment)
    undo: dict[str, Any] = {}
    if key and turned_on is not None:
        undo = {
            "action": "flag_rollback",
            "flag": key,
            "project": settings.project,
            "environment": settings.environment,
            "on": not turned_on,
        }
    by = entry.member.email if entry.member else ""
    title = _plain(entry.title or f"{entry.titleVerb or 'changed'} {entry.name}")
    lines = entry.description[: 4 * LONGEST_DETAILS].splitlines()
    details = "; ".join(filter(None, map(_plain, lines)))[:LONGEST_DETAILS]
    return Change(
        id=change_id("launchdarkly", entry.id),
        kind=ChangeKind.FLAG,
        time=from_ms(entry.date),
        title=title_of(f"{title}{': ' if details else ''}{details} (by {by or 'somebody'})"),
        ref=key[:500],
        undo=undo,
        by=by[:200],
    )


def _flag_key(entry: _Entry) -> str:
    """Return the key from ``proj/p:env/e:flag/KEY``."""
    for access in entry.accesses:
        _, separator, key = access.resource.rpartition("flag/")
        if separator:
            return key.partition(";")[0]
    return entry.name


def _was_turned_on(entry: _Entry, environment: str) -> bool | None:
    """Return which way the flag was switched, None when it was not or cannot be told."""
    after = _environment(entry.currentVersion, environment)
    before = _environment(entry.previousVersion, environment)
    if "on" in after and "on" in before:
        return bool(after["on"]) if after["on"] != before["on"] else None
    return _TURNED.get(entry.titleVerb or "")


def _plain(text: str) -> str:
    """Return what a line of Markdown says."""
    return _MARK.sub(r"\2", _MARK.sub(r"\2", _LINK.sub(r"\1", _BULLET.sub("", text)))).strip()


def _environment(version: _Version | None, name: str) -> dict[str, Any]:
    return version.environments.get(name, {}) if version else {}


def sign(settings: LaunchDarklySettings, body: bytes, _now: datetime) -> dict[str, str]:
    """Return the headers with which the vendor would send a body."""
    return {"x-ld-signature": hmac_hex(secret_of(settings, "webhook_secret"), body)}


WEBHOOK = Webhook(
    name="launchdarkly",
    section=LaunchDarklySettings,
    summary="Take in a flag change from LaunchDarkly",
    read=read,
    sign=sign,
)
