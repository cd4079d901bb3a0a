"""The root of an alarm is the cohort whose shared effect explains the harm best."""

import numpy as np
import pytest

from detectors.cohorts import CohortIndex
from detectors.columns import Leaves
from detectors.localising import DROPS, FRESH_MS, Exposed, find_root, fresh_values

CHANGING = frozenset({"release"})
NOW = 10 * FRESH_MS


def shop(release_of_all: str) -> tuple[CohortIndex, np.ndarray]:  # type: ignore[type-arg]
    """Return an index of old values and one new release, and the leaves with the latter."""
    leaves, index = Leaves(100), CohortIndex(3, 1000)

    def ready(release: str, now_ms: int) -> np.ndarray:  # type: ignore[type-arg]
        texts = [
            leaves.read(f'{{"country":"{c}","os":"{o}","release":"{release}"}}'.encode())
            for c in ("DE", "FR", "IT")
            for o in ("iOS", "Linux", "Windows")
        ]
        found = np.array([leaves.number(text) for text in texts])
        index.ready(found, leaves, now_ms)
        return found

    ready("1.0", 0)
    return index, ready(release_of_all, NOW)


def exposed(leaf: np.ndarray, hit: np.ndarray) -> Exposed:  # type: ignore[type-arg]
    """Return 100 trials a leaf: of those hit one fifth succeeds, of the others four fifths."""
    rows = np.repeat(leaf, 100)
    share = np.where(np.repeat(hit, 100), 0.2, 0.8)
    success = np.tile(np.arange(100), len(leaf)) < 100 * share
    ones = np.ones(len(rows))
    return Exposed(rows, np.arange(len(rows)), 0.8 * ones, ones, success, DROPS, 1.0)


def test_all_of_one_country_is_that_country() -> None:
    index, leaf = shop("1.0")
    hit = np.arange(9) < 3
    root, _ = find_root(exposed(leaf, hit), index, 3)
    assert root.root == {"country": "DE"}


def test_one_system_in_one_country_is_both() -> None:
    index, leaf = shop("1.0")
    root, _ = find_root(exposed(leaf, np.arange(9) == 4), index, 3)
    assert root.root == {"country": "FR", "os": "Linux"}


@pytest.mark.parametrize(("release", "expected"), [("1.0", {}), ("1.1", {"release": "1.1"})])
def test_when_all_have_a_release_that_is_new_it_is_the_release(
    release: str, expected: dict[str, str]
) -> None:
    index, leaf = shop(release)
    fresh = fresh_values(index, NOW, CHANGING)
    root, _ = find_root(exposed(leaf, np.ones(9, dtype=bool)), index, 3, fresh)
    assert root.root == expected


def test_a_release_that_did_well_for_hours_is_not_it() -> None:
    index, leaf = shop("1.1")
    fresh = fresh_values(index, NOW + FRESH_MS * 5 // 6, CHANGING)
    assert fresh.values
    root, _ = find_root(exposed(leaf, np.ones(9, dtype=bool)), index, 3, fresh)
    assert root.root == {}
