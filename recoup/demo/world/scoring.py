"""How good a backtest is against the truth: the figures that detection is judged by."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

from recoup.demo.world.generating import QUIET, read_period
from recoup.demo.world.matching import BUSINESS, Claim, Matched, Pair, likeness, match, read_claims
from recoup.demo.world.truth import Period, Truth
from recoup.domain.base import Moment

INCIDENTS = "incidents.json"
CALM = (QUIET, "mix_shift", "bots", "push")
"""Kinds of period in which no business incident is right."""

Figures = dict[str, float | None]


@dataclass(frozen=True)
class Judged:
    """One recorded period with the incidents found in it, matched."""

    period: Period
    matched: Matched

    @property
    def false_business(self) -> list[Claim]:
        """Return the business incidents that are about nothing."""
        return [claim for claim in self.matched.false if claim.kind == BUSINESS]


def judge(folder: Path) -> Judged:
    """Match the incidents of a folder with its truth."""
    period = read_period(folder)
    return Judged(period, match(period.truths, read_claims(folder / INCIDENTS)))


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return fmean(found) if found else None


def _median(values: Iterable[float]) -> float | None:
    found = list(values)
    return median(found) if found else None


def _pairs(judged: Sequence[Judged], wanted: Callable[[Truth], bool]) -> list[Pair]:
    return [
        pair
        for one in judged
        for pair in one.matched.pairs
        if wanted(pair.truth) and not pair.truth.innocent
    ]


def delay_minutes(pair: Pair) -> float | None:
    """Return how long after the onset the incident opened."""
    if pair.claim is None:
        return None
    return (pair.claim.opened_at - pair.truth.onset).total_seconds() / 60


def over_bound(pair: Pair) -> float | None:
    """Return the delay as a multiple of the theoretical bound."""
    delay, bound = delay_minutes(pair), pair.truth.bound_minutes
    return delay / bound if delay is not None and bound else None


def _present(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _found(pairs: Sequence[Pair]) -> list[tuple[Truth, Claim]]:
    return [(pair.truth, pair.claim) for pair in pairs if pair.claim is not None]


def _recall(pairs: Sequence[Pair]) -> float | None:
    return _mean(float(pair.claim is not None) for pair in pairs)


def _can_be_noticed(pair: Pair) -> bool:
    """Tell whether all trials of a fault together suffice for anyone to notice it."""
    return pair.truth.bound_minutes is not None


def _false_a_day(judged: Sequence[Judged]) -> float | None:
    days = sum(one.period.days for one in judged)
    return sum(len(one.false_business) for one in judged) / days if days else None


def loss_per_hour(truth: Truth, claim: Claim) -> float | None:
    """Return the expected loss an hour from the onset until an hour after the opening."""
    return loss_per_hour_until(truth, claim.opened_at)


def loss_per_hour_until(truth: Truth, opened_at: Moment) -> float | None:
    """Return the expected loss an hour from the onset until an hour after a moment."""
    end = min((truth.end - truth.onset).total_seconds() / 3600, float(len(truth.loss_curve)))
    until = min(end, (opened_at - truth.onset).total_seconds() / 3600 + 1)
    if until <= 0:
        return None
    lost = sum(
        value * min(1.0, max(0.0, (until - hour) / max(1e-9, min(1.0, end - hour))))
        for hour, value in enumerate(truth.loss_curve)
    )
    return lost / until if lost > 0 else None


def impact_error(truth: Truth, claim: Claim) -> float | None:
    """Return by how much the revenue at risk is off, relative to the truth."""
    right = loss_per_hour(truth, claim)
    if right is None or claim.revenue_at_risk_per_hour is None:
        return None
    return abs(abs(claim.revenue_at_risk_per_hour) - right) / right


def named(truth: Truth, claim: Claim, among: int) -> bool:
    """Tell whether the right cause is among the first so many: its change, or none."""
    first = claim.ranked[:among]
    if truth.change_id is None:
        return any(cause.is_none for cause in first)
    return any(cause.change_id in truth.change_ids for cause in first)


def brier(truth: Truth, claim: Claim) -> float:
    """Return the squared error of the probability given to the first cause; 1 when none is."""
    if not claim.causes:
        return 1.0
    return (claim.ranked[0].probability - named(truth, claim, 1)) ** 2


def _other_a_day(judged: Sequence[Judged]) -> float | None:
    """Return how many incidents of the kinds that wake nobody are about nothing, a day."""
    days = sum(one.period.days for one in judged)
    wrong = sum(len(one.matched.false) - len(one.false_business) for one in judged)
    return wrong / days if days else None


def reliability(judged: Sequence[Judged], bins: int = 5) -> list[dict[str, float]]:
    """Return, for each range of probability given to a first cause, how often it was right."""
    found = _found(_pairs(judged, lambda truth: truth.kind == BUSINESS))
    given = [(claim.ranked[0].probability, named(truth, claim, 1)) for truth, claim in found
             if claim.causes]  # fmt: skip
    rows = []
    for number in range(bins):
        inside = [pair for pair in given if min(int(pair[0] * bins), bins - 1) == number]
        if inside:
            said, right = (fmean(column) for column in zip(*inside, strict=True))
            rows.append({"said": said, "right": right, "cases": float(len(inside))})
    return rows


def _detection(judged: Sequence[Judged]) -> Figures:
    business = _pairs(judged, lambda truth: truth.kind == BUSINESS)
    quality = _pairs(judged, lambda truth: truth.kind == "data_quality")
    traffic = _pairs(judged, lambda truth: truth.kind == "traffic")
    outages = [pair for pair in business if pair.truth.fault == "total_outage"]
    stopped = [pair for pair in business if pair.truth.fault == "orders_stop"]
    return {
        "periods": float(len(judged)),
        "days": sum(one.period.days for one in judged),
        "business_faults": float(len(business)),
        "recall_business": _recall(business),
        "recall_noticeable": _recall(list(filter(_can_be_noticed, business))),
        "recall_data_quality": _recall(quality),
        "recall_traffic": _recall(traffic),
        "delay_minutes_median": _median(_present(map(delay_minutes, business))),
        "delay_over_bound_median": _median(_present(map(over_bound, business))),
        "total_outage_minutes": _median(_present(map(delay_minutes, outages))),
        "orders_stop_minutes": _median(_present(map(delay_minutes, stopped))),
        "false_business_a_day": _false_a_day(judged),
        "false_business_a_day_calm": _false_a_day(
            [one for one in judged if one.period.fault in CALM]
        ),
        "false_other_a_day": _other_a_day(judged),
        "duplicates_per_fault": _mean(float(len(pair.others)) for pair in business),
    }


def _attribution(judged: Sequence[Judged]) -> Figures:
    found = _found(_pairs(judged, lambda truth: truth.kind == BUSINESS))
    known = [(truth, claim) for truth, claim in found if truth.change_id is not None]
    unknown = [(truth, claim) for truth, claim in found if truth.change_id is None]
    errors = [abs((claim.onset_at - truth.onset).total_seconds()) / 60 for truth, claim in found]
    return {
        "root_exact": _mean(float(claim.cohort == truth.cohort) for truth, claim in found),
        "root_exact_when_asked": _mean(
            float(claim.asked == truth.cohort) for truth, claim in found if claim.asked is not None
        ),
        "root_jaccard": _mean(likeness(claim.cohort, truth.cohort) for truth, claim in found),
        "onset_error_minutes_median": _median(errors),
        "cause_first": _mean(float(named(truth, claim, 1)) for truth, claim in known),
        "cause_in_three": _mean(float(named(truth, claim, 3)) for truth, claim in known),
        "none_right": _mean(float(named(truth, claim, 1)) for truth, claim in unknown),
        "brier": _mean(brier(truth, claim) for truth, claim in found),
        "impact_error_median": _median(_present(impact_error(*pair) for pair in found)),
    }


def figures(judged: Sequence[Judged]) -> Figures:
    """Return every figure over these periods; None where nothing was there to judge."""
    return _detection(judged) | _attribution(judged)


def by_kind(judged: Sequence[Judged]) -> dict[str, Figures]:
    """Return the figures of each kind of period by itself."""
    kinds = sorted({one.period.fault for one in judged})
    return {kind: figures([one for one in judged if one.period.fault == kind]) for kind in kinds}
