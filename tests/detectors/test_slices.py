"""Slices: any cohort and any scope can be looked up afterwards, and late outcomes are counted."""

import numpy as np
import pytest

from detectors.slices import SLICE_MS, Slicer, cut_slice, from_bytes, to_bytes
from detectors.trials import TrialTable

DIMS = [
    {"os": "iOS 16", "browser": "Safari"},
    {"os": "iOS 16", "browser": "Chrome"},
    {"browser": "Safari"},
]
NAMES = ("a->b", "b->c")


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


@pytest.fixture
def table() -> TrialTable:
    """Four trials in the first slice, one in the second; only the first has succeeded."""
    made = TrialTable([60_000, 60_000])
    exposed = ints(0, 1000, 2000, 3000, SLICE_MS)
    made.admit(ints(0, 0, 0, 1, 0), exposed, ints(0, 1, 2, 0, 0), ints(-1, -1, -1, -1, -1),
               np.full(5, 0.5))  # fmt: skip
    made.succeed(ints(0), ints(5000))
    return made


def test_a_cohort_and_a_scope_with_several_values_are_looked_up(table: TrialTable) -> None:
    found = cut_slice(table, NAMES, DIMS, 0, SLICE_MS)
    assert found is not None
    trials, observed, expected, variance = found.sums(found.members({}))
    assert trials.tolist() == [3, 1]
    assert observed.tolist() == [1, 0]
    assert expected.tolist() == [1.5, 0.5]
    assert variance.tolist() == [0.75, 0.25]
    assert found.sums(found.members({"os": "iOS 16"}))[0].tolist() == [2, 1]
    assert found.sums(found.members({"browser": ["Safari", "Edge"]}))[0].tolist() == [2, 1]
    assert found.sums(found.members({"os": "iOS 17"}))[0].tolist() == [0, 0]
    assert found.sums(found.members({"country": "DE"}))[0].tolist() == [0, 0]


def test_packing_keeps_everything(table: TrialTable) -> None:
    found = cut_slice(table, NAMES, DIMS, 0, SLICE_MS)
    assert found is not None
    again = from_bytes(to_bytes(found))
    assert again is not None
    assert (again.dimensions, again.values, again.metrics) == (
        found.dimensions,
        found.values,
        NAMES,
    )
    assert np.array_equal(again.sums(again.members({})), found.sums(found.members({})))


def test_each_slice_is_cut_when_it_ends_and_again_when_its_last_outcome_is_in(
    table: TrialTable,
) -> None:
    slicer = Slicer(table, NAMES, DIMS)
    slicer.note(SLICE_MS + 60_000)
    assert slicer.take() == []
    slicer.note(SLICE_MS)
    assert [row.start_ms for row in slicer.take()] == [0]
    slicer.note(2 * SLICE_MS)
    assert [row.start_ms for row in slicer.take()] == [0, SLICE_MS]


def test_an_empty_stretch_has_no_slice(table: TrialTable) -> None:
    assert cut_slice(table, NAMES, DIMS, 5 * SLICE_MS, 6 * SLICE_MS) is None
