"""Follows vendors' histories: reads what was altered since the last look, and records it once.

Up to when each history was read is kept with the store's checkpoints. A look reaches back behind
that, because vendors show changes late; what is known already alters nothing. Several processes may
follow: whoever comes first notes the look, and the others wait.
"""

import asyncio
import contextlib
from datetime import datetime, timedelta

import structlog

from integrations.histories import Followed, Window, followed
from recoup.app import App
from recoup.domain.changes import Change
from recoup.domain.errors import ContentConflict, RecoupError, TransientVendorError

FIRST_LOOK = timedelta(days=3)
"""As far back as a change may be suspected of an incident."""
LONGEST_LOOK = timedelta(days=28)
OVERLAP = timedelta(minutes=15)
WAKE_S = 1.0
LONGEST_PAUSE_S = 900.0

_log = structlog.get_logger()


class Follower:
    """Follows one history."""

    def __init__(self, app: App, history: Followed) -> None:
        self._app = app
        self.history = history
        self._failures = 0
        self._not_before: datetime | None = None

    def is_due(self) -> bool:
        """Tell whether the history is to be read now; another process may just have done so."""
        now = self._app.clock.now()
        if self._not_before is not None and now < self._not_before:
            return False
        return now - self._read_until() >= timedelta(seconds=self.history.poll_s)

    async def look(self) -> int:
        """Read what is new and record it; return how many changes were new. Never raises for a
        vendor's failure: it is logged, and the next look is later and reaches further back.
        """
        now = self._app.clock.now()
        since = max(self._read_until() - OVERLAP, now - LONGEST_LOOK)
        try:
            found = await self.history.read(self._app.http, Window(since, now))
            new = await asyncio.to_thread(self._record, found)
            await asyncio.to_thread(self._app.store.note_look, self.history.name, now)
        except RecoupError as error:
            self._put_off(error, now)
            return 0
        self._failures, self._not_before = 0, None
        if new:
            _log.info("history.read", vendor=self.history.name, new=new)
        return new

    def _read_until(self) -> datetime:
        until = self._app.store.looked_until(self.history.name)
        return until or self._app.clock.now() - FIRST_LOOK

    def _record(self, changes: list[Change]) -> int:
        new = 0
        for change in sorted(changes, key=lambda each: (each.time, each.id)):
            # What the vendor says otherwise later, under the same id, alters nothing.
            with contextlib.suppress(ContentConflict):
                new += self._app.store.record_change(change, actor=f"history:{self.history.name}")
        return new

    def _put_off(self, error: RecoupError, now: datetime) -> None:
        self._failures += 1
        wished = error.retry_after_s if isinstance(error, TransientVendorError) else None
        pause = wished or min(self.history.poll_s * 2.0**self._failures, LONGEST_PAUSE_S)
        self._not_before = now + timedelta(seconds=pause)
        _log.warning(
            "history.waits", vendor=self.history.name, reason=str(error), pause_s=round(pause)
        )


async def run_followers(app: App, stop: asyncio.Event) -> None:
    """Follow every history that is configured until ``stop`` is set."""
    followers = [Follower(app, history) for history in followed(app.settings)]
    while followers and not stop.is_set():
        for follower in followers:
            if await asyncio.to_thread(follower.is_due):
                await follower.look()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), WAKE_S)
