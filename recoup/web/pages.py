"""The pages: server-rendered, readable without JavaScript, refreshed live with htmx."""

import asyncio
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from recoup.app import App
from recoup.domain.errors import (
    Conflict,
    InvalidInput,
    MissingRight,
    NotAllowed,
    NotFound,
    RecoupError,
    StorageUnavailable,
    TooMany,
)
from recoup.domain.freezing import MAY_FREEZE
from recoup.domain.ports import DecisionDesk
from recoup.domain.proposals import Decision, Person, Verdict
from recoup.labels import Labels
from recoup.reporting import incident_report, to_html
from recoup.web import lookups, operations, sessions
from recoup.web.guard import OPERATOR_ROLES, Guard
from recoup.web.rendering import Renderer, link
from recoup.web.signin import form_of
from recoup.web.views import incident_of, overview_of

View = Callable[..., dict[str, Any]]
DAYS = (1, 7, 30)
LISTED = 300
ADMIN = ("admin",)
_PROBLEMS: tuple[tuple[type[RecoupError], int, str], ...] = (
    (NotFound, 404, "There is no such page"),
    (NotAllowed, 403, "This is not for you"),
    (TooMany, 429, "Too many requests"),
    (Conflict, 409, "Somebody was faster"),
    (InvalidInput, 422, "This address cannot be understood"),
    (StorageUnavailable, 503, "The store does not answer"),
)


def add_pages(
    web: FastAPI, app: App, desk: DecisionDesk, guard: Guard, renderer: Renderer, labels: Labels
) -> "Pages":
    """Add the pages and what they link to."""
    pages = Pages(app, desk, guard, renderer, labels)
    for path, handler in (
        ("/", pages.overview),
        ("/incidents", pages.incidents),
        ("/incidents/{incident_id}", pages.incident),
        ("/incidents/{incident_id}/report", pages.report),
        ("/incidents/{incident_id}/report.md", pages.report_markdown),
        ("/cohorts", pages.cohorts),
        ("/changes", pages.changes),
        ("/changes/{change_id:path}", pages.change),
        ("/playbooks", pages.playbooks),
        ("/business", pages.business),
        ("/audit", pages.audit),
        ("/settings", pages.settings),
    ):
        web.add_api_route(path, handler, methods=["GET"], include_in_schema=False)
    web.add_api_route(
        "/incidents/{incident_id}/decide", pages.decide, methods=["POST"], include_in_schema=False
    )
    return pages


