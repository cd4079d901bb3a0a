"""Working out an alarm: the root cohort, the onset, the kind, the rates and the money."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from detectors.arrivals import Arrivals
from detectors.cohorts import CohortIndex
from detectors.kinds import Harm, Usual, kind_of
from detectors.localising import (
    LOOK_BACK_MS,
    NAMED_MS,
    Exposed,
    exposed_since,
    find_root,
    fresh_values,
    named_priors,
    refine_onset,
)
from detectors.priming import Named, Priming
from detectors.reporting import Opening
from detectors.sessions import MISSING, Plan
from detectors.trials import TrialTable
from recoup.domain.cohort import EVERYONE, Cohort
from recoup.domain.facts import IncidentKind
from recoup.domain.money import MoneyRange
from recoup.domain.storefront import CHECKOUT_STARTED, ORDER_COMPLETED

HOUR_MS = 3600 * 1000
Z90 = 1.645
ROUNDS = 4
FELT = 5.0
"""Log evidence of a drop somewhere that makes a rise of errors or slow calls an incident."""


@dataclass
class Desk:
    """What an alarm is worked out from."""

    plan: Plan
    table: TrialTable
    index: CohortIndex
    max_dims: int
    currency: str
    changing: frozenset[str]
    arrivals: Arrivals
    priming: Priming
    totals: dict[str, float] = field(default_factory=dict)
    """Fading counts of events by type."""
    order_value: float = 0.0

    def work_out(
        self,
        metric: int,
        alarmed: Cohort,
        onset_ms: int,
        now_ms: int,
        usual_ratio: float,
        explained: Sequence[tuple[Cohort, int]] = (),
        noticed_ms: int | None = None,
    ) -> Opening:
        """Return what is known of an alarm of a metric in a cohort, its onset roughly known.

        ``explained`` are cohorts, each since a moment, whose harm has its own incident already.
        A change made after the harm was ``noticed_ms`` (now, if not given) did not cause it.
        """
        drop = metric < self.plan.steps
        trials = exposed_since(self.table, metric, drop, onset_ms - LOOK_BACK_MS, now_ms)
        for cohort, since_ms in explained:
            theirs = self.index.covered(cohort, trials.leaf) & (trials.exposed_ms >= since_ms)
            trials = trials.part(~theirs)
        changes = self.priming.named(onset_ms - NAMED_MS, noticed_ms or now_ms)
        cohort, onset = self._locate(trials, onset_ms, changes)
        inside = self._inside(cohort, trials)
        inside = inside.part(inside.exposed_ms >= onset)
        harm = Harm(metric, inside, onset, now_ms, not self.changing.isdisjoint(cohort.root))
        kind = kind_of(
            harm,
            self.plan,
            self.table,
            partial(self._usual, cohort, usual_ratio, now_ms),
            lambda each: self._inside(cohort, each),
        )
        return self._opening(harm, cohort, alarmed, kind)

    def is_felt(self, opening: Opening, metric: int, now_ms: int) -> bool:
        """Tell whether errors or slow calls are felt in a step; what harms nobody wakes nobody."""
        if metric not in (self.plan.error, self.plan.slow):
            return True
        for step in range(self.plan.steps):
            trials = exposed_since(self.table, step, True, opening.onset_ms, now_ms)
            gains = self._inside(opening.cohort, trials).gains()
            if float(gains.sum(axis=0).max()) >= FELT:
                return True
        return False

    def _locate(
        self, trials: Exposed, onset_ms: int, changes: Sequence[Named]
    ) -> tuple[Cohort, int]:
        """Return root cohort and onset, each found from the others until they agree."""
        not_before = onset_ms - LOOK_BACK_MS
        cohort, effect = None, 0
        for _ in range(ROUNDS):
            recent = trials.part(trials.exposed_ms >= onset_ms)
            root, effect = find_root(
                recent if len(recent.leaf) else trials,
                self.index,
                self.max_dims,
                fresh_values(self.index, onset_ms, self.changing),
                named_priors(self.index, changes, onset_ms),
            )
            onset_ms = refine_onset(self._inside(root, trials), effect, not_before)
            if root == cohort:
                break
            cohort = root
        return root, onset_ms

    def silence(
        self, name: str, count: float, expected: float, onset_ms: int, now_ms: int, *, lost: bool
    ) -> Opening:
        """Return what is known when the stream of events fell silent; ``lost`` if data was lost."""
        hours = max(now_ms - onset_ms, 60_000) / HOUR_MS
        orders = (expected - count) * self.order_rate(name)
        at_risk = self._money(orders, math.sqrt(max(orders, 1.0)), hours)
        return Opening(
            metric=name,
            direction="drop",
            kind=IncidentKind.DATA_QUALITY if lost else IncidentKind.BUSINESS,
            cohort=EVERYONE,
            alarmed=EVERYONE,
            onset_ms=onset_ms,
            trials=expected,
            observed=count / max(expected, 1e-9),
            expected=1.0,
            harm=expected - count,
            at_risk=at_risk,
            share_of_orders=1.0 - count / max(expected, 1e-9),
        )

    def order_rate(self, name: str) -> float:
        """Return how many orders one success of a metric is worth on average."""
        end = name.removeprefix("volume:").partition("->")[2] or name.removeprefix("volume:")
        if "->" not in name and not name.startswith("volume:"):
            end = CHECKOUT_STARTED
        orders, ends = self.totals.get(ORDER_COMPLETED, 0.0), self.totals.get(end, 0.0)
        return min(1.0, orders / ends) if ends else 1.0

    def rates(self, metric: int, cohort: Cohort, since_ms: int, now_ms: int) -> tuple[float, float]:
        """Return observed and expected successes a trial of a cohort since a moment."""
        drop = metric < self.plan.steps
        inside = self._inside(cohort, exposed_since(self.table, metric, drop, since_ms, now_ms))
        due, observed, expected, _ = inside.shortfall()
        return observed / max(due, 1e-9), expected / max(due, 1e-9)

    def _opening(self, harm: Harm, cohort: Cohort, alarmed: Cohort, kind: IncidentKind) -> Opening:
        due, observed, expected, _ = harm.trials.shortfall()
        due = max(due, 1e-9)
        hours = max(harm.now_ms - harm.onset_ms, 60_000) / HOUR_MS
        lost, spread, share = self._orders_lost(harm, cohort)
        name = self.plan.names[harm.metric]
        harmless = name.startswith(MISSING)
        return Opening(
            metric=name,
            direction="drop" if harm.metric < self.plan.steps else "rise",
            kind=kind,
            cohort=cohort,
            alarmed=alarmed,
            onset_ms=harm.onset_ms,
            trials=due,
            observed=observed / due,
            expected=expected / due,
            harm=harm.trials.sign * (expected - observed),
            at_risk=self._money(0.0 if harmless else lost, spread, hours),
            share_of_orders=0.0 if harmless else share,
        )

    def _money(self, orders: float, spread: float, hours: float) -> MoneyRange:
        low, mid, high = (
            max(0.0, orders + k * spread) * self.order_value / hours for k in (-Z90, 0, Z90)
        )
        return MoneyRange(low=low, mid=mid, high=high, currency=self.currency)

    def _orders_lost(self, harm: Harm, cohort: Cohort) -> tuple[float, float, float]:
        """Return orders lost so far, their standard deviation, and their share of all expected."""
        best = (0.0, 0.0, 0.0)
        for number in range(self.plan.steps):
            rate = self.order_rate(self.plan.names[number])
            everyone = exposed_since(self.table, number, True, harm.onset_ms, harm.now_ms)
            _, observed, expected, variance = self._inside(cohort, everyone).shortfall()
            lost = (expected - observed) * rate
            if lost > best[0]:
                orders = everyone.shortfall()[2] * rate
                best = (lost, math.sqrt(max(variance, 0.0)) * rate, lost / max(orders, 1e-9))
        return best

    def _usual(
        self, cohort: Cohort, ratio: float, now_ms: int, metric: int, since_ms: int
    ) -> Usual:
        """Return what arrivals at a step are usual of a cohort and of everyone since a moment."""

        def yesterday(who: Cohort) -> float | None:
            return self.arrivals.a_day_before(
                metric, partial(self.index.covered, who), since_ms, now_ms
            )

        return Usual(ratio, yesterday(cohort), yesterday(EVERYONE))

    def _inside(self, cohort: Cohort, trials: Exposed) -> Exposed:
        return trials.part(self.index.covered(cohort, trials.leaf))
