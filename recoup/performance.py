"""How well incidents are found and ended: the figures of the business page and the digest."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from statistics import median

from recoup.domain.base import Frozen, Moment
from recoup.domain.facts import IncidentKind, Resolution
from recoup.domain.incident import Incident, Status
from recoup.domain.money import MoneyRange
from recoup.domain.verification import RecoveryVerdict

WEEK = timedelta(days=7)
_RECOVERED = (Resolution.RECOVERED, Resolution.RECOVERED_ON_ITS_OWN)


class Figures(Frozen):
    """The key figures of the business incidents that were opened in a stretch of time.

    Money intervals are added up as they are, which is wider than the truth, never narrower.
    """

    start: Moment
    end: Moment
    opened: int
    closed: int
    recovered: int
    false_positives: int
    at_risk_per_hour: MoneyRange
    lost: MoneyRange
    recovered_per_hour: MoneyRange
    minutes_to_detect: float | None
    minutes_to_resolve: float | None

    @property
    def false_positive_rate(self) -> float | None:
        """The share of the closed incidents that people called false; None without any."""
        return self.false_positives / self.closed if self.closed else None


class FollowUp(Frozen):
    """Something that people still have to look at."""

    incident_id: str
    what: str
    why: str


def figures(
    incidents: Iterable[Incident], start: datetime, end: datetime, currency: str
) -> Figures:
    """Return the figures of the incidents opened with ``start <= opened_at < end``."""
    mine = [
        each
        for each in incidents
        if each.kind is IncidentKind.BUSINESS and start <= each.opened_at < end
    ]
    true = [each for each in mine if not is_false(each)]
    closed = [each for each in mine if each.status is Status.CLOSED]
    ended = [each for each in true if each.resolution in _RECOVERED and each.closed_at]
    return Figures(
        start=start,
        end=end,
        opened=len(mine),
        closed=len(closed),
        recovered=len(ended),
        false_positives=len(mine) - len(true),
        at_risk_per_hour=_sum((each.at_risk_per_hour for each in true), currency),
        lost=_sum((each.impact.lost_so_far for each in true if each.impact), currency),
        recovered_per_hour=_sum(
            (each.recovered_per_hour for each in ended if each.recovered_per_hour), currency
        ),
        minutes_to_detect=_median((each.opened_at - each.onset_at) for each in true),
        minutes_to_resolve=_median(
            (each.closed_at - each.onset_at) for each in ended if each.closed_at
        ),
    )


def by_week(
    incidents: Sequence[Incident], end: datetime, weeks: int, currency: str
) -> list[Figures]:
    """Return the figures of each of the last weeks, the earliest first; weeks begin on Monday."""
    this = week_of(end)
    starts = [this - WEEK * back for back in range(weeks - 1, -1, -1)]
    return [figures(incidents, start, start + WEEK, currency) for start in starts]


def week_of(moment: datetime) -> datetime:
    """Return the beginning of a moment's week, Monday 00:00 UTC."""
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())


def is_false(incident: Incident) -> bool:
    """Tell whether people called an incident a false positive."""
    said = incident.feedback == "false_positive"
    return said or incident.resolution is Resolution.FALSE_POSITIVE


def follow_ups(incidents: Iterable[Incident]) -> list[FollowUp]:
    """Return what is still open: questions, failed actions, things nobody has explained."""
    return [
        FollowUp(incident_id=each.id, what=f"{each.metric} for {each.cohort.label}", why=why)
        for each in incidents
        if (why := _why_open(each))
    ]


def _why_open(incident: Incident) -> str:
    if incident.status is Status.AWAITING_APPROVAL:
        return "a proposal waits for an answer"
    if incident.status is not Status.CLOSED:
        return f"still {incident.status.value}"
    if is_false(incident):
        return ""
    if incident.action_failures:
        return f"an action failed: {incident.action_failures[-1]}"
    if incident.resolution in (Resolution.ESCALATED, Resolution.REJECTED):
        return f"ended as {incident.resolution.value}; say what it was"
    if incident.check and incident.check.verdict is RecoveryVerdict.INCONCLUSIVE:
        return "the recovery was not proven"
    return ""


def _sum(ranges: Iterable[MoneyRange], currency: str) -> MoneyRange:
    found = [each for each in ranges if each.currency == currency]
    low, mid, high = (sum(getattr(each, name) for each in found) for name in ("low", "mid", "high"))
    return MoneyRange(low=low, mid=mid, high=high, currency=currency)


def _median(durations: Iterable[timedelta]) -> float | None:
    found = [each.total_seconds() / 60 for each in durations]
    return median(found) if found else None
