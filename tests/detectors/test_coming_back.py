"""An incident goes on as long as an illness of any size explains what its cohort does."""

import numpy as np

from detectors.configuration import DetectionConfig
from detectors.incidents import OpenIncident
from detectors.sequential import Evidence
from detectors.trials import Floats, Told
from recoup.domain.cohort import Cohort

DROPS = DetectionConfig().drops
BEFORE = 0.6
"""The rate of success when all is well."""

TRIALS = 8
"""In each tick."""


class Cohorts:
    """People who succeed at a rate of our choosing, and the incident that is open for them."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._evidence = Evidence(1.0 - np.array([DROPS]))
        self.incident = OpenIncident(
            incident_id="inc",
            kind="business",
            metric="payment_attempted->order_completed",
            cohort=Cohort({}),
            direction="drop",
            onset_ms=0,
            opened_ms=0,
            severity="high",
            evidence=np.zeros(len(DROPS)),
        )

    def gains(self, rate: float, trials: int) -> Floats:
        won = self._random.random(trials) < rate
        numbers, none = np.zeros(trials, dtype=np.int64), np.zeros(trials)
        told = Told(numbers, numbers, np.full(trials, BEFORE), none, none + 1.0, won)
        return self._evidence.gains(told)

    def open_with(self, rate: float, trials: int) -> None:
        """Let the incident begin with what so many trials told."""
        self.incident.evidence = self.gains(rate, trials)

    def ticks_until_back(self, rate: float, most: int) -> int | None:
        for tick in range(most):
            if self.incident.look(self.gains(rate, TRIALS)):
                return tick + 1
        return None


def test_one_that_looked_worse_at_first_than_it_is_goes_on() -> None:
    over = 0
    for seed in range(40):
        cohorts = Cohorts(seed)
        # Nine failures in a row look like an outage; half of what succeeded still does.
        cohorts.open_with(0.0, 9)
        over += cohorts.ticks_until_back(0.5 * BEFORE, most=200) is not None
    assert over <= 2


def test_who_is_back_is_known_within_some_ten_ticks() -> None:
    ticks, over = [], 0
    for seed in range(40):
        cohorts = Cohorts(seed)
        cohorts.open_with(0.1 * BEFORE, 20)
        over += cohorts.ticks_until_back(0.1 * BEFORE, most=60) is not None
        ticks.append(cohorts.ticks_until_back(BEFORE, most=60) or 60)
    assert over <= 2
    assert np.median(ticks) <= 8
    assert max(ticks) <= 25
