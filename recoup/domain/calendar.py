"""The business calendar: when people are at work, and what that means for who is asked."""

import re
from datetime import date, datetime, time
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from recoup.domain.base import Frozen
from recoup.domain.errors import ConfigurationError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"(\w{3})(?:-(\w{3}))?\s+(\d\d):(\d\d)-(\d\d):(\d\d)")
Allowed = Literal["always", "office_hours", "out_of_hours", "never"]


class _Span(Frozen):
    days: tuple[int, ...]
    start: time
    end: time


class Calendar(Frozen):
    """Office hours in one time zone, without the holidays; no hours at all means always at work."""

    spans: tuple[_Span, ...] = ()
    zone: str = "UTC"
    holidays: tuple[date, ...] = ()
    automatic: Allowed = "always"

    @classmethod
    def read(
        cls,
        hours: str,
        zone: str = "UTC",
        holidays: tuple[date, ...] = (),
        automatic: Allowed = "always",
    ) -> "Calendar":
        """Return the calendar for hours such as ``Mon-Fri 09:00-18:00, Sat 10:00-14:00``.

        Raises ConfigurationError that names the part that cannot be read.
        """
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ConfigurationError(f"{zone!r} is no time zone; try Europe/Berlin") from error
        parts = [part.strip() for part in hours.split(",") if part.strip()]
        spans = tuple(_span(part) for part in parts)
        return cls(spans=spans, zone=zone, holidays=holidays, automatic=automatic)

    def is_open(self, at: datetime) -> bool:
        """Tell whether people are at work."""
        if not self.spans:
            return True
        there = at.astimezone(ZoneInfo(self.zone))
        if there.date() in self.holidays:
            return False
        return any(
            there.weekday() in span.days and span.start <= there.time() < span.end
            for span in self.spans
        )

    def allows_automatic(self, at: datetime) -> bool:
        """Tell whether a trusted playbook may act unasked at this moment."""
        if self.automatic in ("always", "never"):
            return self.automatic == "always"
        return self.is_open(at) == (self.automatic == "office_hours")


def _span(text: str) -> _Span:
    found = _SPAN.fullmatch(text)
    try:
        if found is None:
            raise ValueError("another form")
        first, last = found[1].lower(), (found[2] or found[1]).lower()
        start, end = time(int(found[3]), int(found[4])), time(int(found[5]), int(found[6]))
        days = tuple(range(_DAYS.index(first), _DAYS.index(last) + 1))
        if not days or start >= end:
            raise ValueError("it ends before it begins")
    except ValueError as error:
        raise ConfigurationError(
            f"office hours: {text!r} cannot be read; write it as Mon-Fri 09:00-18:00"
        ) from error
    return _Span(days=days, start=start, end=end)
