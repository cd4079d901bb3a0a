"""The pages: server-rendered, readable without JavaScript, refreshed live with it."""

import asyncio
from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from activities.timeline import line_for
from detectors.evidence import IncidentEvidence, from_bytes
from recoup.app import App
from recoup.domain.errors import NotAllowed, NotFound
from recoup.domain.ports import DecisionDesk
from recoup.domain.proposals import Decision, Verdict
from recoup.web.charts import draw
from recoup.web.guard import COOKIE, Guard
from recoup.web.views import overview_of

RECENT_CHANGES = 20


def add_pages(web: FastAPI, app: App, desk: DecisionDesk, guard: Guard) -> None:
    """Add the pages and what they link to."""
    pages = _Pages(app, desk, guard)
    for path, handler in (
        ("/", pages.overview),
        ("/incidents", pages.incidents),
        ("/incidents/{incident_id}", pages.incident),
        ("/signin", pages.ask_key),
        ("/incidents/{incident_id}/chart.svg", pages.chart_svg),
        ("/incidents/{incident_id}/chart.png", pages.chart_png),
    ):
        web.add_api_route(path, handler, methods=["GET"], include_in_schema=False)
    web.add_api_route("/signin", pages.sign_in, methods=["POST"], include_in_schema=False)
    web.add_api_route(
        "/incidents/{incident_id}/decide", pages.decide, methods=["POST"], include_in_schema=False
    )


class _Pages:
    def __init__(self, app: App, desk: DecisionDesk, guard: Guard) -> None:
        self._app = app
        self._desk = desk
        self._guard = guard
        self._templates = Environment(
            loader=PackageLoader("recoup.web"), autoescape=True, undefined=StrictUndefined
        )
        self._templates.filters["percent"] = lambda value: f"{value:.1%}"

    async def overview(self, request: Request) -> Response:
        return await self._show(request, "overview.html", overview_of, self._app)

    async def incidents(self, request: Request) -> Response:
        return await self._show(request, "incidents.html", self._list)

    async def incident(self, request: Request, incident_id: str) -> Response:
        said = request.query_params.get("said", "")
        return await self._show(request, "incident.html", self._details, incident_id, said)

    async def _show(self, request: Request, template: str, view: Any, *arguments: Any) -> Response:
        try:
            self._guard.check_page(request)
        except NotAllowed:
            return RedirectResponse("/signin", status_code=303)
        values = await asyncio.to_thread(view, *arguments)
        html = self._templates.get_template(template).render(now=self._app.clock.now(), **values)
        return HTMLResponse(html)

    def _list(self) -> dict[str, Any]:
        return {"incidents": self._app.store.incidents.list(limit=200)}

    def _details(self, incident_id: str, said: str) -> dict[str, Any]:
        incident = self._app.store.incidents.get(incident_id)
        if incident is None:
            raise NotFound(f"no incident {incident_id!r}")
        entries = self._app.store.read_stream(incident_id)
        timeline = [
            {"at": entry.occurred_at, "text": line.partition("  ")[2], "actor": entry.actor}
            for entry in entries
            if (line := line_for(entry))
        ]
        steps = [e.fact for e in entries if e.fact.type_name == "investigation.step_taken"]
        return {"incident": incident, "timeline": timeline, "steps": steps, "said": said}

    async def chart_svg(self, request: Request, incident_id: str) -> Response:
        self._guard.check_page(request)
        return await self._chart(incident_id, "svg", "image/svg+xml")

    async def chart_png(self, request: Request, incident_id: str) -> Response:
        # Slack fetches the image without a key; its address holds an id nobody can guess.
        del request
        return await self._chart(incident_id, "png", "image/png")

    async def _chart(self, incident_id: str, form: str, kind: str) -> Response:
        def make() -> bytes:
            incident = self._app.store.incidents.get(incident_id)
            record = self._app.store.evidence.get(incident_id)
            if incident is None or record is None:
                raise NotFound(f"no chart for {incident_id!r} yet")
            evidence: IncidentEvidence = from_bytes(record.payload)
            return draw(incident, evidence, form)

        image = await asyncio.to_thread(make)
        return Response(image, media_type=kind, headers={"Cache-Control": "no-cache"})

    async def decide(self, request: Request, incident_id: str) -> Response:
        person = self._guard.check_form(request)
        form = {
            name: values[0] for name, values in parse_qs((await request.body()).decode()).items()
        }
        decision = Decision(
            decision_id=self._app.ids.new("dec"),
            incident_id=incident_id,
            proposal_id=form.get("proposal_id", ""),
            proposal_version=int(form.get("proposal_version", "0")),
            nonce=form.get("nonce", ""),
            verdict=Verdict(form.get("verdict", "")),
            by=person,
            at=self._app.clock.now(),
            surface="page",
            reason=form.get("reason", ""),
        )
        answer = await self._desk.decide(decision)
        from urllib.parse import quote

        return RedirectResponse(
            f"/incidents/{quote(incident_id)}?said={quote(answer.text)}", status_code=303
        )

    async def ask_key(self) -> Response:
        return HTMLResponse(
            self._templates.get_template("signin.html").render(
                now=self._app.clock.now(), wrong=False
            )
        )

    async def sign_in(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        try:
            session = self._guard.session_for(form.get("key", [""])[0])
        except NotAllowed:
            page = self._templates.get_template("signin.html")
            return HTMLResponse(page.render(now=self._app.clock.now(), wrong=True), status_code=401)
        answer = RedirectResponse("/", status_code=303)
        answer.set_cookie(COOKIE, session, httponly=True, samesite="strict")
        return answer
