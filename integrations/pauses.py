"""How long a vendor wants to be left alone, read from whatever header it says so in.

``Retry-After`` is seconds or a date. The moment in a reset header is Unix time in seconds (GitHub,
GitLab) or milliseconds (LaunchDarkly), or seconds from now (the IETF draft); the size tells which.
"""

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from recoup.domain.clock import Clock

_REMAINING = (
    "x-ratelimit-remaining",
    "ratelimit-remaining",
    "x-ratelimit-global-remaining",
    "x-ratelimit-route-remaining",
)
_RESET = ("x-ratelimit-reset", "ratelimit-reset")
_SECONDS_FROM = 1e6
_MILLISECONDS_FROM = 1e11
_TOO_SHORT_S = 0.05
"""Less than this is the inexactness of a sleep, not a pause."""


class Pauses:
    """Remembers until when each vendor's host is to be left alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[str, datetime] = {}

    def left(self, url: str) -> float:
        """Return how many seconds of a pause are left for this address; 0 for none."""
        until = self._until.get(_host(url))
        left = (until - self._clock.now()).total_seconds() if until else 0.0
        return left if left > _TOO_SHORT_S else 0.0

    def note(self, url: str, answer: httpx.Response) -> None:
        """Remember what an answer says: a wished pause, or a budget that is used up."""
        if not (asks_for_pause(answer) or is_used_up(answer)):
            return
        now = self._clock.now()
        wished = wished_pause(answer, now)
        if wished:
            self._until[_host(url)] = now + timedelta(seconds=wished)


def asks_for_pause(answer: httpx.Response) -> bool:
    """Tell whether the vendor refused only because there were too many requests.

    GitHub says so with 403: by an empty budget, or by Retry-After for its secondary limits.
    """
    if answer.status_code in (420, 429):
        return True
    return answer.status_code == 403 and (is_used_up(answer) or "retry-after" in answer.headers)


def is_used_up(answer: httpx.Response) -> bool:
    """Tell whether no request is left in the vendor's budget."""
    return any(answer.headers.get(name) == "0" for name in _REMAINING)


def wished_pause(answer: httpx.Response, now: datetime) -> float | None:
    """Return for how many seconds the vendor wants to be left alone, if it says."""
    wish = answer.headers.get("retry-after")
    if wish:
        return _retry_after(wish, now)
    for name in _RESET:
        moment = _number(answer.headers.get(name))
        if moment is not None:
            return _until(moment, now)
    return None


def _retry_after(wish: str, now: datetime) -> float | None:
    seconds = _number(wish)
    if seconds is not None:
        return seconds
    try:
        return max(0.0, (parsedate_to_datetime(wish) - now).total_seconds())
    except (ValueError, TypeError):
        return None


def _until(moment: float, now: datetime) -> float:
    if moment >= _MILLISECONDS_FROM:
        moment /= 1000
    elif moment < _SECONDS_FROM:
        return moment
    return max(0.0, moment - now.timestamp())


def _number(value: str | None) -> float | None:
    try:
        return max(0.0, float(value)) if value else None
    except ValueError:
        return None


def _host(url: str) -> str:
    return urlsplit(url).netloc
