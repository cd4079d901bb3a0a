"""The api role's application: the web with a desk that reaches Temporal when it is needed."""

import asyncio
from typing import Any

from recoup.app import App, build_slack
from recoup.domain.errors import StorageUnavailable
from recoup.domain.proposals import Decision, DecisionAnswer
from recoup.settings import Settings
from recoup.temporal import TemporalDesk, connect
from recoup.web.app import build_web

CONNECT_WITHIN_S = 2.0


class LateDesk:
    """Connects to Temporal at the first decision, so that ingest works while Temporal is down."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._desk: TemporalDesk | None = None
        self._connecting = asyncio.Lock()

    async def decide(self, decision: Decision) -> DecisionAnswer:
        """Hand over a decision; say so when Temporal cannot be reached."""
        try:
            async with self._connecting:
                if self._desk is None:
                    client = await connect(self._settings, CONNECT_WITHIN_S)
                    self._desk = TemporalDesk(client)
        except StorageUnavailable as error:
            return DecisionAnswer(accepted=False, text=f"Nothing was decided: {error}")
        return await self._desk.decide(decision)


def make_web(app: App) -> Any:
    """Return the ASGI application of the api role."""
    desk = LateDesk(app.settings)
    slack = build_slack(app, desk)
    return build_web(app, desk, slack.handler, alongside=slack.socket)
