"""The chart of an incident in its message: uploaded to Slack, so that no page need be public."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient

from integrations.slack.blocks import what_broke
from integrations.slack.text import plain
from recoup.domain.errors import RecoupError
from recoup.domain.incident import Incident

DRAWN_WITHIN_S = 8.0
FRESH_FOR_S = 120.0
KEPT = 200
ChartSource = Callable[[Incident], bytes | None]
"""Draws the chart as PNG; None while there is nothing to draw. Runs in a thread."""

_log = structlog.get_logger()


@dataclass(frozen=True)
class _Drawn:
    file_id: str
    status: str
    at: float


class Charts:
    """Uploads charts and remembers them; a chart that cannot be had never holds a message up."""

    def __init__(self, draw: ChartSource | None, client: Callable[[], AsyncWebClient]) -> None:
        self._draw = draw
        self._client = client
        self._drawn: dict[str, _Drawn] = {}

    async def chart_of(self, incident: Incident) -> dict[str, str] | None:
        """Return what the image block needs; the last chart while it is fresh enough."""
        if self._draw is None:
            return None
        known, now = self._drawn.get(incident.id), asyncio.get_running_loop().time()
        status = f"{incident.status}:{incident.resolution}"
        if known and known.status == status and now - known.at < FRESH_FOR_S:
            return {"id": known.file_id}
        file_id = await self._within(self._upload(incident))
        if file_id is None:
            return {"id": known.file_id} if known else None
        while len(self._drawn) >= KEPT:
            self._drawn.pop(next(iter(self._drawn)))
        self._drawn[incident.id] = _Drawn(file_id, status, now)
        return {"id": file_id}

    async def _within(self, uploading: Awaitable[str | None]) -> str | None:
        try:
            return await asyncio.wait_for(uploading, DRAWN_WITHIN_S)
        except (
            SlackApiError,
            SlackRequestError,
            RecoupError,
            aiohttp.ClientError,
            OSError,
            TimeoutError,
            ValueError,
        ) as error:
            _log.warning("slack.no_chart", reason=str(error)[:300])
            return None

    async def _upload(self, incident: Incident) -> str | None:
        """Upload by the external flow; without a channel the file shows only in the message."""
        assert self._draw is not None
        image = await asyncio.to_thread(self._draw, incident)
        if image is None:
            return None
        title = plain(what_broke(incident), 200)
        answer = await self._client().files_upload_v2(
            content=image, filename="chart.png", title=title, alt_txt=title
        )
        files: list[dict[str, str]] = answer["files"]
        return str(files[0]["id"])
