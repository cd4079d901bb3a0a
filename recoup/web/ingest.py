"""``POST /v1/events``: raw bodies, plain or compressed, answered when they are durable."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any

import zstandard
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from recoup.domain.access import Scope
from recoup.domain.series import IngestReport, LineProblem
from recoup.observability import Metrics
from recoup.web.guard import Guard
from recoup.web.problems import problem
from store.decoding import MAX_BODY_BYTES

LONGEST_BODY = MAX_BODY_BYTES
PIECE = 256
"""Compressed bytes unpacked at once: so few that no bomb can go off between two checks."""
SHOWN_PROBLEMS = 100
Submit = Callable[[bytes], "Future[IngestReport]"]
"""Queues a body for the log; the future is done when it is durable, or refused."""
Note = Callable[[str, Iterable[LineProblem]], None]
"""Counts what was refused of a source."""
SOURCE = "events"


def make_ingest(
    submit: Submit, guard: Guard, metrics: Metrics, note: Note
) -> Callable[[Request], Awaitable[Response]]:
    """Return the route; ``submit`` queues a body and returns a future of its report."""

    async def ingest(request: Request) -> Response:
        guard.check_api(request, Scope.EVENTS_WRITE)
        raw = await read_body(request)
        if raw is None:
            return problem(413, "Too large", f"a body may have {LONGEST_BODY} bytes")
        encoding = request.headers.get("content-encoding", "identity").lower()
        try:
            body = decompress(raw, encoding)
        except ValueError as error:
            return problem(415 if "encoding" in str(error) else 413, "Bad body", str(error))
        if not body.strip():
            return problem(422, "The input cannot be accepted", "the body is empty")
        with metrics.ingest_seconds.time():
            report: IngestReport = await asyncio.wrap_future(submit(body))
        if report.rejected:
            await asyncio.to_thread(note, SOURCE, report.rejected)
        return _answer(report, metrics)

    return ingest


async def read_body(request: Request, limit: int = LONGEST_BODY) -> bytes | None:
    """Return the raw body, or None when it is longer than the limit; no more than that is kept."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            return None
        parts.append(part)
    return b"".join(parts)


def decompressed(request: Request, raw: bytes) -> bytes:
    """Return the plain body of a request, or answer that it cannot be unpacked."""
    try:
        return decompress(raw, request.headers.get("content-encoding", "identity").lower())
    except ValueError as error:
        raise HTTPException(415 if "encoding" in str(error) else 413, str(error)) from error


def decompress(raw: bytes, encoding: str) -> bytes:
    """Return the plain body. Raises ValueError for another encoding, damage, or a bomb.

    A body that ends in the middle is damaged: what was sent is acknowledged whole or not at all.
    """
    if encoding in ("", "identity"):
        return raw
    if encoding not in _DECOMPRESSORS:
        raise ValueError(f"content encoding {encoding!r} is not one of gzip, zstd, identity")
    parts: list[bytes] = []
    size = 0
    try:
        for part in _frames(raw, _DECOMPRESSORS[encoding]):
            parts.append(part)
            size += len(part)
            if size > LONGEST_BODY:
                raise ValueError(f"the decompressed body has more than {LONGEST_BODY} bytes")
    except (zlib.error, zstandard.ZstdError, EOFError) as error:
        raise ValueError(f"the body is not valid {encoding} encoding: {error}") from error
    return b"".join(parts)


def _frames(raw: bytes, make: Callable[[], Any]) -> Iterator[bytes]:
    """Return what gzip members or zstd frames hold; a stream may be several of them in a row."""
    unpacker, start = make(), 0
    while start < len(raw):
        piece = raw[start : start + PIECE]
        start += len(piece)
        yield unpacker.decompress(piece)
        if unpacker.eof:
            start -= len(unpacker.unused_data)
            if start < len(raw):
                unpacker = make()
    if not unpacker.eof:
        raise EOFError("it ends in the middle")


_DECOMPRESSORS: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(wbits=31),
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj(),
}


def _answer(report: IngestReport, metrics: Metrics) -> Response:
    metrics.count(
        accepted=report.accepted,
        duplicate=report.duplicates,
        rejected=len(report.rejected),
        conflict=len(report.conflicts),
    )
    if report.rejected and not report.accepted and not report.duplicates:
        first = report.rejected[0]
        detail = f"line {first.line}: {first.field or 'event'}: {first.reason}"
        return problem(422, "No event could be accepted", detail, rejected=_listed(report.rejected))
    return JSONResponse(
        {
            "accepted": report.accepted,
            "duplicates": report.duplicates,
            "rejected_count": len(report.rejected),
            "rejected": _listed(report.rejected),
            "conflicts": _listed(report.conflicts),
            "last_position": report.last_position,
        },
        status_code=202,
    )


def _listed(problems: tuple[LineProblem, ...]) -> list[dict[str, Any]]:
    return [item._asdict() for item in problems[:SHOWN_PROBLEMS]]
