"""One HTTP client for every vendor: time-outs, retries that obey Retry-After, errors of ours.

A request that was refused before it had an effect (429, no connection) is always tried again. One
whose outcome is unknown (a reset, a time-out, 5xx) is tried again only when it is ``repeatable``:
a read, or a write that the vendor recognises by its key. Whoever made any other write reads the
target again first.

A vendor that asks for a pause gets it, from every request of this process to the same place. A
pause longer than ``patience_s`` is not slept through: the error carries it, and whoever retries
(the workflow, on a durable timer) waits that long.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from integrations.pauses import Pauses, asks_for_pause, wished_pause
from recoup.domain.clock import Clock, SystemClock
from recoup.domain.errors import TransientVendorError, VendorError, VendorRefused

TIMEOUT = httpx.Timeout(10.0, connect=5.0)
ATTEMPTS = 4
PATIENCE_S = 20.0
"""How long a request may wait in all before it is given back; less than an activity may take."""
FIRST_WAIT_S = 0.3
REDACTED = "[redacted]"
UNKNOWN_OUTCOME = frozenset({408, 500, 502, 503, 504})
_KINDS = {401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "needs_approval"} | {
    409: "conflict",
    410: "not_found",
    412: "conflict",
}


@dataclass(frozen=True)
class Trouble:
    """A failure that only the vendor's own words tell: in the body of a 200, or of a 400.

    ``harmless`` means that the request certainly had no effect and may simply be sent again.
    """

    error: VendorError
    harmless: bool = False


Judge = Callable[[httpx.Response], Trouble | None]
"""Reads a vendor's own words; None leaves the answer to the status code."""


class _Request(NamedTuple):
    vendor: str
    method: str
    url: str
    safe: bool
    secrets: tuple[str, ...]
    judge: Judge | None
    options: Mapping[str, Any]


class _TryAgain(Exception):
    """Carries the error to raise when no attempt is left."""

    def __init__(self, error: TransientVendorError) -> None:
        super().__init__(str(error))
        self.error = error


