"""Labels over HTTP: what one would change, giving one, and taking one back."""

import asyncio
from typing import Annotated, Any

from fastapi import Body, FastAPI, Query
from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from recoup.app import App
from recoup.domain.access import Scope
from recoup.domain.base import Frozen
from recoup.domain.errors import InvalidInput, MissingRight
from recoup.domain.incident import Status
from recoup.domain.learning_facts import Label
from recoup.domain.ports import DecisionDesk
from recoup.domain.proposals import Decision, DecisionAnswer, Person, Verdict
from recoup.labels import Labels, said_of
from recoup.web.guard import OPERATOR_ROLES, Guard
from recoup.web.rendering import link
from recoup.web.signin import form_of
from recoup.web.views import get_incident

NOTED = "Noted; Recoup learns from it."
TAKEN_BACK = "Taken back; what was learned from it is unlearned."
LONGEST_REASON = 500


class Feedback(Frozen):
    """What a person says an incident was; ``by`` names them where the key is somebody else's."""

    label: Label
    by: str = Field(default="", max_length=100)
    reason: str = Field(default="", max_length=LONGEST_REASON)


def add_labelling(web: FastAPI, app: App, desk: DecisionDesk, guard: Guard, labels: Labels) -> None:
    """Add the routes: the API's, and the forms of the incident page."""
    labelling = Labelling(app, desk, labels)
    _add_api(web, app, guard, labelling)

    async def sent(request: Request) -> tuple[dict[str, str], Person]:
        """Return the form and who sent it. Raises MissingRight for who may not label."""
        form = await form_of(request)
        person = guard.check_form(request, form.get("csrf", ""))
        if not set(OPERATOR_ROLES) & set(person.roles):
            raise MissingRight(f"this needs one of the roles {', '.join(OPERATOR_ROLES)}")
        return form, person

    def back(incident_id: str, text: str) -> Response:
        return RedirectResponse(link(f"/incidents/{incident_id}", said=text), status_code=303)

    @web.post("/incidents/{incident_id}/label", include_in_schema=False)
    async def label(request: Request, incident_id: str) -> Response:
        """Take what somebody says on the page of an incident that it was."""
        form, person = await sent(request)
        given = _feedback(form.get("label", ""), form.get("reason", ""))
        answer = await labelling.say(incident_id, given, person, "page")
        return back(incident_id, answer.text)

    @web.post("/incidents/{incident_id}/unlabel", include_in_schema=False)
    async def unlabel(request: Request, incident_id: str) -> Response:
        """Take a label back from the page of its incident."""
        form, person = await sent(request)
        reason = form.get("reason", "")[:LONGEST_REASON]
        await asyncio.to_thread(labels.withdraw, incident_id, person, reason, app.clock)
        return back(incident_id, TAKEN_BACK)


def _feedback(label: str, reason: str) -> Feedback:
    try:
        return Feedback.model_validate({"label": label, "reason": reason[:LONGEST_REASON]})
    except ValidationError:
        raise InvalidInput(f"{label!r} is nothing that an incident can be called") from None


class Labelling:
    """Takes labels from every surface: of an open incident to its workflow, else to the log."""

    def __init__(self, app: App, desk: DecisionDesk, labels: Labels) -> None:
        self.labels = labels
        self._app = app
        self._desk = desk

    async def say(
        self, incident_id: str, given: Feedback, person: Person, surface: str
    ) -> DecisionAnswer:
        """Keep a label. Raises NotFound."""
        by = person
        if given.by:
            by = Person(id=f"{surface}:{given.by}", name=given.by, roles=person.roles)
        incident = await asyncio.to_thread(get_incident, self._app, incident_id)
        if given.label == "false_positive" and incident.status is not Status.CLOSED:
            verdict = Verdict.FALSE_POSITIVE
            decision = said(self._app, incident_id, verdict, by, surface, given.reason)
            return await self._desk.decide(decision)
        clock = self._app.clock
        await asyncio.to_thread(
            self.labels.give, incident_id, given.label, by, given.reason, clock, person.id
        )
        return DecisionAnswer(accepted=True, text=NOTED)


def said(
    app: App, incident_id: str, verdict: Verdict, by: Person, surface: str, reason: str
) -> Decision:
    """Return a decision that somebody has just made; it names no proposal."""
    return Decision(
        decision_id=app.ids.new("dec"),
        incident_id=incident_id,
        verdict=verdict,
        by=by,
        at=app.clock.now(),
        surface=surface,
        reason=reason,
    )


def _add_api(web: FastAPI, app: App, guard: Guard, labelling: Labelling) -> None:
    labels = labelling.labels

    @web.post("/v1/incidents/{incident_id}/feedback", status_code=202)
    async def give_feedback(
        request: Request, incident_id: str, feedback: Annotated[Feedback, Body()]
    ) -> DecisionAnswer:
        """Say what an incident was; a false positive retrains the learners."""
        caller = guard.check_api(request, Scope.DECIDE)
        return await labelling.say(incident_id, feedback, caller, "api")

    @web.get("/v1/incidents/{incident_id}/feedback")
    def preview_feedback(request: Request, incident_id: str) -> dict[str, Any]:
        """Say whether people call an incident normal, and what that changes; changes nothing."""
        guard.check_api(request, Scope.INCIDENTS_READ)
        found = labels.preview(incident_id)
        told = {"is_normal": labels.is_benign(incident_id), "text": said_of(found)}
        return told | found._asdict()

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
