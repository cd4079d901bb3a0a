"""Office hours in their own time zone, and when a trusted playbook may act unasked."""

from datetime import UTC, date, datetime

import pytest

from recoup.domain.calendar import Calendar
from recoup.domain.errors import ConfigurationError

HOURS = "Mon-Fri 09:00-18:00, Sat 10:00-14:00"


@pytest.mark.parametrize(
    ("moment", "at_work"),
    [
        (datetime(2026, 11, 24, 8, 0, tzinfo=UTC), True),
        (datetime(2026, 11, 24, 7, 59, tzinfo=UTC), False),
        (datetime(2026, 11, 24, 17, 0, tzinfo=UTC), False),
        (datetime(2026, 7, 24, 7, 0, tzinfo=UTC), True),
        (datetime(2026, 11, 28, 9, 30, tzinfo=UTC), True),
        (datetime(2026, 11, 29, 9, 30, tzinfo=UTC), False),
        (datetime(2026, 12, 25, 10, 0, tzinfo=UTC), False),
    ],
)
def test_hours_hold_in_their_zone_through_summer_time_and_holidays(
    moment: datetime, at_work: bool
) -> None:
    calendar = Calendar.read(HOURS, "Europe/Berlin", (date(2026, 12, 25),))
    assert calendar.is_open(moment) is at_work


def test_without_hours_people_are_always_at_work() -> None:
    assert Calendar().is_open(datetime(2026, 11, 29, 3, 0, tzinfo=UTC))


@pytest.mark.parametrize(
    ("automatic", "by_day", "by_night"),
    [
        ("always", True, True),
        ("never", False, False),
        ("office_hours", True, False),
        ("out_of_hours", False, True),
    ],
)
def test_when_a_playbook_may_act_unasked(automatic: str, by_day: bool, by_night: bool) -> None:
    calendar = Calendar.read(HOURS, automatic=automatic)  # type: ignore[arg-type] # a parameter
    assert calendar.allows_automatic(datetime(2026, 11, 24, 12, 0, tzinfo=UTC)) is by_day
    assert calendar.allows_automatic(datetime(2026, 11, 24, 3, 0, tzinfo=UTC)) is by_night


@pytest.mark.parametrize(
    "hours", ["9 to 5", "Mon-Fri 18:00-09:00", "Fri-Mon 09:00-10:00", "Mon 25:00-26:00"]
)
def test_hours_that_cannot_be_read_say_how_to_write_them(hours: str) -> None:
    with pytest.raises(ConfigurationError, match="write it as Mon-Fri 09:00-18:00"):
        Calendar.read(hours)


def test_a_zone_that_does_not_exist_is_named() -> None:
    with pytest.raises(ConfigurationError, match="Europe/Berlin"):
        Calendar.read("", "Mars/Base")
