"""The freeze switch over HTTP: how it stands, and turning it, on the page and over the API."""

import asyncio
from typing import Any

from fastapi import FastAPI
from pydantic import Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from recoup.app import App
from recoup.domain.access import Scope
from recoup.domain.base import Frozen
from recoup.domain.facts import FreezeSet
from recoup.domain.freezing import check_may_freeze, last_turn, turn
from recoup.domain.proposals import Person
from recoup.web.guard import Guard
from recoup.web.rendering import link
from recoup.web.signin import form_of

LONGEST_REASON = 500
FROZEN = "Frozen: Recoup does nothing by itself until somebody allows it again."
ALLOWED = "Allowed again: approved actions are carried out."


class Turn(Frozen):
    """How the switch is to stand."""

    frozen: bool
    reason: str = Field(default="", max_length=LONGEST_REASON)


def add_freezing(web: FastAPI, app: App, guard: Guard) -> None:
    """Add the routes: the API's, and the form of the page of playbooks."""

    async def set_to(wanted: Turn, person: Person) -> None:
        check_may_freeze(person)
        fact = FreezeSet(frozen=wanted.frozen, by=person.id, reason=wanted.reason)
        await asyncio.to_thread(turn, app.store, app.ids.new("freeze"), fact, app.clock.now())

    @web.get("/v1/freeze")
    def show_freeze(request: Request) -> dict[str, Any]:
        """Say whether every action is forbidden, by whom and since when."""
        guard.check_api(request, Scope.INCIDENTS_READ)
        return freeze_of(app)

    @web.put("/v1/freeze")
    async def put_freeze(request: Request, wanted: Turn) -> dict[str, Any]:
        """Forbid every action, or allow them again."""
        await set_to(wanted, guard.check_api(request, Scope.DECIDE))
        return await asyncio.to_thread(freeze_of, app)

    @web.post("/freeze", include_in_schema=False)
    async def send_freeze(request: Request) -> Response:
        """Turn the switch from the page of playbooks."""
        form = await form_of(request)
        person = guard.check_form(request, form.get("csrf", ""))
        frozen = form.get("frozen", "") == "yes"
        reason = form.get("reason", "")[:LONGEST_REASON]
        await set_to(Turn(frozen=frozen, reason=reason), person)
        said = FROZEN if frozen else ALLOWED
        return RedirectResponse(link("/playbooks", said=said), status_code=303)


def freeze_of(app: App) -> dict[str, Any]:
    """Return how the switch stands."""
    last = last_turn(app.store)
    fact = last.fact if last else None
    if last is None or not isinstance(fact, FreezeSet):
        return {"frozen": False, "by": "", "reason": "", "since": None}
    return {**fact.model_dump(), "since": last.occurred_at}
