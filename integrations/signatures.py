"""Signatures of webhooks, made and checked over the raw bytes and in constant time."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

from recoup.domain.errors import ConfigurationError, NotAllowed

TOLERANCE_S = 300
"""How old, or how far in the future, a signed timestamp may be."""


def hmac_hex(secret: str, body: bytes) -> str:
    """Return the HMAC-SHA256 of the body in hex."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def hmac_base64(secret: str, body: bytes) -> str:
    """Return the HMAC-SHA256 of the body in base64."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def verify_hex(secret: str, body: bytes, given: str, *, prefix: str = "") -> None:
    """Check a hex HMAC-SHA256 of the body. Raises NotAllowed when it does not hold."""
    _compare(prefix + hmac_hex(_present(secret), body), given)


def verify_base64(secret: str, body: bytes, given: str) -> None:
    """Check a base64 HMAC-SHA256 of the body. Raises NotAllowed when it does not hold."""
    _compare(hmac_base64(_present(secret), body), given)


def verify_token(secret: str, given: str) -> None:
    """Check a plain shared token. Raises NotAllowed when it differs."""
    _compare(_present(secret), given)


def verify_bearer(secret: str, headers: Mapping[str, str]) -> None:
    """Check an ``Authorization: Bearer`` header. Raises NotAllowed when its token differs."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise NotAllowed("send the token as `Authorization: Bearer TOKEN`")
    verify_token(secret, token.strip())


def check_standard_secret(secret: str) -> None:
    """Raise ConfigurationError for a secret that no message can be signed with."""
    _standard_key(secret)


def sign_slack(secret: str, timestamp: int, body: bytes) -> str:
    """Return Slack's ``X-Slack-Signature`` for a body."""
    return "v0=" + hmac_hex(secret, f"v0:{timestamp}:".encode() + body)


def sign_standard(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the ``webhook-signature`` of Standard Webhooks for a body."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(_standard_key(secret), signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def standard_headers(secret: str, body: bytes, now: datetime) -> dict[str, str]:
    """Return the headers of a message that is signed now; its id is made of its content."""
    message_id = "msg_" + hashlib.sha256(body).hexdigest()[:24]
    stamp = int(now.timestamp())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(stamp),
        "webhook-signature": sign_standard(secret, message_id, stamp, body),
    }


def verify_standard(
    secrets: tuple[str, ...], headers: Mapping[str, str], body: bytes, now_s: float
) -> str:
    """Check a Standard Webhooks message against any of the secrets; return the message's id.

    Several secrets are in force while one replaces another. Raises NotAllowed when none fits, a
    header is missing, or the message is older than five minutes.
    """
    message_id, given = headers.get("webhook-id", ""), headers.get("webhook-signature", "")
    stamp = headers.get("webhook-timestamp", "")
    if not (message_id and given and stamp.isascii() and stamp.isdigit() and len(stamp) < 12):
        raise NotAllowed("webhook-id, webhook-timestamp and webhook-signature are required")
    if abs(now_s - int(stamp)) > TOLERANCE_S:
        raise NotAllowed("the message is too old, or from the future")
    parts = [part.encode(errors="replace") for part in given.split()]
    for secret in secrets:
        wanted = sign_standard(secret, message_id, int(stamp), body).encode()
        if any(hmac.compare_digest(wanted, part) for part in parts):
            return message_id
    raise NotAllowed("the signature does not match the body")


def _standard_key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConfigurationError("a webhook secret is base64 after 'whsec_'") from error
    if len(key) < 24:
        raise ConfigurationError("a webhook secret has at least 24 bytes")
    return key


def _present(secret: str) -> str:
    if not secret:
        raise NotAllowed("no secret is configured for this webhook, so nothing can be verified")
    return secret


def _compare(wanted: str, given: str) -> None:
    if not hmac.compare_digest(wanted.encode(), given.encode(errors="replace")):
        raise NotAllowed("the signature or the token is not the one that was agreed")
