"""``POST /v1/events``: raw bodies, plain or compressed, answered when they are durable."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import zstandard
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from recoup.domain.series import IngestReport, LineProblem
from recoup.observability import Metrics
from recoup.web.guard import Guard
from recoup.web.problems import problem

LONGEST_BODY = 32 * 1024 * 1024
SHOWN_PROBLEMS = 100


def make_ingest(
    submit: Callable[[bytes], Any], guard: Guard, metrics: Metrics
) -> Callable[[Request], Awaitable[Response]]:
    """Return the route; ``submit`` queues a body and returns a future of its report."""

    async def ingest(request: Request) -> Response:
        guard.check_api(request)
        raw = await _read(request)
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
        return _answer(report, metrics)

    return ingest


async def _read(request: Request) -> bytes | None:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LONGEST_BODY:
            return None
        parts.append(part)
    return b"".join(parts)


def decompress(raw: bytes, encoding: str) -> bytes:
    """Return the plain body. Raises ValueError for another encoding, damage, or a bomb."""
    if encoding in ("", "identity"):
        return raw
    try:
        if encoding == "gzip":
            plain = zlib.decompressobj(wbits=31).decompress(raw, LONGEST_BODY + 1)
        elif encoding == "zstd":
            plain = zstandard.ZstdDecompressor().stream_reader(raw).read(LONGEST_BODY + 1)
        else:
            raise ValueError(f"content encoding {encoding!r} is not one of gzip, zstd, identity")
    except (zlib.error, zstandard.ZstdError) as error:
        raise ValueError(f"the body is not valid {encoding} encoding: {error}") from error
    if len(plain) > LONGEST_BODY:
        raise ValueError(f"the decompressed body has more than {LONGEST_BODY} bytes")
    return plain


def _answer(report: IngestReport, metrics: Metrics) -> Response:
    for outcome, count in (
        ("accepted", report.accepted),
        ("duplicate", report.duplicates),
        ("rejected", len(report.rejected)),
    ):
        metrics.events.labels(outcome).inc(count)
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
