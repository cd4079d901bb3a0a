"""Which cohort an alarm is about: the one whose shared effect explains the harm best.

Every cohort of up to three dimensions that was hit is a candidate. Its score is the censored-data
log-likelihood of its trials at the effect that suits it best, less the price of having been
picked from all candidates of its depth: a parent explains more trials than its child where all of
it is hit, and fewer well where only the child is.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from detectors.cohorts import VALUE_BITS, CohortIndex, pack, unpack
from detectors.compiled import compiled
from detectors.hashing import find_slot
from detectors.priming import Named
from detectors.sequential import alternative
from detectors.trials import Bools, Floats, Ints, TrialTable
from recoup.domain.cohort import Cohort

DROPS = 1.0 - np.array([0.08, 0.14, 0.2, 0.27, 0.35, 0.43, 0.52, 0.62, 0.75, 0.87, 0.97])
RISES = np.array([1.4, 2.0, 3.0, 4.5, 7.0, 10.0, 15.0, 25.0, 45.0])
DEPTH_PRIORS = (0.1, 0.4, 0.25, 0.25)
"""How likely an incident hits everyone, one value, a pair or a triple of values."""

LONGER = 0.5
FRESH_PRIOR = 0.3
"""How likely it hits just the users of one value that a change made at that moment."""

FRESH_MS = 12 * 3600 * 1000
SUSPECT_MS = 2 * 3600 * 1000
"""A change's harm shows with its first users: the longer they did well the less it is the cause."""

NAMED_PRIOR = 0.3
"""How likely it hits just those whom a change names that was made about when it began."""

NAMED_MS = 12 * 3600 * 1000

PLAUSIBLE_SHARE = 0.01
LOOK_BACK_MS = 90 * 60_000


class Fresh(NamedTuple):
    """Values that changes have lately made, by number, and how old they were at the onset."""

    values: list[int]
    age_ms: list[int]


NOTHING_FRESH = Fresh([], [])
NOBODY_NAMED: Mapping[int, float] = MappingProxyType({})


@dataclass(frozen=True)
class Exposed:
    """The trials of one metric since a moment; arrays of length n.

    ``share`` is the share of the successes due by now, ``ratios`` the alternatives to compare.
    """

    leaf: Ints
    exposed_ms: Ints
    p: Floats
    share: Floats
    success: Bools
    ratios: Floats
    sign: float
    """1 where a drop is the harm, -1 where a rise is."""

    def part(self, mask: Bools) -> "Exposed":
        """Return the trials that a mask picks."""
        return Exposed(
            self.leaf[mask],
            self.exposed_ms[mask],
            self.p[mask],
            self.share[mask],
            self.success[mask],
            self.ratios,
            self.sign,
        )

    def shortfall(self) -> tuple[float, float, float, float]:
        """Return trials due, successes, expected successes and their variance."""
        expected = self.p * self.share
        return (
            float(self.share.sum()),
            float(self.success.sum()),
            float(expected.sum()),
            float((expected * (1 - expected)).sum()),
        )

    def gains(self) -> Floats:
        """Return n x G: the log-likelihood ratio of each trial under each alternative."""
        q = alternative(self.p[:, None], self.ratios[None, :])
        p, share = self.p[:, None], self.share[:, None]
        failing = np.log((1 - q * share) / (1 - p * share))
        gains: Floats = np.where(self.success[:, None], np.log(q / p), failing)
        return gains


def exposed_since(
    table: TrialTable,
    metric: int,
    drop: bool,
    since_ms: int,
    now_ms: int,
    inside: Callable[[Ints], Bools] | None = None,
) -> Exposed:
    """Return the trials of a metric exposed since a moment, as they stand now.

    ``inside`` tells which leaves are meant, if not all.
    """
    part = table.since(since_ms)
    place = np.flatnonzero(table.metric[part] == metric) + part.start
    leaf = table.leaf[place]
    if inside is not None:
        mine = inside(leaf)
        place, leaf = place[mine], leaf[mine]
    return Exposed(
        leaf,
        table.exposed_ms[place],
        table.p[place],
        table.due_share(place, now_ms),
        table.success_ms[place] >= 0,
        DROPS if drop else RISES,
        1.0 if drop else -1.0,
    )


def fresh_values(index: CohortIndex, onset_ms: int, changing: frozenset[str]) -> Fresh:
    """Return what changes had lately made when it began, or made since."""
    values = index.values_since(onset_ms - FRESH_MS, changing).tolist()
    born = [index.first_seen_ms[index.single_of_value[value]] for value in values]
    return Fresh(values, [max(0, onset_ms - moment) for moment in born])


def named_priors(index: CohortIndex, named: Iterable[Named], onset_ms: int) -> dict[int, float]:
    """Return how likely it hits just a cohort that some change names, by the cohort's key.

    The nearer to the onset a change was made the likelier, before as after: an onset is an
    estimate. Changes share one prior, so that of many none says much.
    """
    numbers = {item: number for number, item in enumerate(index.values)}
    weights: dict[int, float] = {}
    for change in named:
        if abs(onset_ms - change.at_ms) > NAMED_MS:
            continue
        weight = math.exp(-abs(onset_ms - change.at_ms) / SUSPECT_MS) / len(change.cohorts)
        for cohort in change.cohorts:
            if numbers.keys() >= cohort.items():
                key = pack(numbers[item] for item in cohort.items())
                weights[key] = weights.get(key, 0.0) + weight
    whole = max(sum(weights.values()), 1.0)
    return {key: NAMED_PRIOR * weight / whole for key, weight in weights.items()}


