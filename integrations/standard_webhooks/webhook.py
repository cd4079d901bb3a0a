"""Generic webhooks, signed as Standard Webhooks asks: the body is a change, or holds one as data.

A message that comes again has the same id and counts once. One whose signed time is more than five
minutes away is refused.
"""

from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json

from integrations.inbound import Delivery, Received, Webhook, change_id, part, secret_of
from integrations.signatures import standard_headers, verify_standard
from integrations.standard_webhooks.settings import StandardWebhooksSettings
from recoup.domain.changes import Change
from recoup.domain.errors import InvalidInput


def read(settings: StandardWebhooksSettings, delivery: Delivery) -> Received:
    """Return the change in a message. ``id`` and ``time`` may be left to the message's own."""
    secrets = [secret_of(settings, "webhook_secret")]
    if settings.previous_secret is not None:
        secrets.append(settings.previous_secret.get_secret_value())
    now_s = delivery.now.timestamp()
    message_id = verify_standard(tuple(secrets), delivery.headers, delivery.body, now_s)
    stamp = int(delivery.headers["webhook-timestamp"])
    return Received([_change(_content(delivery.body), message_id, stamp)])


def _content(body: bytes) -> dict[str, Any]:
    try:
        message = from_json(body)
    except ValueError as error:
        raise InvalidInput(f"the body is not JSON: {error}") from error
    if isinstance(message, dict) and isinstance(message.get("data"), dict):
        message = message["data"]
    if not isinstance(message, dict):
        raise InvalidInput("the body is neither a change nor an object with one as `data`")
    return message


def _change(content: dict[str, Any], message_id: str, stamp: int) -> Change:
    told = {
        "id": change_id("standard", message_id),
        "time": datetime.fromtimestamp(stamp, UTC),
        **content,
    }
    return part(Change, told)


def sign(settings: StandardWebhooksSettings, body: bytes, now: datetime) -> dict[str, str]:
    """Return the headers with which the vendor would send a body."""
    return standard_headers(secret_of(settings, "webhook_secret"), body, now)


WEBHOOK = Webhook(
    name="standard",
    section=StandardWebhooksSettings,
    summary="Take in a change signed as Standard Webhooks asks",
    read=read,
    sign=sign,
)
