"""How often the recovery test is wrong, on simulated shops: one JSON line for each truth.

Usage: python -m tests.benchmarks.recoveries [--runs N] [--seed S]

Each run draws a shop (traffic, baseline, harm, size of the complement, liveliness, a lag that is
not quite the learned one, a shift of the whole shop at the moment of the action) and looks at it
every five minutes until the test has a verdict, as the workflow does.
"""

import argparse
import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from detectors.evidence import IncidentEvidence
from detectors.recovery import check_recovery
from recoup.domain.cohort import Cohort
from recoup.domain.verification import RecoveryCheck, RecoveryVerdict

TICK_MS = 60_000
BEFORE, AFTER, EVERY = 120, 120, 5
NOTICED_AT = 15.0
"""The log evidence at which an incident is opened; approval takes some minutes more."""
APPROVAL_MIN, LONGEST_ILL = 5, 240
METRIC = "checkout_started->order_completed"
LEFT = {
    "as ill": 1.0,
    "three quarters left": 0.75,
    "half left": 0.5,
    "worse": 1.2,
    "hidden by a lift": 1.0,
    "healthy": 0.0,
    "healthy in a slump": 0.0,
}
"""How much of the harm is left after the action."""
SICK = ("as ill", "three quarters left", "half left", "worse", "hidden by a lift")
SHIFTS = {"hidden by a lift": 0.25, "healthy in a slump": -0.2}


@dataclass(frozen=True)
class Shop:
    """One simulated shop: rates a minute, the baseline, the harm, and what nobody knows."""

    rate: float
    others: float
    p: float
    harm: float
    shift: float
    liveliness: float
    lag_min: float
    learned_lag_min: float

    @property
    def ill_min(self) -> int:
        """How long it takes until somebody acts: noticed from the evidence, then approved."""
        p, q = self.p, self.p * (1 - self.harm)
        a_trial = q * math.log(q / p) + (1 - q) * math.log((1 - q) / (1 - p))
        return APPROVAL_MIN + round(self.lag_min + NOTICED_AT / (a_trial * self.rate))


def draw_shop(draw: np.random.Generator, truth: str) -> Shop:
    """Return a shop of the sort that one meets, in which the harm was noticed at all."""
    while (shop := _draw(draw, truth)).ill_min > LONGEST_ILL:
        pass
    return shop


def _draw(draw: np.random.Generator, truth: str) -> Shop:
    p = float(draw.uniform(0.1, 0.95))
    lag = float(draw.uniform(0.5, 5.0))
    shift = SHIFTS.get(truth, float(draw.normal(0.0, 0.06)))
    return Shop(
        rate=float(np.exp(draw.uniform(math.log(0.5), math.log(25)))),
        others=float(np.exp(draw.uniform(math.log(1.0), math.log(200)))),
        p=p,
        harm=float(draw.uniform(0.15, 0.9)),
        shift=min(shift, 0.97 / p - 1.0) if truth not in SHIFTS else shift,
        liveliness=float(draw.uniform(0.0, 0.06)),
        lag_min=lag,
        learned_lag_min=lag * float(draw.uniform(0.85, 1.15)),
    )


