"""Signatures of webhooks, made and checked over the raw bytes and in constant time."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

from recoup.domain.errors import ConfigurationError, NotAllowed

TOLERANCE_S = 300
"""How old, or how far in the future, a signed timestamp may be."""


def hmac_hex(secret: str, body: bytes) -> str:
    """Return the HMAC-SHA256 of the body in hex."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def verify_hex(secret: str, body: bytes, given: str, *, prefix: str = "") -> None:
    """Check a hex HMAC-SHA256 of the body. Raises NotAllowed when it does not hold."""
    _compare(prefix + hmac_hex(_present(secret), body), given)


def verify_base64(secret: str, body: bytes, given: str) -> None:
    """Check a base64 HMAC-SHA256 of the body. Raises NotAllowed when it does not hold."""
    digest = hmac.new(_present(secret).encode(), body, hashlib.sha256).digest()
    _compare(base64.b64encode(digest).decode(), given)


def verify_token(secret: str, given: str) -> None:
    """Check a plain shared token. Raises NotAllowed when it differs."""
    _compare(_present(secret), given)


def sign_slack(secret: str, timestamp: int, body: bytes) -> str:
    """Return Slack's ``X-Slack-Signature`` for a body."""
    return "v0=" + hmac_hex(secret, f"v0:{timestamp}:".encode() + body)


def sign_standard(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the ``webhook-signature`` of Standard Webhooks for a body."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(_standard_key(secret), signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


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
    parts = [part.encode() for part in given.split()]
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
    if not hmac.compare_digest(wanted.encode(), given.encode()):
        raise NotAllowed("the signature does not match the body")
