"""What ``recoup doctor`` asks of Slack: the token, its scopes, the channel, and a test card."""

from collections.abc import Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.models.blocks import ActionsBlock, ButtonElement, PlainTextObject, SectionBlock
from slack_sdk.web.async_client import AsyncWebClient

from integrations.slack.app import DOCTOR_BUTTON
from integrations.slack.client import reason_of, web_client
from integrations.slack.settings import SlackSettings
from recoup.domain.errors import VendorRefused

SCOPES = ("chat:write", "commands")
TEXT = "This is a test card of `recoup doctor`. Press the button to prove the way back."


async def look(settings: SlackSettings) -> str:
    """Return who the app is and where it posts. Raises VendorRefused with what is wrong."""
    client = web_client(settings)
    answer = await _call(client, "auth_test")
    given = str(answer.headers.get("x-oauth-scopes", "")).split(",")
    wanted = [*SCOPES, *(["files:write"] if settings.charts else [])]
    wanted += ["usergroups:read"] if settings.groups else []
    missing = [scope for scope in wanted if scope not in given]
    if missing and given != [""]:
        raise VendorRefused(f"the app lacks the scope {missing[0]}; install it from the manifest")
    try:
        channel = (await _call(client, "conversations_info", channel=settings.channel))["channel"]
    except VendorRefused as error:
        if error.kind != "missing_scope":
            raise
        return f"{answer['user']} in {answer['team']}; the channel cannot be looked at"
    if not channel.get("is_member", True):
        raise VendorRefused(f"the app is not in #{channel['name']}; invite it with /invite")
    if settings.app_token is not None:
        token = settings.app_token.get_secret_value()
        socket = AsyncWebClient(token=token, base_url=settings.base_url)
        await _call(socket, "apps_connections_open", app_token=token)
    return f"{answer['user']} in {answer['team']}, posts to #{channel['name']}"


async def post_card(settings: SlackSettings, check_id: str) -> None:
    """Post a card with a button; the api role records a click on it."""
    button = ButtonElement(text="It arrives", action_id=DOCTOR_BUTTON, value=check_id)
    blocks = [
        SectionBlock(text=PlainTextObject(text=TEXT)).to_dict(),
        ActionsBlock(elements=[button]).to_dict(),
    ]
    client = web_client(settings)
    await _call(client, "chat_postMessage", channel=settings.channel, text=TEXT, blocks=blocks)


async def _call(client: AsyncWebClient, method: str, **arguments: Any) -> Any:
    try:
        return await getattr(client, method)(**arguments)
    except SlackApiError as error:
        reason = reason_of(error)
        raise VendorRefused(f"Slack refused {method}: {reason}", kind=reason) from error
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise VendorRefused(f"Slack cannot be reached: {error}", kind="away") from error


MENDS: Mapping[str, str] = {
    "invalid_auth": "set RECOUP_SLACK_BOT_TOKEN to the xoxb- token of the app's page",
    "account_inactive": "install the app again; its token was revoked",
    "channel_not_found": "set RECOUP_SLACK_CHANNEL to the channel's id, and invite the app",
    "away": "is RECOUP_SLACK_BASE_URL right, and may this machine speak to it?",
}
"""What to do, by the kind of the refusal."""
