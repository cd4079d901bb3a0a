"""Slack as a Notifier: one message an incident, edited in place, with a thread."""

from functools import partial
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from integrations.slack.blocks import fallback, message
from integrations.slack.charts import Charts, ChartSource
from integrations.slack.pacing import Pacer, Redraws
from integrations.slack.settings import SlackSettings
from integrations.slack.text import lines_within, outside
from recoup.domain.errors import TransientVendorError, VendorRefused
from recoup.domain.incident import Incident

_FINAL = frozenset(
    {
        "invalid_auth",
        "not_authed",
        "token_revoked",
        "token_expired",
        "channel_not_found",
        "not_in_channel",
        "is_archived",
        "invalid_blocks",
        "invalid_blocks_format",
        "msg_blocks_too_long",
        "msg_too_long",
        "account_inactive",
        "missing_scope",
    }
)
_GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
MESSAGE_GONE = "message_gone"
"""The kind of the refusal when the message to be redrawn was deleted: post a new one."""
LONGEST_REPLY = 3000
LONGEST_LINE = 1000
TIMEOUT_S = 10


def web_client(settings: SlackSettings) -> AsyncWebClient:
    """Return the SDK's client for these settings."""
    token = settings.bot_token.get_secret_value() if settings.bot_token else ""
    return AsyncWebClient(token=token, base_url=settings.base_url, timeout=TIMEOUT_S)


def reason_of(error: SlackApiError) -> str:
    """Return Slack's word for what went wrong; an answer that is no JSON has none."""
    data = error.response.data
    if isinstance(data, dict):
        return str(data.get("error", "unknown"))
    return f"status {error.response.status_code}, no JSON"


class SlackNotifier:
    """Posts and redraws incident messages, within Slack's limit for each channel."""

    def __init__(
        self, settings: SlackSettings, public_url: str, draw: ChartSource | None = None
    ) -> None:
        self._settings = settings
        self._public_url = public_url
        self._charts = Charts(draw, lambda: web_client(settings))
        self._pacer = Pacer(settings.gap_s)
        self._redraws = Redraws(self._pacer)

    async def post(self, incident: Incident) -> dict[str, str]:
        """Post the incident's message; return its channel and time stamp."""
        channel = self._settings.channel
        await self._pacer.turn(channel)
        answer = await self._draw("chat_postMessage", incident, channel=channel)
        return {"channel": str(answer["channel"]), "ts": str(answer["ts"])}

    async def update(self, incident: Incident, reference: dict[str, str]) -> None:
        """Redraw the incident's message from its present state.

        Redraws that wait are joined. Raises VendorRefused (``message_gone``) for a deleted message.
        """
        channel, ts = reference["channel"], reference["ts"]
        await self._redraws.redraw(channel, ts, incident, partial(self._redraw, channel, ts))

    async def reply(self, reference: dict[str, str], text: str, *, loud: bool = False) -> None:
        """Add lines to the incident's thread."""
        channel = reference["channel"]
        await self._pacer.turn(channel)
        lines = [outside(line, LONGEST_LINE) for line in text.splitlines() if line.strip()]
        await self._call(
            "chat_postMessage",
            channel=channel,
            thread_ts=reference["ts"],
            text=lines_within(lines, LONGEST_REPLY),
            reply_broadcast=loud,
            unfurl_links=False,
            unfurl_media=False,
        )

    async def say(self, channel: str, text: str, blocks: list[dict[str, Any]]) -> None:
        """Post a message that belongs to no incident; without a channel to that of incidents."""
        channel = channel or self._settings.channel
        await self._pacer.turn(channel)
        await self._call("chat_postMessage", channel=channel, text=text, blocks=blocks)

    async def _redraw(self, channel: str, ts: str, incident: Incident) -> None:
        await self._draw("chat_update", incident, channel=channel, ts=ts)

    async def _draw(self, method: str, incident: Incident, **where: Any) -> dict[str, Any]:
        """Send the message; without its chart when Slack does not know the new file yet."""
        chart = await self._charts.chart_of(incident)
        text = fallback(incident)
        blocks = message(incident, self._public_url, chart)
        try:
            return await self._call(method, text=text, blocks=blocks, **where)
        except VendorRefused as error:
            if chart is None or error.kind != "invalid_blocks":
                raise
        blocks = message(incident, self._public_url)
        return await self._call(method, text=text, blocks=blocks, **where)

    async def _call(self, method: str, **arguments: Any) -> dict[str, Any]:
        client = web_client(self._settings)
        try:
            answer = await getattr(client, method)(**arguments)
        except SlackApiError as error:
            raise self._failure(error, str(arguments.get("channel", ""))) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise TransientVendorError(f"Slack cannot be reached: {error}") from error
        found: dict[str, Any] = dict(answer.data)
        return found

    def _failure(self, error: SlackApiError, channel: str) -> Exception:
        reason = reason_of(error)
        if error.response.status_code == 429 or reason in ("ratelimited", "rate_limited"):
            wait = _seconds(error.response.headers.get("Retry-After"))
            self._pacer.hold(channel, wait)
            return TransientVendorError(f"Slack asks to wait {wait:g} s", wait)
        if reason in _GONE:
            return VendorRefused(f"Slack: {reason}", kind=MESSAGE_GONE)
        if reason in _FINAL:
            return VendorRefused(f"Slack refused: {reason}", kind=reason)
        return TransientVendorError(f"Slack failed: {reason}")


def _seconds(value: str | None) -> float:
    try:
        return min(max(float(value or 1), 1.0), 300.0)
    except ValueError:
        return 1.0
