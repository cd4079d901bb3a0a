"""Labels over HTTP: what a false-positive label would change, and taking one back."""

import asyncio
from typing import Annotated, Any

from fastapi import FastAPI, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from recoup.app import App
from recoup.domain.access import Scope
from recoup.domain.errors import MissingRight
from recoup.domain.proposals import DecisionAnswer
from recoup.labels import Labels, said_of
from recoup.web.guard import OPERATOR_ROLES, Guard
from recoup.web.rendering import link
from recoup.web.signin import form_of

TAKEN_BACK = "Taken back; what was learned from it is unlearned."
LONGEST_REASON = 500


def add_labelling(web: FastAPI, app: App, guard: Guard, labels: Labels) -> None:
    """Add the routes: the API's, and the form of the incident page."""
    _add_api(web, app, guard, labels)

    @web.post("/incidents/{incident_id}/unlabel", include_in_schema=False)
    async def unlabel(request: Request, incident_id: str) -> Response:
        """Take a label back from the page of its incident."""
        form = await form_of(request)
        person = guard.check_form(request, form.get("csrf", ""))
        if not set(OPERATOR_ROLES) & set(person.roles):
            raise MissingRight(f"this needs one of the roles {', '.join(OPERATOR_ROLES)}")
        reason = form.get("reason", "")[:LONGEST_REASON]
        await asyncio.to_thread(labels.withdraw, incident_id, person, reason, app.clock)
        return RedirectResponse(link(f"/incidents/{incident_id}", said=TAKEN_BACK), status_code=303)


def _add_api(web: FastAPI, app: App, guard: Guard, labels: Labels) -> None:
    @web.get("/v1/incidents/{incident_id}/feedback")
    def preview_feedback(request: Request, incident_id: str) -> dict[str, Any]:
        """Say whether people call an incident normal, and what that changes; changes nothing."""
        guard.check_api(request, Scope.INCIDENTS_READ)
        found = labels.preview(incident_id)
        said = {"is_normal": labels.is_benign(incident_id), "text": said_of(found)}
        return said | found._asdict()

    @web.delete("/v1/incidents/{incident_id}/feedback")
    async def withdraw_feedback(
        request: Request,
        incident_id: str,
        reason: Annotated[str, Query(max_length=LONGEST_REASON)] = "",
    ) -> DecisionAnswer:
        """Take back that an incident was normal; what was learned from it is unlearned."""
        caller = guard.check_api(request, Scope.DECIDE)
        await asyncio.to_thread(labels.withdraw, incident_id, caller, reason, app.clock)
        return DecisionAnswer(accepted=True, text=TAKEN_BACK)
