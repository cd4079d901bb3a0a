"""Cohorts that a change made are judged by what their people were without it."""

import numpy as np

from detectors.budget import Budget
from detectors.cohorts import CohortIndex
from detectors.columns import Leaves
from detectors.configuration import DetectionConfig
from detectors.sequential import Evidence
from detectors.sessions import plan_of


def test_a_new_release_begins_as_lively_as_its_people_are() -> None:
    config = DetectionConfig()
    plan = plan_of(config.funnel)
    leaves, index = Leaves(100), CohortIndex(3, 1000)
    evidence = Evidence(np.tile(1.0 - np.array(config.drops), (len(plan.names), 1)))
    budget = Budget(config, plan)

    def arrive(text: str) -> None:
        leaf = leaves.number(leaves.read(text.encode()))
        index.ready(np.array([leaf]), leaves, 0)
        evidence.grow(len(index))
        budget.extend(evidence, index)

    arrive('{"country":"DE","os":"iOS"}')
    people = index.find({"os": "iOS"})
    evidence.dispersion[:, people], evidence.bias[:, people] = 2.5, -0.2
    evidence.seen[:, people], evidence.surplus[:, :, people] = 40.0, 90.0
    arrive('{"country":"DE","os":"iOS","release":"2"}')
    made = index.find({"os": "iOS", "release": "2"})
    for name in ("dispersion", "bias", "seen"):
        values = getattr(evidence, name)
        assert (values[:, made] == values[:, people]).all(), name
    assert (evidence.surplus[:, :, made] == 90.0).all()
    fresh = index.find({"release": "2"})
    assert (evidence.dispersion[:, fresh] == evidence.dispersion[:, 0]).all()


def test_a_release_that_all_people_have_is_not_watched_beside_them() -> None:
    config = DetectionConfig()
    plan = plan_of(config.funnel)
    leaves, index = Leaves(100), CohortIndex(3, 1000)
    evidence = Evidence(np.tile(1.0 - np.array(config.drops), (len(plan.names), 1)))
    budget = Budget(config, plan)
    leaf = leaves.number(leaves.read(b'{"os":"iOS","release":"2"}'))
    index.ready(np.array([leaf]), leaves, 0)
    evidence.grow(len(index))
    evidence.learned[:] = 10_000.0
    made, people = index.find({"release": "2"}), 0
    now_ms = 7 * 24 * 3_600_000
    for share, watched in ((0.5, True), (0.95, False), (0.5, True)):
        evidence.hour[:, people], evidence.hour[:, made] = 200.0, 200.0 * share
        evidence.score[0, made] = 5.0
        budget.renew(evidence, index, now_ms)
        assert np.isfinite(evidence.limit[0, made]) == watched
        assert (evidence.score[0, made].max() > 0.0) == watched
        assert np.isfinite(evidence.limit[0, people])