class Pages:
    """The handlers of the pages."""

    def __init__(
        self, app: App, desk: DecisionDesk, guard: Guard, renderer: Renderer, labels: Labels
    ) -> None:
        self._app = app
        self._desk = desk
        self._guard = guard
        self._renderer = renderer
        self._labels = labels

    # What there is to see

    async def overview(self, request: Request) -> Response:
        """Show what is watched and how it is."""
        return await self._show(request, "overview.html", overview_of, live=True)

    async def incidents(self, request: Request) -> Response:
        """List the incidents."""
        return await self._show(request, "incidents.html", self._list, live=True)

    async def incident(self, request: Request, incident_id: str) -> Response:
        """Show one incident, and the form to decide when it waits."""
        said = request.query_params.get("said", "")[:500]
        return await self._show(
            request,
            "incident.html",
            incident_of,
            incident_id,
            self._labels,
            live=True,
            said=said,
        )

    async def cohorts(self, request: Request) -> Response:
        """Show any cohort that the address names."""
        query = request.query_params
        wheres = [text for text in query.getlist("where") if text]
        return await self._show(
            request,
            "cohorts.html",
            lookups.explorer_of,
            wheres,
            query.get("metric", ""),
            _whole(query.get("hours", "24")),
            live=True,
        )

    async def changes(self, request: Request) -> Response:
        """List the changes of the last days."""
        days = _whole(request.query_params.get("days", "1"))
        days = days if days in DAYS else DAYS[0]
        return await self._show(request, "changes.html", lookups.changes_of, days, choices=DAYS)

    async def change(self, request: Request, change_id: str) -> Response:
        """Show what happened after a change."""
        return await self._show(request, "change.html", lookups.change_of, change_id, live=True)

    async def playbooks(self, request: Request) -> Response:
        """Show the playbooks with their score cards."""
        said = request.query_params.get("said", "")[:500]
        return await self._show(request, "playbooks.html", operations.playbooks_of, said=said)

    async def business(self, request: Request) -> Response:
        """Show the key figures over time."""
        return await self._show(request, "business.html", operations.business_of)

    async def settings(self, request: Request) -> Response:
        """Show the settings in force, secrets masked."""
        return await self._show(request, "settings.html", operations.settings_of, roles=ADMIN)

    async def audit(self, request: Request) -> Response:
        """Page through the facts."""
        query = request.query_params
        before = query.get("before", "")

        def view(app: App) -> dict[str, Any]:
            return operations.audit_of(
                app,
                before=_whole(before) if before else None,
                type_name=query.get("type", ""),
                stream=query.get("stream", ""),
                actor=query.get("actor", ""),
            )

        return await self._show(request, "audit.html", view, roles=ADMIN)

    def _list(self, app: App) -> dict[str, Any]:
        return {"incidents": app.store.incidents.list(limit=LISTED)}

    async def _show(
        self,
        request: Request,
        template: str,
        view: View,
        *arguments: Any,
        roles: tuple[str, ...] = (),
        **values: Any,
    ) -> Response:
        try:
            person = self._guard.check_page(request, *roles)
        except MissingRight as error:
            return self.problem(request, error)
        except NotAllowed:
            return RedirectResponse("/signin", status_code=303)
        try:
            found = await asyncio.to_thread(view, self._app, *arguments)
        except RecoupError as error:
            return self.problem(request, error, person)
        return self._render(request, template, person, **found, **values)

    def _render(
        self, request: Request, template: str, person: Person | None, **values: Any
    ) -> Response:
        now = self._app.clock.now()
        decides = person is not None and bool(set(person.roles) & set(OPERATOR_ROLES))
        signed_in = sessions.person_of(request) is not None
        csrf = sessions.form_token(request) if signed_in or decides else ""
        freezes = person is not None and bool(set(person.roles) & set(MAY_FREEZE))
        given = {"person": person, "may_decide": decides, "signed_in": signed_in, "csrf": csrf}
        given["may_freeze"] = freezes
        return self._renderer.page(request, template, now, **given, **values)

    def problem(self, request: Request, error: Exception, person: Person | None = None) -> Response:
        """Return the page that says what went wrong and what to do."""
        status, title = int(getattr(error, "status_code", 500)), "Recoup failed"
        for kind, code, name in _PROBLEMS:
            if isinstance(error, kind):
                status, title = code, name
        if status == 404:
            title = _PROBLEMS[0][2]
        return self._render(
            request,
            "error.html",
            person,
            problem=title,
            detail=str(error),
            status=status,
            is_store=status == 503,
            title=title,
        )

    async def report(self, request: Request, incident_id: str) -> Response:
        """Show the report of an incident as it stands."""

        def view(app: App) -> dict[str, Any]:
            body = to_html(incident_report(app.store, incident_id))
            return {"body": body, "incident_id": incident_id, "title": "Report"}

        return await self._show(request, "report.html", view)

    async def report_markdown(self, request: Request, incident_id: str) -> Response:
        """Return the report as Markdown, to be pasted into a wiki."""
        self._guard.check_page(request)
        text = await asyncio.to_thread(incident_report, self._app.store, incident_id)
        return PlainTextResponse(text, media_type="text/markdown")

    # What there is to do

    async def decide(self, request: Request, incident_id: str) -> Response:
        """Hand a decision to the workflow; its answer is shown on the page."""
        form = await form_of(request)
        person = self._guard.check_form(request, form.get("csrf", ""))
        decision = Decision(
            decision_id=self._app.ids.new("dec"),
            incident_id=incident_id,
            proposal_id=form.get("proposal_id", ""),
            proposal_version=_whole(form.get("proposal_version", "0")),
            nonce=form.get("nonce", ""),
            state_hash=form.get("state_hash", ""),
            verdict=_verdict(form.get("verdict", "")),
            by=person,
            at=self._app.clock.now(),
            surface="page",
            reason=form.get("reason", "")[:500],
            playbook=form.get("playbook", ""),
            snooze_s=_whole(form.get("snooze_s", "0")),
        )
        answer = await self._desk.decide(decision)
        target = link(f"/incidents/{incident_id}", said=answer.text)
        return RedirectResponse(target, status_code=303)


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidInput(f"{text!r} is not a whole number") from None


def _verdict(text: str) -> Verdict:
    try:
        return Verdict(text)
    except ValueError:
        raise InvalidInput(f"{text!r} is no decision") from None
