"""The chart of an incident as a picture: for who is signed in, and for who has a signed link.

Chats, mails and wikis fetch pictures without a session; a signed link opens one chart to them,
and ends by itself.
"""

import asyncio
from urllib.parse import quote

from fastapi import FastAPI
from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from detectors.evidence import from_bytes
from recoup.app import App
from recoup.charts import draw
from recoup.domain.errors import NotAllowed, NotFound
from recoup.web.guard import Guard
from recoup.web.rendering import link
from recoup.web.views import get_incident

DAY_S = 86_400


def add_pictures(web: FastAPI, app: App, guard: Guard, secret: str) -> None:
    """Add the pictures; the session's ``secret`` signs their links."""
    pictures = Pictures(app, guard, secret)
    for path, handler in (
        ("/incidents/{incident_id}/chart", pictures.share),
        ("/incidents/{incident_id}/chart.png", pictures.png),
        ("/incidents/{incident_id}/chart.svg", pictures.svg),
    ):
        web.add_api_route(path, handler, methods=["GET"], include_in_schema=False)


class Pictures:
    """The handlers."""

    def __init__(self, app: App, guard: Guard, secret: str) -> None:
        self._app, self._guard = app, guard
        self._links = URLSafeTimedSerializer(secret, salt="recoup chart of an incident")
        self._valid_s = round(app.settings.web.chart_link_days * DAY_S)

    async def share(self, request: Request, incident_id: str) -> Response:
        """Go to the picture under a signed link, which can be copied from the address bar."""
        self._guard.check_page(request)
        path = f"/incidents/{quote(incident_id, safe='')}/chart.png"
        token = str(self._links.dumps(incident_id))
        return RedirectResponse(link(path, token=token), status_code=303)

    async def png(self, request: Request, incident_id: str) -> Response:
        """Draw the chart as PNG."""
        token = request.query_params.get("token")
        if token:
            self._check(token, incident_id)
        else:
            self._guard.check_page(request)
        return await self._chart(incident_id, "png", "image/png")

    async def svg(self, request: Request, incident_id: str) -> Response:
        """Draw the chart as SVG."""
        self._guard.check_page(request)
        return await self._chart(incident_id, "svg", "image/svg+xml")

    def _check(self, token: str, incident_id: str) -> None:
        try:
            named = self._links.loads(token, max_age=self._valid_s)
        except BadData as error:
            raise NotAllowed("this link to a chart is not valid any more") from error
        if named != incident_id:
            raise NotAllowed("this link is for another chart")

    async def _chart(self, incident_id: str, form: str, kind: str) -> Response:
        def make() -> bytes:
            incident = get_incident(self._app, incident_id)
            record = self._app.store.evidence.get(incident_id)
            if record is None:
                raise NotFound(f"no chart for {incident_id!r} yet")
            return draw(incident, from_bytes(record.payload), form)

        image = await asyncio.to_thread(make)
        return Response(image, media_type=kind, headers={"Cache-Control": "private, no-cache"})
