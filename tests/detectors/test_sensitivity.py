"""Labels silence their pattern and nothing else; what they change is told before, and undone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from detectors.sensitivity import Sensitivity, preview
from recoup.domain.cohort import Cohort
from recoup.domain.facts import (
    FeedbackGiven,
    FeedbackWithdrawn,
    IncidentClosed,
    IncidentKind,
    IncidentOpened,
    Resolution,
    Severity,
)
from recoup.domain.money import MoneyRange

NIGHT = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
ADYEN = {"provider": "adyen"}


def opened(
    name: str,
    *,
    at: datetime = NIGHT,
    cohort: dict[str, str] | None = None,
    observed: float = 0.3,
    **more: Any,
) -> IncidentOpened:
    values: dict[str, Any] = {
        "incident_id": name,
        "kind": IncidentKind.BUSINESS,
        "severity": Severity.HIGH,
        "metric": "payment_attempted->order_completed",
        "cohort": Cohort(ADYEN if cohort is None else cohort),
        "direction": "drop",
        "onset_at": at,
        "opened_at": at + timedelta(minutes=20),
        "expected": 0.6,
        "observed": observed,
        "trials": 300,
        "at_risk_per_hour": MoneyRange(low=1, mid=2, high=3),
        "alarm_id": "a",
    }
    return IncidentOpened(**(values | more))


def false(name: str) -> FeedbackGiven:
    return FeedbackGiven(incident_id=name, label="false_positive", by="anna")


def taught(labels: int = 2) -> Sensitivity:
    known = Sensitivity()
    for day in range(labels):
        known.take(opened(f"old_{day}", at=NIGHT + timedelta(days=day)))
        known.take(false(f"old_{day}"))
    return known


def next_night(**more: Any) -> IncidentOpened:
    return opened("new", **({"at": NIGHT + timedelta(days=9)} | more))


def test_one_label_is_not_enough_and_two_are() -> None:
    assert taught(1).tolerates(next_night()) == ()
    assert taught(2).tolerates(next_night()) == ("old_0", "old_1")


@pytest.mark.parametrize(
    "other",
    [
        next_night(cohort={"provider": "stripe"}),
        next_night(cohort={"country": "SE"}),
        next_night(cohort={}),
        next_night(at=NIGHT + timedelta(days=9, hours=12)),
        next_night(observed=0.05),
        next_night(direction="rise"),
    ],
    ids=["other people", "people beside", "everyone", "noon", "worse", "a rise"],
)
def test_another_pattern_is_news(other: IncidentOpened) -> None:
    assert taught(2).tolerates(other) == ()


def test_a_shop_that_falls_silent_is_always_news() -> None:
    known, silence = Sensitivity(), {"metric": "volume:page_viewed", "cohort": {}}
    for day in range(5):
        known.take(opened(f"old_{day}", at=NIGHT + timedelta(days=day), **silence))
        known.take(false(f"old_{day}"))
    assert known.tolerates(next_night(**silence)) == ()


def test_at_all_hours_it_takes_more_labels() -> None:
    known = Sensitivity()
    for number in range(12):
        at = NIGHT + timedelta(days=number, hours=6 + number % 5 * 3)
        known.take(opened(f"old_{number}", at=at))
        known.take(false(f"old_{number}"))
    assert known.tolerates(next_night())


def test_a_confirmed_incident_of_the_pattern_ends_the_tolerance() -> None:
    known = taught(3)
    known.take(opened("real", at=NIGHT + timedelta(days=4)))
    closed = IncidentClosed(incident_id="real", resolution=Resolution.RECOVERED, closed_at=NIGHT)
    known.take(closed)
    assert known.tolerates(next_night()) == ()


def test_what_lasts_too_long_is_told_after_all() -> None:
    known, begun = taught(2), NIGHT + timedelta(days=9)
    assert known.tolerates(next_night())
    later = begun + timedelta(minutes=100)
    assert known.tolerates(next_night(onset_at=later, opened_at=later))
    too_late = begun + timedelta(minutes=170)
    assert known.tolerates(next_night(onset_at=too_late, opened_at=too_late)) == ()


def test_the_preview_counts_what_would_be_removed_and_what_would_be_hidden() -> None:
    known = taught(1)
    for day in (3, 4, 5):
        known.take(opened(f"night_{day}", at=NIGHT + timedelta(days=day)))
    known.take(opened("noon", at=NIGHT + timedelta(hours=11)))
    found = preview(known, "night_3")
    assert set(found.removed) == {"night_4", "night_5"}
    assert found.hidden == ()
    assert found.past == 5
    assert "night_3" not in known.benign


def test_the_preview_warns_of_a_confirmed_incident_that_would_have_been_hidden() -> None:
    known = taught(1)
    known.take(opened("night", at=NIGHT + timedelta(days=3)))
    known.take(opened("real", at=NIGHT + timedelta(days=4)))
    known.take(FeedbackGiven(incident_id="real", label="confirmed", by="anna"))
    assert preview(known, "night").hidden == ("real",)


def test_taking_a_label_back_unlearns_it() -> None:
    known = taught(2)
    known.take(FeedbackWithdrawn(incident_id="old_1", by="anna"))
    assert known.tolerates(next_night()) == ()
