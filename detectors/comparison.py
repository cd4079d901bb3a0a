"""Two runs over the same events: what both found, what only one did, and who was earlier.

Two incidents are the same when their times overlap and their cohorts are related: no dimension that
both name has different values, and they share one (or one is everyone). Where several fit, the
likest pair is taken first, and each incident is used once.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from detectors.backtest import FoundIncident
from recoup.domain.base import Frozen, Moment
from recoup.domain.cohort import Cohort

GRACE = timedelta(minutes=60)
"""How long after one run's incident ended the other may still open the same one."""


class Sighting(Frozen):
    """An incident as a comparison needs it; ``ended_at`` is the period's end while it is open."""

    id: str
    opened_at: Moment
    onset_at: Moment
    ended_at: Moment
    kind: str
    metric: str
    cohort: Cohort
    at_risk_per_hour: float

    @property
    def at_risk(self) -> float:
        """What was at risk from the onset to the end."""
        hours = (self.ended_at - self.onset_at).total_seconds() / 3600
        return round(self.at_risk_per_hour * max(hours, 0.0), 2)


class Both(Frozen):
    """One incident that both runs found."""

    a: Sighting
    b: Sighting

    @property
    def earlier_minutes(self) -> float:
        """How much earlier the second run opened it; negative when it was later."""
        return round((self.a.opened_at - self.b.opened_at).total_seconds() / 60, 1)

    @property
    def earlier_worth(self) -> float:
        """What was at risk in the time by which the second run was earlier."""
        return round(self.earlier_minutes / 60 * self.a.at_risk_per_hour, 2)


class Comparison(Frozen):
    """What two runs over the same days have in common, and what not."""

    days: float
    both: tuple[Both, ...]
    only_a: tuple[Sighting, ...]
    only_b: tuple[Sighting, ...]

    def found(self) -> tuple[tuple[Sighting, ...], tuple[Sighting, ...]]:
        """Return everything each of the two found."""
        return (
            tuple(pair.a for pair in self.both) + self.only_a,
            tuple(pair.b for pair in self.both) + self.only_b,
        )


def sighted(found: Iterable[FoundIncident], until: Moment) -> list[Sighting]:
    """Return a backtest's incidents in the form that is compared."""
    return [
        Sighting(
            id=each.id,
            opened_at=each.opened_at,
            onset_at=each.onset_at,
            ended_at=each.closed_at or max(until, each.opened_at),
            kind=each.kind,
            metric=each.metric,
            cohort=each.cohort,
            at_risk_per_hour=each.revenue_at_risk_per_hour,
        )
        for each in found
    ]


def compare(a: Sequence[Sighting], b: Sequence[Sighting], days: float) -> Comparison:
    """Pair the incidents of two runs, the likest first."""
    fitting = [(one, other) for one in a for other in b if are_same(one, other)]
    fitting.sort(key=lambda pair: _unlikeness(*pair))
    pairs: list[Both] = []
    used_a: set[str] = set()
    used_b: set[str] = set()
    for one, other in fitting:
        if one.id not in used_a and other.id not in used_b:
            pairs.append(Both(a=one, b=other))
            used_a.add(one.id)
            used_b.add(other.id)
    return Comparison(
        days=days,
        both=tuple(sorted(pairs, key=lambda pair: (pair.a.opened_at, pair.a.id))),
        only_a=tuple(each for each in a if each.id not in used_a),
        only_b=tuple(each for each in b if each.id not in used_b),
    )


def are_same(one: Sighting, other: Sighting) -> bool:
    """Tell whether two incidents may speak of the same trouble."""
    first, second = (one, other) if one.opened_at <= other.opened_at else (other, one)
    overlap = second.onset_at <= first.ended_at and second.opened_at <= first.ended_at + GRACE
    return overlap and are_related(one.cohort, other.cohort)


def are_related(one: Cohort, other: Cohort) -> bool:
    """Tell whether two cohorts may be the same people: nothing contradicts, something agrees."""
    return one.shares(other) and not one.contradicts(other)


def _unlikeness(one: Sighting, other: Sighting) -> tuple[bool, float, bool, float, str, str]:
    """Order pairs: same kind, likest cohort, same metric, nearest opening."""
    like = one.cohort.likeness(other.cohort)
    apart = abs((one.opened_at - other.opened_at).total_seconds())
    return one.kind != other.kind, -like, one.metric != other.metric, apart, one.id, other.id
