"""Slack as a Notifier: one message an incident, edited in place, with a thread."""

from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from integrations.slack.blocks import escape, fallback, message
from integrations.slack.settings import SlackSettings
from recoup.domain.errors import TransientVendorError, VendorRefused
from recoup.domain.incident import Incident

_FINAL = frozenset(
    {
        "invalid_auth",
        "not_authed",
        "channel_not_found",
        "not_in_channel",
        "invalid_blocks",
        "account_inactive",
        "missing_scope",
    }
)
LONGEST_REPLY = 3000


def web_client(settings: SlackSettings) -> AsyncWebClient:
    """Return the SDK's client for these settings; it obeys Retry-After."""
    token = settings.bot_token.get_secret_value() if settings.bot_token else ""
    client = AsyncWebClient(token=token, base_url=settings.base_url)
    client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=2))
    return client


class SlackNotifier:
    """Posts and redraws incident messages."""

    def __init__(self, settings: SlackSettings, public_url: str) -> None:
        self._settings = settings
        self._public_url = public_url

    async def post(self, incident: Incident) -> dict[str, str]:
        """Post the incident's message; return its channel and time stamp."""
        answer = await self._call(
            "chat_postMessage",
            channel=self._settings.channel,
            text=escape(fallback(incident)),
            blocks=message(incident, self._public_url),
        )
        return {"channel": str(answer["channel"]), "ts": str(answer["ts"])}

    async def update(self, incident: Incident, reference: dict[str, str]) -> None:
        """Redraw the incident's message from its present state."""
        await self._call(
            "chat_update",
            channel=reference["channel"],
            ts=reference["ts"],
            text=escape(fallback(incident)),
            blocks=message(incident, self._public_url),
        )

    async def reply(self, reference: dict[str, str], text: str) -> None:
        """Add a line to the incident's thread."""
        await self._call(
            "chat_postMessage",
            channel=reference["channel"],
            thread_ts=reference["ts"],
            text=escape(text)[:LONGEST_REPLY],
        )

    async def _call(self, method: str, **arguments: Any) -> dict[str, Any]:
        client = web_client(self._settings)
        try:
            answer = await getattr(client, method)(**arguments)
        except SlackApiError as error:
            reason = str(error.response.get("error", "unknown"))
            if reason in _FINAL:
                raise VendorRefused(f"Slack refused: {reason}", kind=reason) from error
            raise TransientVendorError(f"Slack failed: {reason}") from error
        except (OSError, TimeoutError) as error:
            raise TransientVendorError(f"Slack cannot be reached: {error}") from error
        found: dict[str, Any] = dict(answer.data)
        return found
