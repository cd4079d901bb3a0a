"""A client of Recoup's own API, for the command line and CI."""

import httpx

from recoup.domain.changes import Change
from recoup.domain.errors import InvalidInput, NotAllowed, TransientVendorError

TIMEOUT_S = 10.0


def post_change(url: str, key: str, change: Change) -> None:
    """Record a change over HTTP.

    Raises InvalidInput with the server's reason, NotAllowed for a wrong key, TransientVendorError
    when the server cannot be reached or cannot store it now.
    """
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        answer = httpx.post(
            f"{url.rstrip('/')}/v1/changes",
            content=change.model_dump_json(),
            headers={**headers, "Content-Type": "application/json"},
            timeout=TIMEOUT_S,
        )
    except httpx.TransportError as error:
        raise TransientVendorError(f"cannot reach Recoup at {url}: {error}") from error
    if answer.is_success:
        return
    reason = _reason(answer)
    if answer.status_code in (401, 403):
        raise NotAllowed(f"{reason}; set RECOUP_KEY to an API key with the scope for changes")
    if answer.status_code >= 500 or answer.status_code == 429:
        raise TransientVendorError(f"Recoup at {url} answered {answer.status_code}: {reason}")
    raise InvalidInput(reason)


def _reason(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
    except ValueError:
        return answer.text[:200] or f"status {answer.status_code}"
    if isinstance(problem, dict):
        return str(problem.get("detail") or problem.get("title") or problem)
    return str(problem)
