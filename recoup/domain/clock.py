"""Where time comes from: every part takes a Clock, so that a run can be repeated exactly."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the present moment."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """Return the machine's time in UTC."""
        return datetime.now(UTC)


class PacedClock:
    """A clock that starts at a chosen moment and runs ``pace`` times as fast as the machine's.

    The demo uses it so that the shop's hours pass in minutes. ``wall_origin`` is the Unix time in
    seconds at which the clock shows ``origin``; processes that share both numbers share the clock.
    """

    def __init__(self, origin: datetime, wall_origin: float, pace: float) -> None:
        self.origin = origin
        self.wall_origin = wall_origin
        self.pace = pace

    def now(self) -> datetime:
        """Return the moment this clock shows."""
        elapsed = (time.time() - self.wall_origin) * self.pace
        return self.origin + timedelta(seconds=elapsed)


class FixedClock:
    """A clock that stands still until it is moved; for tests and replays."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        """Return the moment the clock was set to."""
        return self.moment

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self.moment += timedelta(seconds=seconds)
