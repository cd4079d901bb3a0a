"""Errors of the API as problem details (RFC 9457)."""

import math
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

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

_STATUS: tuple[tuple[type[RecoupError], int, str], ...] = (
    (InvalidInput, 422, "The input cannot be accepted"),
    (NotFound, 404, "Not found"),
    (Conflict, 409, "Conflict"),
    (MissingRight, 403, "Not allowed"),
    (NotAllowed, 401, "Not allowed"),
    (TooMany, 429, "Too many requests"),
    (StorageUnavailable, 503, "The store cannot be written now"),
)
RETRY_AFTER_S = "5"
_MACHINES = (
    "/v1/",
    "/hooks/",
    "/slack/",
    "/static/",
    "/metrics",
    "/healthz",
    "/readyz",
    "/openapi",
)
Answer = Callable[[Request, Exception], Awaitable[Response]]


def problem(status: int, title: str, detail: str, **more: Any) -> JSONResponse:
    """Return a problem document."""
    headers = {"Retry-After": RETRY_AFTER_S} if status == 503 else {}
    headers |= {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return JSONResponse(
        {"type": "about:blank", "title": title, "status": status, "detail": detail, **more},
        status_code=status,
        headers=headers,
        media_type="application/problem+json",
    )


async def on_error(_request: Request, error: Exception) -> JSONResponse:
    """Answer one of our own errors."""
    for kind, status, title in _STATUS:
        if isinstance(error, kind):
            found = problem(status, title, str(error))
            if isinstance(error, TooMany):
                found.headers["Retry-After"] = f"{max(1, math.ceil(error.retry_after_s))}"
            return found
    return problem(500, "Recoup failed", str(error))


async def on_invalid(_request: Request, error: Exception) -> JSONResponse:
    """Answer a body that is not as the schema says, naming the fields."""
    found = [
        {"field": ".".join(str(part) for part in item["loc"][1:]), "reason": item["msg"]}
        for item in getattr(error, "errors", list)()
    ]
    detail = f"{found[0]['field']}: {found[0]['reason']}" if found else "the body is not valid"
    return problem(422, "The input cannot be accepted", detail, errors=found)


async def on_http_error(_request: Request, error: Exception) -> JSONResponse:
    """Answer the framework's own errors (unknown path, wrong method)."""
    status = int(getattr(error, "status_code", 500))
    detail = str(getattr(error, "detail", ""))
    return problem(status, detail or "Error", detail)


def for_people(page: Callable[[Request, Exception], Response], plain: Answer) -> Answer:
    """Return a handler that shows a page to browsers and a problem document to programs."""

    async def answer(request: Request, error: Exception) -> Response:
        html = "text/html" in request.headers.get("accept", "")
        if html and not request.url.path.startswith(_MACHINES):
            return page(request, error)
        return await plain(request, error)

    return answer
