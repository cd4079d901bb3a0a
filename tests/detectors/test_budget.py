"""Cohorts that a change made are judged by what their people were without it."""

import numpy as np
import pytest

from detectors.budget import Budget
from detectors.cohorts import EVERYONE_ID, CohortIndex
from detectors.columns import Leaves
from detectors.configuration import DAY_MS, DetectionConfig
from detectors.sequential import Evidence
from detectors.sessions import plan_of


class Watched:
    """The evidence against the cohorts that have arrived, and its budget."""

    def __init__(self) -> None:
        config = DetectionConfig()
        plan = plan_of(config.funnel)
        self.leaves, self.index = Leaves(100), CohortIndex(3, 1000)
        drops = 1.0 - np.array(config.drops)
        self.evidence = Evidence(np.tile(drops, (len(plan.names), 1)))
        self.budget = Budget(config, plan)

    def arrive(self, text: str) -> None:
        leaf = self.leaves.number(self.leaves.read(text.encode()))
        self.index.ready(np.array([leaf]), self.leaves, 0)
        self.evidence.grow(len(self.index))
        self.budget.extend(self.evidence, self.index)


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_new_release_begins_as_lively_as_its_people_are(watched: Watched) -> None:
    evidence, index = watched.evidence, watched.index
    watched.arrive('{"country":"DE","os":"iOS"}')
    people = index.find({"os": "iOS"})
    evidence.dispersion[:, people], evidence.bias[:, people] = 2.5, -0.2
    evidence.seen[:, people], evidence.surplus[:, :, people] = 40.0, 90.0
    watched.arrive('{"country":"DE","os":"iOS","release":"2"}')
    made = index.find({"os": "iOS", "release": "2"})
    for name in ("dispersion", "bias", "seen"):
        values = getattr(evidence, name)
        assert (values[:, made] == values[:, people]).all(), name
    assert (evidence.surplus[:, :, made] == 90.0).all()
    fresh = index.find({"release": "2"})
    assert (evidence.dispersion[:, fresh] == evidence.dispersion[:, EVERYONE_ID]).all()


def test_a_release_that_all_people_have_is_not_watched_beside_them(watched: Watched) -> None:
    evidence = watched.evidence
    watched.arrive('{"os":"iOS","release":"2"}')
    made = watched.index.find({"release": "2"})
    evidence.learned[:] = 10_000.0
    watched.budget.renew(evidence, watched.index, 7 * DAY_MS)
    for share, is_watched in ((0.5, True), (0.95, False), (0.5, True)):
        evidence.learned[0, EVERYONE_ID] += 200.0
        evidence.learned[0, made] += 200.0 * share
        evidence.score[0, made] = 5.0
        watched.budget.renew(evidence, watched.index, 7 * DAY_MS)
        assert np.isfinite(evidence.limit[0, made]) == is_watched
        assert (evidence.score[0, made].max() > 0.0) == is_watched
        assert np.isfinite(evidence.limit[0, EVERYONE_ID])
