"""Event sources over HTTP: the tracker, Segment, GA4, Snowplow; known by a write-only key.

A browser shows its key to everybody, so such a key may add events and nothing else. What a body
holds that is no event is counted by reason (``recoup log rejected``) and costs no other event.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from integrations.eventing import Mapped, Posted, Source, lines, sources
from integrations.tracker.settings import TrackerSettings
from recoup.app import App
from recoup.domain.access import Scope
from recoup.domain.errors import InvalidInput, NotAllowed
from recoup.domain.series import IngestReport, LineProblem
from recoup.observability import Metrics
from recoup.web.guard import Guard
from recoup.web.ingest import Submit, decompressed, read_body

LONGEST_BODY = 2 * 1024 * 1024
_METHODS = "POST, OPTIONS"
_HEADERS = "content-type, content-encoding, authorization, sp-anonymous"


class WriteGuard:
    """Tells whether a key may add events, and whether a page may send them."""

    def __init__(self, settings: TrackerSettings, guard: Guard) -> None:
        self._keys = [key.get_secret_value().encode() for key in settings.write_keys]
        self._origins = frozenset(origin.rstrip("/") for origin in settings.allowed_origins)
        self._guard = guard

    def check(self, request: Request, given: str) -> None:
        """Raise NotAllowed unless the key may write, or the caller may do anything."""
        if self._origins and not self.origin_of(request):
            raise NotAllowed("this page is not among RECOUP_TRACKER_ALLOWED_ORIGINS")
        if any(hmac.compare_digest(given.encode(), key) for key in self._keys):
            return
        if given and self._keys:
            raise NotAllowed("this is not one of RECOUP_TRACKER_WRITE_KEYS")
        self._guard.check_api(request, Scope.EVENTS_WRITE)

    def origin_of(self, request: Request) -> str:
        """Return what ``Access-Control-Allow-Origin`` is to say; empty when nothing is allowed.

        A sender without an origin is no browser, and no browser rule holds for it.
        """
        origin = request.headers.get("origin", "")
        if not self._origins or not origin:
            return "*"
        return origin if origin in self._origins else ""


def add_sources(web: FastAPI, app: App, submit: Submit, guard: Guard, metrics: Metrics) -> None:
    """Add the addresses of each event source that the integrations hold."""
    writers = WriteGuard(app.settings.section(TrackerSettings), guard)
    for source in sources().values():
        take = _taker(source, app, submit, metrics, writers)
        for path in source.paths:
            web.add_api_route(
                path,
                take,
                methods=["POST"],
                status_code=source.answer[0],
                response_class=Response,
                summary=source.summary,
                operation_id=f"source{path.replace('/', '_').replace('.', '_')}",
                openapi_extra=_described(source),
                responses=_ANSWERS,
            )
            web.add_api_route(
                path, _preflight(writers), methods=["OPTIONS"], include_in_schema=False
            )


def _taker(
    source: Source, app: App, submit: Submit, metrics: Metrics, writers: WriteGuard
) -> Callable[[Request], Awaitable[Response]]:
    status, content, media_type = source.answer

    async def take(request: Request) -> Response:
        posted = await _posted(request, app)
        writers.check(request, source.key_of(posted))
        try:
            mapped = source.read(posted)
        except InvalidInput as error:
            await asyncio.to_thread(_note, app, source.name, (LineProblem(1, "", str(error)),))
            metrics.count(rejected=1)
            raise
        await _store(app, source.name, mapped, submit, metrics)
        answer = Response(content, status, media_type=media_type or None)
        _allow(answer, writers.origin_of(request))
        return answer

    return take


async def _posted(request: Request, app: App) -> Posted:
    raw = await read_body(request, LONGEST_BODY)
    if raw is None:
        raise HTTPException(413, f"a body may have {LONGEST_BODY} bytes")
    return Posted(
        path=request.url.path,
        headers={name.lower(): value for name, value in request.headers.items()},
        query=dict(request.query_params),
        body=decompressed(request, raw),
        received=app.clock.now(),
    )


async def _store(app: App, name: str, mapped: Mapped, submit: Submit, metrics: Metrics) -> None:
    """Make the events durable, and count what was refused."""
    problems = tuple(mapped.problems)
    if mapped.events:
        report: IngestReport = await asyncio.wrap_future(submit(lines(mapped.events)))
        metrics.count(
            accepted=report.accepted, duplicate=report.duplicates, conflict=len(report.conflicts)
        )
        problems += report.rejected
    if problems:
        metrics.count(rejected=len(problems))
        await asyncio.to_thread(_note, app, name, problems)


def _note(app: App, name: str, problems: tuple[LineProblem, ...]) -> None:
    app.store.note_rejected(name, problems)


def _preflight(writers: WriteGuard) -> Callable[[Request], Awaitable[Response]]:
    async def preflight(request: Request) -> Response:
        answer = Response(status_code=204)
        _allow(answer, writers.origin_of(request))
        return answer

    return preflight


def _allow(answer: Response, origin: str) -> None:
    if not origin:
        return
    answer.headers["Access-Control-Allow-Origin"] = origin
    answer.headers["Access-Control-Allow-Methods"] = _METHODS
    answer.headers["Access-Control-Allow-Headers"] = _HEADERS
    answer.headers["Access-Control-Max-Age"] = "86400"
    answer.headers["Vary"] = "Origin"


def _described(source: Source) -> dict[str, Any]:
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": dict(source.schema)}},
        }
    }


_ANSWERS: dict[int | str, dict[str, Any]] = {
    401: {"description": "No write key that is known"},
    413: {"description": "Body too large"},
    415: {"description": "Unknown content encoding"},
    422: {"description": "The body as a whole cannot be read"},
    503: {"description": "The store cannot be written now; send it again"},
}
