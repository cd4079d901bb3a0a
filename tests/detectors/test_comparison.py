"""Incidents of two runs are paired by time and people; each is used once."""

from datetime import UTC, datetime, timedelta

from detectors.comparison import Sighting, compare
from recoup.domain.cohort import Cohort

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def sighting(key: str, minute: int, cohort: dict[str, str], kind: str = "business") -> Sighting:
    at = NOON + timedelta(minutes=minute)
    return Sighting(
        id=key, opened_at=at, onset_at=at - timedelta(minutes=5), ended_at=at + timedelta(hours=1),
        kind=kind, metric="conversion:a", cohort=Cohort(cohort), at_risk_per_hour=600.0,
    )  # fmt: skip


def test_the_earlier_run_is_told_with_what_it_was_worth() -> None:
    found = compare(
        [sighting("a1", 20, {"os": "iOS"})],
        [sighting("b1", 10, {"os": "iOS", "browser": "Safari"})],
        2.0,
    )
    assert [(pair.a.id, pair.b.id) for pair in found.both] == [("a1", "b1")]
    assert found.both[0].earlier_minutes == 10
    assert found.both[0].earlier_worth == 100


def test_another_value_or_another_time_is_another_incident() -> None:
    a = [sighting("a1", 0, {"os": "iOS"}), sighting("a2", 0, {"country": "DE"})]
    b = [sighting("b1", 0, {"os": "Android"}), sighting("b2", 24 * 60, {"country": "DE"})]
    found = compare(a, b, 2.0)
    assert not found.both
    assert [each.id for each in found.only_a] == ["a1", "a2"]
    assert [each.id for each in found.only_b] == ["b1", "b2"]


def test_the_likest_pair_goes_first_and_repeats_stay_alone() -> None:
    a = [sighting("a1", 0, {"os": "iOS"})]
    b = [sighting("wide", 0, {}), sighting("like", 30, {"os": "iOS"})]
    found = compare(a, b, 1.0)
    assert [(pair.a.id, pair.b.id) for pair in found.both] == [("a1", "like")]
    assert [each.id for each in found.only_b] == ["wide"]
    same = compare(a, a, 1.0)
    assert not same.only_a
    assert not same.only_b
