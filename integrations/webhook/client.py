"""Calls a customer's own endpoint with a message signed as Standard Webhooks asks."""

import json
from typing import Any
from urllib.parse import urlsplit

from integrations.http import VendorHttp
from integrations.signatures import sign_standard
from integrations.webhook.settings import WebhookSettings
from recoup.domain.clock import Clock, SystemClock
from recoup.domain.errors import ConfigurationError, VendorRefused

VENDOR = "the webhook endpoint"


class SignedWebhooks:
    """Posts JSON; the idempotency key is the message id, so a receiver can tell a repeat."""

    def __init__(
        self, settings: WebhookSettings, http: VendorHttp, clock: Clock | None = None
    ) -> None:
        self._settings = settings
        self._http = http
        self._clock = clock or SystemClock()

    async def call(self, url: str, body: dict[str, Any], *, idempotency_key: str) -> dict[str, Any]:
        """Post the body; return the JSON answer (``{}`` when there is none).

        An answer that says ``"ok": false`` or has an ``error`` is no success, whatever its status.
        """
        host = urlsplit(url).hostname or ""
        if self._settings.hosts and host not in self._settings.hosts:
            raise VendorRefused(
                f"{host!r} is not one of the hosts that Recoup may call (RECOUP_WEBHOOK_HOSTS)",
                kind="forbidden",
            )
        if self._settings.secret is None:
            raise ConfigurationError("set RECOUP_WEBHOOK_SECRET to call webhooks")
        raw = json.dumps(body, separators=(",", ":")).encode()
        stamp = int(self._clock.now().timestamp())
        signature = sign_standard(
            self._settings.secret.get_secret_value(), idempotency_key, stamp, raw
        )
        answer = await self._http.request(
            VENDOR,
            "POST",
            url,
            content=raw,
            headers={
                "content-type": "application/json",
                "webhook-id": idempotency_key,
                "webhook-timestamp": str(stamp),
                "webhook-signature": signature,
            },
            repeatable=True,
            secrets=(self._settings.secret.get_secret_value(),),
        )
        try:
            found = answer.json()
        except ValueError:
            return {}
        if not isinstance(found, dict):
            return {}
        if found.get("ok") is False or found.get("error"):
            reason = str(found.get("error") or found.get("message") or "ok is false")
            raise VendorRefused(f"{VENDOR} answered {answer.status_code}, but: {reason[:300]}")
        return found
