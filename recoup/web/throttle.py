"""How often somebody may call: moving windows by the ``limits`` library, one for each purpose."""

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from recoup.domain.errors import TooMany
from recoup.settings import WebSettings

WAIT_S = 60.0


class Throttle:
    """Counts calls by purpose and caller; each process counts for itself."""

    def __init__(self, settings: WebSettings) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._limits = {
            "sign-in": settings.sign_ins_per_minute,
            "request": settings.requests_per_minute,
            "events": settings.event_requests_per_minute,
        }

    def hit(self, purpose: str, caller: str) -> None:
        """Count one call. Raises TooMany beyond the limit."""
        self._check(purpose, caller, count=True)

    def look(self, purpose: str, caller: str) -> None:
        """Raise TooMany when the limit is reached, without counting."""
        self._check(purpose, caller, count=False)

    def _check(self, purpose: str, caller: str, *, count: bool) -> None:
        amount = self._limits[purpose]
        if amount <= 0:
            return
        item = RateLimitItemPerMinute(amount)
        ask = self._limiter.hit if count else self._limiter.test
        if not ask(item, purpose, caller):
            raise TooMany(f"at most {amount} a minute; try again in a minute", WAIT_S)
