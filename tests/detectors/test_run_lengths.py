"""The sequential test keeps its promise: false crossings are at least as far apart as it says."""

from dataclasses import replace

import pytest

from tests.benchmarks.run_lengths import SETTINGS, mean_run, run_of_the_test

SMALL = {each.name: replace(each, replicas=200, minutes=600) for each in SETTINGS}


@pytest.mark.parametrize("name", ["rare successes", "usual", "outcomes some minutes late"])
def test_a_true_baseline_is_crossed_no_more_often_than_promised(name: str) -> None:
    found = run_of_the_test(SMALL[name], promise=60)
    assert found["ends"] > 0
    assert found["low"] >= 60


def test_overlapping_cohorts_share_one_promise() -> None:
    many = replace(SMALL["125 overlapping cohorts"], replicas=10)
    assert run_of_the_test(many, promise=60)["low"] >= 60


def test_a_baseline_that_is_too_high_is_crossed_more_often() -> None:
    right = run_of_the_test(SMALL["usual"], promise=60)["ends"]
    assert run_of_the_test(SMALL["a baseline 10 % too high"], promise=60)["ends"] > 2 * right


def test_the_interval_is_that_of_a_count() -> None:
    assert mean_run(100.0, 10) == {"ends": 10, "mean": 10.0, "low": 5.9, "high": 18.4}
    assert mean_run(30.0, 0)["mean"] is None