def find_root(
    trials: Exposed,
    index: CohortIndex,
    max_dims: int,
    fresh: Fresh = NOTHING_FRESH,
    named: Mapping[int, float] = NOBODY_NAMED,
) -> tuple[Cohort, int]:
    """Return the cohort that explains the harm best, and the place of its effect in ``ratios``.

    ``fresh`` are the values that changes have lately made, ``named`` those ``named_priors``.
    """
    leaves, place = np.unique(trials.leaf, return_inverse=True)
    gains = np.hstack([trials.gains(), np.ones((len(trials.leaf), 1))])
    by_leaf = np.zeros((len(leaves), gains.shape[1]))
    np.add.at(by_leaf, place, gains)
    codes = index.codes_of(leaves)
    keys, sums = _all_cohorts(codes, by_leaf, max_dims)
    sums, size = sums[:, :-1], sums[:, -1]
    best = sums.argmax(axis=1)
    score = sums[np.arange(len(keys)), best]
    score -= _prices(keys, size, max_dims, fresh, named)
    # Of cohorts that score alike, the shorter name and then the label decide, not their numbers.
    close = np.flatnonzero(score >= score.max() - 1e-9)
    names = [index.cohort_of(unpack(int(keys[row]))) for row in close.tolist()]
    _, _, chosen = min((len(name), name.label, row) for name, row in zip(names, close, strict=True))
    return index.cohort_of(unpack(int(keys[chosen]))), int(best[chosen])


def _prices(
    keys: Ints, size: Floats, max_dims: int, fresh: Fresh, named: Mapping[int, float]
) -> Floats:
    """Return the price of having picked each cohort: its prior among those of its depth."""
    depth = _depth(keys)
    plausible = size >= PLAUSIBLE_SHARE * size[0]
    prices = np.full(len(keys), -math.log(DEPTH_PRIORS[0]))
    last = 0.0
    for dims in range(1, max_dims + 1):
        count = max(int((plausible & (depth == dims)).sum()), 1)
        # Of two names for the same people the shorter one is the cheaper.
        last = max(math.log(count / DEPTH_PRIORS[dims]), last + LONGER)
        prices[depth == dims] = last
    share = FRESH_PRIOR / max(len(fresh.values), 1)
    for value, age_ms in zip(*fresh, strict=True):
        made = keys == value
        prices[made] = np.minimum(prices[made], age_ms / SUSPECT_MS - math.log(share))
    for key, prior in named.items():
        mine = keys == key
        prices[mine] = np.minimum(prices[mine], -math.log(prior))
    return prices


def refine_onset(trials: Exposed, effect: int, not_before_ms: int) -> int:
    """Return the moment from which on the effect explains the trials best; they are in order."""
    gain = trials.gains()[:, effect]
    usable = trials.exposed_ms >= not_before_ms
    gain, exposed = gain[usable], trials.exposed_ms[usable]
    if len(gain) == 0:
        return not_before_ms
    suffix = np.cumsum(gain[::-1])[::-1]
    first = int(np.argmax(suffix))
    before = exposed[first - 1] if first else exposed[first]
    return int(max(exposed[first] - 60_000, (before + exposed[first]) // 2))


def _depth(keys: Ints) -> Ints:
    values = np.stack([keys >> (2 * VALUE_BITS), keys >> VALUE_BITS, keys])
    depth: Ints = ((values & ((1 << VALUE_BITS) - 1)) > 0).sum(axis=0)
    return depth


def _all_cohorts(codes: Ints, by_leaf: Floats, max_dims: int) -> tuple[Ints, Floats]:
    """Return the key and the summed gains of every cohort that some leaf belongs to."""
    width = (codes > 0).sum(axis=1).astype(np.int64)
    room = 1 << 12
    while True:
        keys = np.zeros(room, dtype=np.int64)
        sums = np.zeros((room, by_leaf.shape[1]))
        if _sum_up(codes, width, by_leaf, max_dims, keys, sums):
            used = keys != 0
            everyone = by_leaf.sum(axis=0)[None, :]
            order = np.argsort(keys[used])
            return (
                np.concatenate([[0], keys[used][order]]),
                np.concatenate([everyone, sums[used][order]]),
            )
        room *= 2


@compiled
def _sum_up(
    codes: Ints, width: Ints, by_leaf: Floats, max_dims: int, keys: Ints, sums: Floats
) -> bool:
    filled = 0
    for i in range(len(codes)):
        found = np.empty(1 + width[i] ** 3, dtype=np.int64)
        for k in range(_keys_of(codes[i, : width[i]], max_dims, found)):
            slot = find_slot(keys, found[k])
            if keys[slot] == 0:
                keys[slot] = found[k]
                filled += 1
                if filled * 2 > len(keys):
                    return False
            for g in range(by_leaf.shape[1]):
                sums[slot, g] += by_leaf[i, g]
    return True


@compiled
def _keys_of(codes: Ints, max_dims: int, found: Ints) -> int:
    count = 0
    size = len(codes)
    for a in range(size):
        found[count] = codes[a]
        count += 1
        for b in range(a + 1, size if max_dims > 1 else 0):
            two = (codes[a] << VALUE_BITS) | codes[b]
            found[count] = two
            count += 1
            for c in range(b + 1, size if max_dims > 2 else 0):
                found[count] = (two << VALUE_BITS) | codes[c]
                count += 1
    return count
