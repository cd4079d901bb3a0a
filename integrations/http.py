"""One HTTP client for every vendor: time-outs, retries that obey Retry-After, errors of ours.

A request that was refused before it had an effect (429, no connection) is always tried again. One
whose outcome is unknown (a reset, a time-out, 5xx) is tried again only when it is ``repeatable``:
a read, or a write that the vendor recognises by its key. Whoever made any other write reads the
target again first.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from recoup.domain.clock import Clock, SystemClock
from recoup.domain.errors import TransientVendorError, VendorRefused

TIMEOUT = httpx.Timeout(10.0, connect=5.0)
ATTEMPTS = 4
LONGEST_WAIT_S = 30.0
FIRST_WAIT_S = 0.3
REDACTED = "[redacted]"
_UNKNOWN_OUTCOME = frozenset({408, 500, 502, 503, 504})
_KINDS = {401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "needs_approval"} | {
    409: "conflict",
    410: "not_found",
    412: "conflict",
}


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
        longest_wait_s: float = LONGEST_WAIT_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._attempts = attempts
        self._longest_wait_s = longest_wait_s
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
        **options: Any,
    ) -> httpx.Response:
        """Send a request; return a successful answer.

        ``secrets`` never show in an error. Raises TransientVendorError (with the vendor's wish for
        a pause) or VendorRefused (with its kind).
        """
        safe = method in ("GET", "HEAD") if repeatable is None else repeatable
        attempts = AsyncRetrying(
            retry=retry_if_exception_type(_TryAgain),
            stop=stop_after_attempt(self._attempts),
            wait=self._wait,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            async for attempt in attempts:
                with attempt:
                    return await self._once(vendor, method, url, safe, secrets, options)
        except _TryAgain as last:
            raise last.error from last.__cause__
        raise AssertionError("tenacity either returns or raises")

    async def close(self) -> None:
        """Close the connections of this event loop."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _once(
        self,
        vendor: str,
        method: str,
        url: str,
        safe: bool,
        secrets: tuple[str, ...],
        options: Mapping[str, Any],
    ) -> httpx.Response:
        try:
            answer = await self._pool().request(method, url, **options)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise _TryAgain(
                TransientVendorError(f"{vendor} cannot be reached: {_name(error)}")
            ) from error
        except httpx.TransportError as error:
            lost = TransientVendorError(f"{vendor} did not answer: {_name(error)}")
            raise (_TryAgain(lost) if safe else lost) from error
        except httpx.InvalidURL as error:
            raise VendorRefused(f"{vendor}: {url!r} is no address", kind="invalid") from error
        if answer.is_success:
            return answer
        raise self._failure(vendor, answer, safe, secrets)

    def _failure(
        self, vendor: str, answer: httpx.Response, safe: bool, secrets: tuple[str, ...]
    ) -> Exception:
        reason = redact(reason_of(answer), secrets)
        text = f"{vendor} answered {answer.status_code}: {reason}"
        if answer.status_code == 429:
            return _TryAgain(TransientVendorError(text, self._retry_after(answer)))
        if answer.status_code in _UNKNOWN_OUTCOME:
            unknown = TransientVendorError(text, self._retry_after(answer))
            return _TryAgain(unknown) if safe else unknown
        return VendorRefused(text, kind=_KINDS.get(answer.status_code, "refused"))

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        wished = error.error.retry_after_s if isinstance(error, _TryAgain) else None
        backoff = FIRST_WAIT_S * 2.0 ** (state.attempt_number - 1)
        return min(wished if wished is not None else backoff, self._longest_wait_s)

    def _retry_after(self, answer: httpx.Response) -> float | None:
        """Read Retry-After, else the moment in X-Ratelimit-Reset (Unix time in milliseconds)."""
        pause = _number(answer.headers.get("Retry-After"))
        if pause is not None:
            return pause
        reset_ms = _number(answer.headers.get("X-Ratelimit-Reset"))
        if reset_ms is None:
            return None
        return max(0.0, reset_ms / 1000 - self._clock.now().timestamp())

    def _pool(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._client = httpx.AsyncClient(
                timeout=TIMEOUT, trust_env=True, headers={"User-Agent": "recoup"}
            )
            self._loop = loop
        return self._client


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
    try:
        body = answer.json()
    except ValueError as error:
        raise VendorRefused(f"{vendor} answered something that is no JSON") from error
    if not isinstance(body, dict):
        raise VendorRefused(f"{vendor} answered JSON that is no object")
    return body


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


def _number(value: str | None) -> float | None:
    try:
        return max(0.0, float(value)) if value else None
    except ValueError:
        return None
