"""The Bolt app: routes what Slack sends, over HTTP or Socket Mode, to its listeners."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from integrations.slack.client import TIMEOUT_S
from integrations.slack.forms import TITLES
from integrations.slack.house import House
from integrations.slack.listeners import Listeners
from integrations.slack.settings import SlackSettings

COMMAND = "/recoup"
DOCTOR_BUTTON = "doctor"


def build_bolt(settings: SlackSettings, house: House) -> AsyncApp:
    """Return the app that takes Slack's interactions.

    It asks Slack nothing before it acknowledges: with ``authorize`` of its own, Bolt does not call
    ``auth.test`` first, so that a slow Slack cannot make an acknowledgement late.
    """
    token = settings.bot_token.get_secret_value() if settings.bot_token else ""
    secret = settings.signing_secret.get_secret_value() if settings.signing_secret else "-"

    async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_token=token)

    client = AsyncWebClient(base_url=settings.base_url, timeout=TIMEOUT_S)
    client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=1))
    app = AsyncApp(client=client, signing_secret=secret, authorize=authorize)
    listeners = Listeners(house)
    app.action("approve")(listeners.approve)
    app.action("acknowledge")(listeners.acknowledge)
    app.action("more")(listeners.more)
    for name in TITLES:
        app.action(name)(listeners.ask_reason)
        app.view(name)(listeners.take_reason)
    app.view("other_playbook")(listeners.take_other)
    app.action(DOCTOR_BUTTON)(listeners.proven)
    app.command(COMMAND)(listeners.command)
    app.event("app_home_opened")(listeners.home)
    return app


def http_handler(app: AsyncApp) -> Any:
    """Return the handler for ``/slack/events``; what is not signed by Slack is answered 401."""
    from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler

    bolt = AsyncSlackRequestHandler(app)

    async def handle(request: Request) -> Response:
        stamp = request.headers.get("x-slack-request-timestamp", "")
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 12):
            return JSONResponse({"error": "invalid request"}, 401)
        return await bolt.handle(request)

    return handle


@asynccontextmanager
async def socket_mode(settings: SlackSettings, app: AsyncApp) -> AsyncIterator[None]:
    """Be connected to Slack by a socket; it connects again by itself when it is lost."""
    from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler

    assert settings.app_token is not None
    app_token = settings.app_token.get_secret_value()
    client = AsyncWebClient(token=app_token, base_url=settings.base_url)
    handler = AsyncSocketModeHandler(app, app_token, web_client=client)
    # It tries for as long as it takes: an unreachable Slack must not keep the web from starting.
    socket: Any = handler.client
    connecting = asyncio.create_task(socket.connect())
    try:
        yield
    finally:
        connecting.cancel()
        await socket.close()
