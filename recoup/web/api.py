"""The control API: changes, incidents, feedback, decisions, health."""

import asyncio
from typing import Annotated, Any

from fastapi import FastAPI, Query
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from recoup.app import App
from recoup.domain.access import Scope
from recoup.domain.base import Frozen
from recoup.domain.changes import Change
from recoup.domain.errors import ContentConflict, NotFound
from recoup.domain.facts import ChangeRecorded, NewFact
from recoup.domain.ids import derive_id
from recoup.domain.incident import Incident
from recoup.domain.ports import DecisionDesk
from recoup.domain.proposals import Decision, DecisionAnswer, Verdict
from recoup.observability import Metrics
from recoup.web.guard import Guard
from recoup.web.labelling import said
from recoup.web.measures import Measures, lag
from recoup.web.schema import event_schema


class DecisionRequest(Frozen):
    """A decision over the API; what it names must be the open proposal."""

    verdict: Verdict
    proposal_id: str = ""
    proposal_version: int = 0
    nonce: str = ""
    state_hash: str = ""
    reason: str = Field(default="", max_length=500)
    playbook: str = ""
    snooze_s: int = Field(default=0, ge=0)
    request_id: str = Field(default="", max_length=100)

    def bound(self, decision: Decision) -> Decision:
        """Return the decision with what it names; the same ``request_id`` is the same decision."""
        named = {"proposal_id", "proposal_version", "nonce", "state_hash", "playbook", "snooze_s"}
        changes = self.model_dump(include=named)
        if self.request_id:
            parts = (decision.incident_id, decision.by.id, self.verdict, self.request_id)
            changes["decision_id"] = derive_id("dec", *parts)
        return decision.model_copy(update=changes)


def add_api(web: FastAPI, app: App, desk: DecisionDesk, guard: Guard, metrics: Metrics) -> None:
    """Add the routes."""
    _add_changes(web, app, guard, metrics)
    _add_incidents(web, app, guard)
    _add_words(web, app, desk, guard)
    _add_health(web, app)
    _add_metrics(web, app, guard, metrics)


def record_change(app: App, change: Change, actor: str = "api") -> bool:
    """Record a change once; tell whether it is new. Raises ContentConflict for other content."""
    known = app.store.changes.get(change.id)
    if known is not None and known != change:
        raise ContentConflict(f"change {change.id!r} came before with other content")
    if known is not None:
        return False
    fact = NewFact(
        fact_id=f"change:{change.id}",
        fact=ChangeRecorded(change=change),
        occurred_at=app.clock.now(),
        actor=actor,
    )
    app.store.append(f"change-{change.id}", [fact])
    return True


def _add_changes(web: FastAPI, app: App, guard: Guard, metrics: Metrics) -> None:
    @web.post("/v1/changes", status_code=202)
    async def post_change(request: Request, change: Change) -> dict[str, Any]:
        """Record that the shop was altered; the same id counts once."""
        guard.check_api(request, Scope.CHANGES_WRITE)
        new = await asyncio.to_thread(record_change, app, change)
        metrics.changes.inc(int(new))
        return {"id": change.id, "new": new}


def _get(app: App, incident_id: str) -> Incident:
    incident = app.store.incidents.get(incident_id)
    if incident is None:
        raise NotFound(f"no incident {incident_id!r}")
    return incident


def _add_incidents(web: FastAPI, app: App, guard: Guard) -> None:
    @web.get("/v1/incidents")
    def list_incidents(
        request: Request,
        open_only: bool = False,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> list[Incident]:
        """List incidents, the latest first."""
        guard.check_api(request, Scope.INCIDENTS_READ)
        return app.store.incidents.list(open_only=open_only, limit=limit)

    @web.get("/v1/incidents/{incident_id}")
    def show_incident(request: Request, incident_id: str) -> dict[str, Any]:
        """Return an incident and its facts."""
        guard.check_api(request, Scope.INCIDENTS_READ)
        incident = _get(app, incident_id)
        facts = [
            {
                "type": e.fact.type_name,
                "occurred_at": e.occurred_at,
                "actor": e.actor,
                "version": e.version,
                "fact": e.fact.model_dump(mode="json"),
            }
            for e in app.store.read_stream(incident_id)
        ]
        return {"incident": incident, "facts": facts}


def _add_words(web: FastAPI, app: App, desk: DecisionDesk, guard: Guard) -> None:
    @web.post("/v1/incidents/{incident_id}/decision")
    async def decide(request: Request, incident_id: str, wanted: DecisionRequest) -> DecisionAnswer:
        """Decide on the open proposal; the answer says whether it was accepted."""
        caller = guard.check_api(request, Scope.DECIDE)
        await asyncio.to_thread(_get, app, incident_id)
        decision = said(app, incident_id, wanted.verdict, caller, "api", wanted.reason)
        return await desk.decide(wanted.bound(decision))


def _add_metrics(web: FastAPI, app: App, guard: Guard, metrics: Metrics) -> None:
    who, measures = app.settings.web.metrics, Measures(app, metrics)
    if who == "off":
        return

    @web.get("/metrics", include_in_schema=False)
    def show_metrics(request: Request) -> Response:
        if who == "key":
            guard.check_api(request, Scope.INCIDENTS_READ)
        measures.take()
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _add_health(web: FastAPI, app: App) -> None:
    @web.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Tell that the process answers."""
        return {"status": "ok"}

    @web.get("/readyz")
    def readyz() -> JSONResponse:
        """Tell whether the store answers, and how far behind the detector is."""
        return JSONResponse({"status": "ready", "detector_lag_events": lag(app)})

    @web.get("/v1/schema")
    async def schema() -> dict[str, Any]:
        """Return the JSON Schema of a storefront event."""
        return event_schema()