class VendorHttp:
    """Sends requests to any vendor; keeps one pool of connections for each event loop.

    Loopback goes past a proxy when the environment says so (``NO_PROXY``).
    """

    def __init__(
        self,
        clock: Clock,
        *,
        attempts: int = ATTEMPTS,
        patience_s: float = PATIENCE_S,
        timeout: httpx.Timeout = TIMEOUT,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._pauses = Pauses(clock)
        self._clock = clock
        self._attempts = attempts
        self._patience_s = patience_s
        self._timeout = timeout
        self._sleep = sleep
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def request(
        self,
        vendor: str,
        method: str,
        url: str,
        *,
        repeatable: bool | None = None,
        secrets: tuple[str, ...] = (),
        judge: Judge | None = None,
        **options: Any,
    ) -> httpx.Response:
        """Send a request; return a successful answer.

        ``secrets`` never show in an error. Raises TransientVendorError (with the vendor's wish for
        a pause) or VendorRefused (with its kind).
        """
        safe = method in ("GET", "HEAD") if repeatable is None else repeatable
        request = _Request(vendor, method, url, safe, secrets, judge, options)
        attempts = AsyncRetrying(
            retry=retry_if_exception_type(_TryAgain),
            stop=self._should_stop,
            wait=_wait,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            async for attempt in attempts:
                with attempt:
                    return await self._once(request)
        except _TryAgain as last:
            raise last.error from last.__cause__
        raise AssertionError("tenacity either returns or raises")

    async def close(self) -> None:
        """Close the connections of this event loop."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _once(self, request: _Request) -> httpx.Response:
        vendor = request.vendor
        pause = self._pauses.left(request.url)
        if pause > 0:
            raise _TryAgain(TransientVendorError(f"{vendor} asked for a pause", pause))
        try:
            answer = await self._pool().request(request.method, request.url, **request.options)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise _TryAgain(
                TransientVendorError(f"{vendor} cannot be reached: {_name(error)}")
            ) from error
        except httpx.TransportError as error:
            lost = TransientVendorError(f"{vendor} did not answer: {_name(error)}")
            raise (_TryAgain(lost) if request.safe else lost) from error
        except httpx.InvalidURL as error:
            raise VendorRefused(
                f"{vendor}: {request.url!r} is no address", kind="invalid"
            ) from error
        self._pauses.note(request.url, answer)
        failure = self._judged(request, answer)
        if failure is not None:
            raise failure
        return answer

    def _judged(self, request: _Request, answer: httpx.Response) -> Exception | None:
        """Return what is wrong with an answer: the vendor's words first, then its status code."""
        trouble = request.judge(answer) if request.judge else None
        if trouble is None:
            return None if answer.is_success else self._failure(request, answer)
        error = trouble.error
        error.args = (redact(str(error), request.secrets), *error.args[1:])
        if isinstance(error, TransientVendorError) and (trouble.harmless or request.safe):
            return _TryAgain(error)
        return error

    def _failure(self, request: _Request, answer: httpx.Response) -> Exception:
        reason = redact(reason_of(answer), request.secrets)
        text = f"{request.vendor} answered {answer.status_code}: {reason}"
        wished = wished_pause(answer, self._clock.now())
        if asks_for_pause(answer):
            return _TryAgain(TransientVendorError(text, wished))
        if answer.status_code in UNKNOWN_OUTCOME:
            unknown = TransientVendorError(text, wished)
            return _TryAgain(unknown) if request.safe else unknown
        return VendorRefused(text, kind=_KINDS.get(answer.status_code, "refused"))

    def _should_stop(self, state: RetryCallState) -> bool:
        if stop_after_attempt(self._attempts)(state):
            return True
        return state.idle_for + _wait(state) > self._patience_s

    def _pool(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._client = httpx.AsyncClient(
                timeout=self._timeout,
                trust_env=True,
                verify=_trusted(),
                headers={"User-Agent": "recoup"},
            )
            self._loop = loop
        return self._client


@cache
def _trusted() -> ssl.SSLContext:
    """Return whom to trust; reading the certificates takes longer than most requests."""
    return httpx.create_ssl_context()


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    wished = error.error.retry_after_s if isinstance(error, _TryAgain) else None
    return wished if wished is not None else FIRST_WAIT_S * 2.0 ** (state.attempt_number - 1)


def make_client(clock: Clock | None = None, **options: Any) -> VendorHttp:
    """Return the client that every vendor's adapter shares; it connects at the first request.

    Vendors count in real time, so the machine's clock is the default even in a rehearsal.
    """
    return VendorHttp(clock or SystemClock(), **options)


def redact(text: str, secrets: tuple[str, ...]) -> str:
    """Return the text without the secrets."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, REDACTED)
    return text


def json_of(vendor: str, answer: httpx.Response) -> dict[str, Any]:
    """Return the answer's JSON object. Raises VendorRefused when it is something else."""
    body = any_json_of(vendor, answer)
    if not isinstance(body, dict):
        raise VendorRefused(f"{vendor} answered JSON that is no object")
    return body


def list_of(vendor: str, answer: httpx.Response) -> list[dict[str, Any]]:
    """Return the answer's JSON list of objects. Raises VendorRefused when it is something else."""
    body = any_json_of(vendor, answer)
    if not isinstance(body, list) or not all(isinstance(each, dict) for each in body):
        raise VendorRefused(f"{vendor} answered JSON that is no list of objects")
    return body


def any_json_of(vendor: str, answer: httpx.Response) -> Any:
    """Return the answer's JSON. Raises VendorRefused when it is none."""
    try:
        return answer.json()
    except ValueError as error:
        raise VendorRefused(f"{vendor} answered something that is no JSON") from error


def reason_of(answer: httpx.Response) -> str:
    """Return the vendor's own words on a failure, in at most 300 characters."""
    try:
        body = answer.json()
    except ValueError:
        return answer.text[:300]
    if not isinstance(body, dict):
        return str(body)[:300]
    words = body.get("message") or body.get("error_description") or body.get("error") or body
    if isinstance(words, dict):
        words = words.get("message") or words
    return str(words)[:300]


def _name(error: Exception) -> str:
    return type(error).__name__
