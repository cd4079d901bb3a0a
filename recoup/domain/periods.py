"""Business periods: when, where and for which metric detection is more or less eager."""

import re
from datetime import date, datetime
from fnmatch import fnmatchcase
from functools import cached_property
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from recoup.domain.base import Frozen
from recoup.domain.limits import Window, parse_window

_DATES = re.compile(
    r"^(?P<first>\d{4}-\d\d-\d\d)(?:\.\.(?P<last>\d{4}-\d\d-\d\d))?"
    r"(?: (?P<zone>[A-Za-z0-9_+\-/]+))?$"
)


class Dates(Frozen):
    """Whole days of one zone, the last one included."""

    first: date
    last: date
    zone: str = "UTC"

    def is_open(self, now: datetime) -> bool:
        """Tell whether the moment lies in these days."""
        return self.first <= now.astimezone(ZoneInfo(self.zone)).date() <= self.last


def parse_when(text: str) -> Dates | Window:
    """Return the days of ``2026-11-27..2026-11-30`` or the hours of ``Mon-Fri 08:00-18:00``.

    Either may end with a zone. Raises ValueError that says what is wrong.
    """
    found = _DATES.match(text.strip())
    if found is None:
        return parse_window(text)
    first = date.fromisoformat(found["first"])
    last = date.fromisoformat(found["last"]) if found["last"] else first
    zone = found["zone"] or "UTC"
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{text!r}: there is no time zone {zone!r}") from error
    if last < first:
        raise ValueError(f"{text!r} ends before it begins")
    return Dates(first=first, last=last, zone=zone)


class Period(Frozen):
    """A business period: a sale, the nights, a season.

    ``eagerness`` is a factor on the false-alarm budget of what it covers: 0.1 asks for more
    evidence, 10 for less, 0 says nothing at all. An empty cohort covers everyone.
    """

    when: str = Field(description="`2026-11-27..2026-11-30` or `Sat-Sun 00:00-23:59 Europe/Paris`")
    metric: str = Field(default="*", description="a pattern, as `payment_attempted->*`")
    cohort: dict[str, str] = Field(default_factory=dict, description="and every cohort within it")
    eagerness: float = Field(default=0.1, ge=0.0, le=1000.0)

    @field_validator("when")
    @classmethod
    def _can_be_read(cls, text: str) -> str:
        parse_when(text)
        return text

    @cached_property
    def _when(self) -> Dates | Window:
        return parse_when(self.when)

    def covers(self, metric: str, now: datetime) -> bool:
        """Tell whether a metric is in this period at a moment."""
        return fnmatchcase(metric, self.metric) and self._when.is_open(now)
