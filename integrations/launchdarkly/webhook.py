"""LaunchDarkly's webhooks: signed audit entries become changes, with what undoes them."""

import json
from collections.abc import Mapping
from typing import Any

from integrations.launchdarkly.settings import LaunchDarklySettings
from integrations.signatures import verify_hex
from recoup.domain.base import from_ms
from recoup.domain.changes import Change, ChangeKind
from recoup.domain.errors import InvalidInput, NotAllowed

_TURNED = {"updateOn": True, "turnFlagOn": True, "turnFlagOff": False}


def changes_of(
    settings: LaunchDarklySettings, headers: Mapping[str, str], body: bytes
) -> list[Change]:
    """Return the changes that a delivery tells of; empty for what is no flag change.

    Raises NotAllowed when the signature does not hold, InvalidInput for another body.
    """
    if settings.webhook_secret is None:
        raise NotAllowed("no secret is configured for LaunchDarkly's webhooks")
    secret = settings.webhook_secret.get_secret_value()
    verify_hex(secret, body, headers.get("x-ld-signature", ""))
    try:
        entry = json.loads(body)
        return _read(settings, entry) if isinstance(entry, dict) else []
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"not an audit entry of LaunchDarkly: {error}") from error


def _read(settings: LaunchDarklySettings, entry: dict[str, Any]) -> list[Change]:
    if entry.get("kind") != "flag":
        return []
    key = _flag_key(entry)
    turned_on = _was_turned_on(entry, settings.environment)
    undo = {}
    if key and turned_on is not None:
        undo = {
            "action": "flag_rollback",
            "flag": key,
            "project": settings.project,
            "environment": settings.environment,
            "on": not turned_on,
        }
    by = str((entry.get("member") or {}).get("email", ""))
    title = str(entry.get("title") or f"{entry.get('titleVerb', 'changed')} {entry.get('name')}")
    return [
        Change(
            id=f"launchdarkly:{entry['_id']}",
            kind=ChangeKind.FLAG,
            time=from_ms(int(entry["date"])),
            title=f"{title} (by {by or 'somebody'})"[:500],
            ref=key,
            undo=undo,
            by=by[:200],
        )
    ]


def _flag_key(entry: dict[str, Any]) -> str:
    """Return the key from ``proj/p:env/e:flag/KEY``."""
    for access in entry.get("accesses", ()):
        _, separator, key = str(access.get("resource", "")).rpartition("flag/")
        if separator:
            return key
    return str(entry.get("name", ""))


def _was_turned_on(entry: dict[str, Any], environment: str) -> bool | None:
    after = (entry.get("currentVersion") or {}).get("environments", {}).get(environment, {})
    before = (entry.get("previousVersion") or {}).get("environments", {}).get(environment, {})
    if "on" in after and after.get("on") != before.get("on"):
        return bool(after["on"])
    actions = [str(access.get("action", "")) for access in entry.get("accesses", ())]
    return next(
        (_TURNED[action] for action in actions if action in _TURNED and "on" in after), None
    )
