"""A client of Recoup's own API, for the command line and CI."""

import time
from collections.abc import Callable

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from integrations.http import redact
from recoup.domain.changes import Change
from recoup.domain.errors import ContentConflict, InvalidInput, NotAllowed, TransientVendorError

TIMEOUT_S = 10.0
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 20.0


def post_change(
    url: str,
    key: str,
    change: Change,
    *,
    attempts: int = 5,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Record a change over HTTP; tell whether it is new.

    Trying again is safe, as the change has its id: what cannot be reached or stored now is tried
    ``attempts`` times. Raises InvalidInput with the server's reason, or when no Recoup is there;
    ContentConflict when another change has the id, NotAllowed for a wrong key,
    TransientVendorError when no attempt worked.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(TransientVendorError),
        stop=stop_after_attempt(max(1, attempts)),
        wait=_wait,
        sleep=sleep,
        reraise=True,
    )
    return retrying(_post, url, key, change)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    wished = error.retry_after_s if isinstance(error, TransientVendorError) else None
    backoff = FIRST_WAIT_S * 2.0 ** (state.attempt_number - 1)
    return min(wished if wished is not None else backoff, LONGEST_WAIT_S)


def _post(url: str, key: str, change: Change) -> bool:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        answer = httpx.post(
            f"{url.rstrip('/')}/v1/changes",
            content=change.model_dump_json(),
            headers={**headers, "Content-Type": "application/json"},
            timeout=TIMEOUT_S,
        )
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise InvalidInput(
            f"{url!r} is no address; RECOUP_URL or --url is such as https://recoup.example"
        ) from error
    except httpx.TransportError as error:
        raise TransientVendorError(
            f"cannot reach Recoup at {url} ({error}); is it running, and is RECOUP_URL right?"
        ) from error
    if not answer.is_success:
        raise _failure(url, key, answer)
    return _is_new(url, answer)


def _is_new(url: str, answer: httpx.Response) -> bool:
    try:
        return bool(answer.json()["new"])
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            f"{url} answered {answer.status_code}, but not as Recoup does; is RECOUP_URL right?"
        ) from error


def _failure(url: str, key: str, answer: httpx.Response) -> Exception:
    reason = redact(_reason(answer), (key,))
    if answer.status_code == 404 or answer.is_redirect:
        return InvalidInput(
            f"{url} has no Recoup (it answered {answer.status_code}); is RECOUP_URL right, "
            "and is there a proxy that asks for a sign-in?"
        )
    if answer.status_code in (401, 403):
        return NotAllowed(f"{reason}; set RECOUP_KEY to an API key with the scope for changes")
    if answer.status_code == 409:
        return ContentConflict(reason)
    if answer.status_code >= 500 or answer.status_code in (408, 429):
        pause = answer.headers.get("Retry-After", "")
        return TransientVendorError(
            f"Recoup at {url} answered {answer.status_code}: {reason}",
            float(pause) if pause.isdigit() else None,
        )
    return InvalidInput(reason)


def _reason(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
    except ValueError:
        return answer.text[:200] or f"status {answer.status_code}"
    if isinstance(problem, dict):
        return str(problem.get("detail") or problem.get("title") or problem)
    return str(problem)
