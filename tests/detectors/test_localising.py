"""The root of an alarm is the cohort whose shared effect explains the harm best."""

import numpy as np
import pytest

from detectors.cohorts import CohortIndex
from detectors.columns import Leaves
from detectors.localising import (
    DROPS,
    FRESH_MS,
    NAMED_MS,
    NAMED_PRIOR,
    NOTHING_FRESH,
    SUSPECT_MS,
    Exposed,
    find_root,
    fresh_values,
    named_priors,
)
from detectors.priming import Named

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


def root_named(
    trials: Exposed, index: CohortIndex, *cohorts: dict[str, str], at_ms: int = NOW
) -> dict[str, str]:
    """Return the root when a change named these cohorts."""
    named = named_priors(index, [Named(at_ms, cohorts)], NOW)
    return find_root(trials, index, 3, NOTHING_FRESH, named)[0].root


def in_doubt(leaf: np.ndarray) -> Exposed:  # type: ignore[type-arg]
    """Return few trials, in which one system of a country failed, and one trial beside it."""
    rows = np.concatenate([np.repeat(leaf[4], 6), leaf[3:4], np.repeat(leaf[[0, 8]], 8)])
    success = np.arange(len(rows)) >= 7
    ones = np.ones(len(rows))
    return Exposed(rows, np.arange(len(rows)), 0.8 * ones, ones, success, DROPS, 1.0)


def test_of_cohorts_that_explain_it_alike_the_one_that_a_change_names_is_it() -> None:
    index, leaf = shop("1.0")
    trials, pair = in_doubt(leaf), {"country": "FR", "os": "Linux"}
    assert find_root(trials, index, 3)[0].root == {"country": "FR"}
    assert root_named(trials, index, pair) == pair
    assert root_named(trials, index, pair, at_ms=NOW - 5 * SUSPECT_MS) == {"country": "FR"}


def test_a_change_elsewhere_moves_no_harm() -> None:
    index, leaf = shop("1.0")
    for named in ({"country": "DE"}, {"os": "iOS"}, {"country": "IT", "os": "Linux"}):
        assert root_named(in_doubt(leaf), index, named) == {"country": "FR"}
    plain = exposed(leaf, np.arange(9) < 3)
    assert root_named(plain, index, {"country": "DE", "os": "iOS"}) == {"country": "DE"}


def test_changes_share_one_prior_and_the_nearest_has_most_of_it() -> None:
    index, _ = shop("1.0")
    near, far = Named(NOW, ({"country": "DE"},)), Named(NOW - SUSPECT_MS, ({"os": "iOS"},))
    unheard_of = Named(NOW, ({"country": "JP"},))
    (alone,) = named_priors(index, [near, unheard_of], NOW).values()
    assert alone == pytest.approx(NAMED_PRIOR)
    first, second = named_priors(index, [near, far], NOW).values()
    assert first > 2 * second
    assert first + second == pytest.approx(NAMED_PRIOR)
    listed = Named(NOW, ({"country": "DE"}, {"country": "FR"}))
    assert sum(named_priors(index, [listed], NOW).values()) == pytest.approx(NAMED_PRIOR)
    assert not named_priors(index, [near], NOW - NAMED_MS - 1)
    assert not named_priors(index, [near], 0)
    lonely = named_priors(index, [far], NOW)
    assert sum(lonely.values()) < NAMED_PRIOR / 2
