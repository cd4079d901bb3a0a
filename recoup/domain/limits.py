"""The guard rails of every action: when Recoup may act, on what, how often, how far."""

import re
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from recoup.domain.base import Frozen

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW = re.compile(
    r"^(?P<first>[a-z]{3})(?:-(?P<last>[a-z]{3}))? "
    r"(?P<start>\d\d:\d\d)-(?P<end>\d\d:\d\d)(?: (?P<zone>[A-Za-z0-9_+\-/]+))?$",
    re.IGNORECASE,
)


class Window(Frozen):
    """Some hours of some weekdays in one zone; an end before the start is on the next day."""

    days: tuple[int, ...]
    start: time
    end: time
    zone: str = "UTC"

    def is_open(self, now: datetime) -> bool:
        """Tell whether the moment lies in the window."""
        local = now.astimezone(ZoneInfo(self.zone))
        clock = local.time()
        if self.start < self.end:
            return local.weekday() in self.days and self.start <= clock < self.end
        yesterday = (local - timedelta(days=1)).weekday()
        return (local.weekday() in self.days and clock >= self.start) or (
            yesterday in self.days and clock < self.end
        )


class Limits(Frozen):
    """What no action may overstep, whoever approved it.

    Without windows it is always allowed to act. ``protected`` are patterns of targets (``*`` for
    anything) that are never touched. Times are in shop time.
    """

    windows: tuple[Window, ...] = ()
    protected: tuple[str, ...] = ()
    cool_down_s: int = 600
    most_per_hour: int = 10
    most_reach: int = 20

    def may_act_at(self, now: datetime) -> bool:
        """Tell whether the moment lies in a change window."""
        return not self.windows or any(window.is_open(now) for window in self.windows)

    def protects(self, target: str) -> bool:
        """Tell whether a target is never to be touched."""
        return any(fnmatchcase(target, pattern) for pattern in self.protected)


def parse_window(text: str) -> Window:
    """Return the window of a text like ``Mon-Fri 08:00-18:00 Europe/Berlin``.

    Raises ValueError that says what is wrong.
    """
    found = _WINDOW.match(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no window like 'Mon-Fri 08:00-18:00 Europe/Berlin'")
    first = _day(found["first"])
    last = _day(found["last"]) if found["last"] else first
    days = tuple((first + step) % 7 for step in range((last - first) % 7 + 1))
    zone = found["zone"] or "UTC"
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{text!r}: there is no time zone {zone!r}") from error
    start, end = time.fromisoformat(found["start"]), time.fromisoformat(found["end"])
    if start == end:
        raise ValueError(f"{text!r} is open for no time at all")
    return Window(days=days, start=start, end=end, zone=zone)


def parse_windows(texts: Sequence[str]) -> tuple[Window, ...]:
    """Return the windows of several texts."""
    return tuple(parse_window(text) for text in texts)


def _day(name: str) -> int:
    try:
        return DAYS.index(name.lower())
    except ValueError as error:
        raise ValueError(f"{name!r} is no weekday; they are {', '.join(DAYS)}") from error
