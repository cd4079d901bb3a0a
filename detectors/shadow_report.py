"""A candidate beside the live detector: what each found, and what people said of it."""

from collections.abc import Iterable, Sequence

from detectors.comparison import Comparison, Sighting, compare
from recoup.domain.base import Frozen, Moment
from recoup.domain.facts import Resolution, ShadowIncidentOpened, ShadowIncidentUpdated
from recoup.domain.incident import Incident

DAY_S = 86_400


class Said(Frozen):
    """Of the live incidents with one verdict: how many the candidate found too, and how many not.

    ``verified`` are those that a person confirmed or whose recovery was proven by the test,
    ``false_positive`` those that a person called so (or expected, or a new trend).
    """

    verified_found: int
    verified_missed: int
    false_positive_repeated: int
    false_positive_avoided: int
    unlabelled_found: int
    unlabelled_missed: int


class ShadowReport(Frozen):
    """The comparison (``a`` is the live detector) with what people said of the live incidents."""

    candidate: str
    settings: str
    comparison: Comparison
    said: Said
    verdicts: dict[str, str]


def report(
    candidate: tuple[str, str],
    live: Sequence[Incident],
    facts: Iterable[ShadowIncidentOpened | ShadowIncidentUpdated],
    start: Moment,
    until: Moment,
) -> ShadowReport:
    """Compare what opened between two moments; of the candidate's facts only its version counts."""
    days = max((until - start).total_seconds(), 0.0) / DAY_S
    mine = [_sighted(each, until) for each in live if start <= each.opened_at <= until]
    theirs = [each for each in _folded(facts, candidate, until) if each.opened_at >= start]
    found = compare(mine, theirs, days)
    verdicts = {each.id: verdict(each) for each in live}
    return ShadowReport(
        candidate=candidate[0],
        settings=candidate[1],
        comparison=found,
        said=_said(found, verdicts),
        verdicts={each.id: verdicts[each.id] for each in mine if verdicts[each.id]},
    )


def verdict(incident: Incident) -> str:
    """Return what is known of an incident by now: verified, false_positive, or nothing."""
    wrong = ("false_positive", "expected", "new_trend")
    if incident.feedback in wrong or incident.resolution is Resolution.FALSE_POSITIVE:
        return "false_positive"
    if incident.feedback == "confirmed" or incident.resolution is Resolution.RECOVERED:
        return "verified"
    return ""


def _sighted(incident: Incident, until: Moment) -> Sighting:
    ended = incident.closed_at or incident.cohort_recovered_at or until
    return Sighting(
        id=incident.id,
        opened_at=incident.opened_at,
        onset_at=incident.onset_at,
        ended_at=max(ended, incident.opened_at),
        kind=incident.kind.value,
        metric=incident.metric,
        cohort=incident.cohort,
        at_risk_per_hour=incident.at_risk_per_hour.mid,
    )


def _folded(
    facts: Iterable[ShadowIncidentOpened | ShadowIncidentUpdated],
    candidate: tuple[str, str],
    until: Moment,
) -> list[Sighting]:
    found: dict[str, Sighting] = {}
    for fact in facts:
        if (fact.candidate, fact.settings) != candidate:
            continue
        if isinstance(fact, ShadowIncidentOpened):
            found[fact.incident_id] = Sighting(
                id=fact.incident_id,
                opened_at=fact.opened_at,
                onset_at=fact.onset_at,
                ended_at=max(until, fact.opened_at),
                kind=fact.kind,
                metric=fact.metric,
                cohort=fact.cohort,
                at_risk_per_hour=fact.at_risk_per_hour.mid,
            )
        elif fact.incident_id in found:
            before = found[fact.incident_id]
            changed = {"cohort": fact.cohort, "onset_at": fact.onset_at}
            ended = {"ended_at": fact.ended_at} if fact.ended_at else {}
            found[fact.incident_id] = before.model_copy(update=changed | ended)
    return list(found.values())


def _said(found: Comparison, verdicts: dict[str, str]) -> Said:
    both = [verdicts[pair.a.id] for pair in found.both]
    missed = [verdicts[each.id] for each in found.only_a]
    return Said(
        verified_found=both.count("verified"),
        verified_missed=missed.count("verified"),
        false_positive_repeated=both.count("false_positive"),
        false_positive_avoided=missed.count("false_positive"),
        unlabelled_found=both.count(""),
        unlabelled_missed=missed.count(""),
    )