class Played:
    """What happened in a shop; ``at`` cuts the evidence as the detector would have it by then."""

    def __init__(self, shop: Shop, truth: str, draw: np.random.Generator) -> None:
        self.shop = shop
        self.acted = BEFORE + shop.ill_min
        ticks = self.acted + AFTER
        left = LEFT[truth]
        ratio = np.ones((ticks, 2))
        ratio[BEFORE : self.acted, 0] = 1.0 - shop.harm
        ratio[self.acted :, 0] = 1.0 - min(left * shop.harm, 0.97)
        ratio[self.acted :] *= 1.0 + shop.shift
        blocks = draw.normal(1.0, shop.liveliness, (ticks // 15 + 1, 2))
        ratio *= np.repeat(blocks, 15, axis=0)[:ticks]
        self.n = draw.poisson([shop.rate, shop.others], (ticks, 2))
        self.successes = draw.binomial(self.n, np.clip(shop.p * ratio, 0.0, 0.995))
        ages = np.arange(ticks + 1)
        share = np.diff(1.0 - np.exp(-ages / shop.lag_min), append=1.0)
        self.by_delay = draw.multinomial(self.successes, share / share.sum())

    def saved_an_hour(self, minutes: int) -> float:
        """The orders an hour that the action truly saves of the people who came since."""
        came = self.n[self.acted : self.acted + minutes, 0].mean() * 60
        return float(came * self.shop.p * (1 + self.shop.shift) * self.shop.harm)

    def at(self, ticks: int) -> IncidentEvidence:
        """Return the evidence once ``ticks`` minutes are over."""
        age = ticks - 1 - np.arange(ticks)
        due = 1.0 - np.exp(-(age + 0.5) / self.shop.learned_lag_min)
        observed = np.cumsum(self.by_delay[:ticks], axis=2)[np.arange(ticks), :, age]
        trials = self.n[:ticks] * due[:, None]
        return evidence_of(trials, observed.astype(float), self.shop.p, ticks)


def evidence_of(trials: np.ndarray, observed: np.ndarray, p: float, ticks: int) -> IncidentEvidence:
    """Return two leaves, the cohort and everybody else, as the detector would have cut them."""
    expected = trials * p
    return IncidentEvidence(
        incident_id="inc_simulated",
        metric_name=METRIC,
        direction="drop",
        cohort=Cohort({"os": "iOS 16"}),
        onset_ms=BEFORE * TICK_MS,
        opened_ms=(BEFORE + 10) * TICK_MS,
        until_ms=ticks * TICK_MS,
        tick_size_ms=TICK_MS,
        currency="EUR",
        dimensions=("os",),
        values=(("", "iOS 16", "other"),),
        leaves=np.array([[1], [2]]),
        metrics=(METRIC,),
        tick_ms=np.repeat(np.arange(ticks) * TICK_MS, 2),
        leaf=np.tile(np.array([0, 1]), ticks),
        metric=np.zeros(2 * ticks, dtype=np.int64),
        trials=trials.ravel(),
        observed=observed.ravel(),
        expected=expected.ravel(),
        variance=(expected * (1 - p)).ravel(),
        order_value=np.ones(2),
        order_rate=np.ones(2),
    )


def looks(played: Played) -> Iterator[RecoveryCheck]:
    """Look every five minutes until there is a verdict."""
    since = played.acted * TICK_MS
    for minutes in range(EVERY, AFTER + 1, EVERY):
        evidence = played.at(played.acted + minutes)
        check = check_recovery(evidence, since, margin=0.03, within_s=AFTER * 60)
        yield check
        if check.verdict is not RecoveryVerdict.UNDECIDED:
            return


def simulate(truth: str, runs: int, seed: int) -> dict[str, object]:
    """Return how often each verdict came, how long it took, and how often the interval held."""
    draw = np.random.default_rng([seed, sorted(LEFT).index(truth)])
    verdicts: Counter[str] = Counter()
    minutes, covered, judged = [], 0, 0
    for _ in range(runs):
        played = Played(draw_shop(draw, truth), truth, draw)
        seen = list(looks(played))
        last = seen[-1]
        verdicts[str(last.verdict)] += 1
        if last.verdict is RecoveryVerdict.RECOVERED:
            minutes.append(len(seen) * EVERY)
            saved = last.recovered_per_hour
            if saved is not None and LEFT[truth] == 0.0:
                judged += 1
                truth_of_it = played.saved_an_hour(len(seen) * EVERY)
                covered += saved.low <= truth_of_it <= saved.high
    found: dict[str, object] = {
        "truth": truth,
        "runs": runs,
        "recovered": round(verdicts["recovered"] / runs, 4),
        "not_recovered": round(verdicts["not_recovered"] / runs, 4),
        "inconclusive": round(verdicts["inconclusive"] / runs, 4),
        "no_data": round(verdicts["no_data"] / runs, 4),
    }
    if minutes:
        found["median_minutes_to_recovered"] = float(np.median(minutes))
    if judged:
        found["interval_of_money_held"] = round(covered / judged, 3)
    return found


def main() -> None:
    """Simulate every truth, and say how often 'recovered' was wrong in all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    rows = [simulate(truth, chosen.runs, chosen.seed) for truth in LEFT]
    for row in rows:
        print(json.dumps(row))
    sick = [row["recovered"] for row in rows if row["truth"] in SICK]
    print(json.dumps({"recovered_though_ill": round(float(np.mean(sick)), 4), "worst": max(sick)}))


if __name__ == "__main__":
    main()
