"""Inbound webhooks: raw body, verified, read, recorded; an address for each vendor known here."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request

from integrations.eventing import lines
from integrations.inbound import Reader, Received, webhooks
from recoup.app import App
from recoup.domain.changes import Change
from recoup.domain.errors import ContentConflict, NotFound
from recoup.observability import Metrics
from recoup.web.api import record_change
from recoup.web.ingest import Submit, read_body

LONGEST_BODY = 5 * 1024 * 1024

_log = structlog.get_logger()


def add_hooks(web: FastAPI, app: App, submit: Submit, metrics: Metrics) -> None:
    """Add ``POST /hooks/<vendor>`` for each webhook that the integrations hold."""
    for name, webhook in webhooks().items():
        web.add_api_route(
            f"/hooks/{name}",
            _route(name, app.change_readers[name], app, submit, metrics),
            methods=["POST"],
            status_code=202,
            summary=webhook.summary,
            operation_id=f"hook_{name}",
            openapi_extra=_DESCRIBED,
            responses=_ANSWERS,
        )

    @web.post("/hooks/{vendor}", include_in_schema=False)
    async def nobody(vendor: str) -> None:
        known = ", ".join(sorted(app.change_readers))
        raise NotFound(f"no webhook is known for {vendor!r}; there are {known}")


def _route(
    name: str, reader: Reader, app: App, submit: Submit, metrics: Metrics
) -> Callable[[Request], Awaitable[Any]]:
    async def hook(request: Request) -> dict[str, Any]:
        body = await read_body(request, LONGEST_BODY)
        if body is None:
            raise HTTPException(413, f"a delivery may have {LONGEST_BODY} bytes")
        headers = {key.lower(): value for key, value in request.headers.items()}
        received = reader(headers, body)
        new = await _record(name, received, app, submit, metrics)
        metrics.changes.inc(new)
        return {
            "changes": [change.id for change in received.changes],
            "new": new,
            "events": len(received.events),
        }

    return hook


async def _record(name: str, received: Received, app: App, submit: Submit, metrics: Metrics) -> int:
    """Record what a delivery told, and return how many of its changes are new."""
    if received.events:
        report = await asyncio.wrap_future(submit(lines(received.events)))
        metrics.count(
            accepted=report.accepted,
            duplicate=report.duplicates,
            rejected=len(report.rejected),
            conflict=len(report.conflicts),
        )
        if report.rejected:
            await asyncio.to_thread(app.store.note_rejected, name, report.rejected)
    new = 0
    for change in received.changes:
        new += await asyncio.to_thread(_record_first, name, change, app)
    return new


def _record_first(name: str, change: Change, app: App) -> int:
    """Record a change. What the vendor says later under the same id alters nothing."""
    try:
        return int(record_change(app, change, actor=f"hook:{name}"))
    except ContentConflict:
        _log.info("hook.said_otherwise_before", vendor=name, change=change.id)
        return 0


_DESCRIBED: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The vendor's own body, signed by the vendor over its raw bytes.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    },
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    202: {"description": "The delivery was verified; which changes and events it told of"},
    401: {"description": "Not signed with the secret in the settings, or too old"},
    413: {"description": "Body too large"},
    422: {"description": "Signed, but not what this vendor sends"},
    503: {"description": "The store cannot be written now; deliver it again"},
}
