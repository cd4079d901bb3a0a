"""Cohorts by number: everyone, single values, pairs, and triples with enough traffic.

A cohort's key packs the numbers of its values, in ascending order, into one integer; an open
hash table over plain arrays finds its number, so that a leaf's cohorts cost microseconds.
"""

from array import array
from collections.abc import Iterable
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from detectors.columns import Ints, Leaves
from detectors.compiled import compiled
from detectors.hashing import FIRST_ROOM, find_slot, rehashed
from recoup.domain.cohort import Cohort

Bools = npt.NDArray[np.bool_]
Number = TypeVar("Number", int, Ints)
Narrow = npt.NDArray[np.int32]
EVERYONE_ID = 0
VALUE_BITS = 20
VALUE_MASK = (1 << VALUE_BITS) - 1
MIN_TRIPLE_SHARE = 0.004
MIN_TRIPLE_COUNT = 30
SAME_PEOPLE = 0.97
"""A triple with this share of one of its pairs is that pair under a longer name."""


class Members(NamedTuple):
    """The cohorts of each leaf: ``flat[start[leaf]:stop[leaf]]``."""

    flat: Narrow
    start: Ints
    stop: Ints


class CohortIndex:
    """Numbers cohorts as they are first seen."""

    def __init__(self, max_dims: int, most: int) -> None:
        self.max_dims = max_dims
        self.most = most
        self.cohorts: list[Cohort] = [Cohort({})]
        self._keys = array("q", [0])
        self.first_seen_ms = array("q", [0])
        self.values: list[tuple[str, str]] = [("", "")]
        self.single_of_value = array("q", [EVERYONE_ID])
        self.width = 0
        self._numbers: dict[tuple[str, str], int] = {}
        self._table = np.zeros((2, FIRST_ROOM), dtype=np.int64)
        self._counted = np.zeros((2, FIRST_ROOM), dtype=np.int64)
        self._arrivals = 0
        self._filled = 0
        self._codes = np.zeros((0, 0), dtype=np.int64)
        self._has = np.zeros(0, dtype=np.int64)
        self._stale = np.zeros(0, dtype=bool)
        self._start = np.zeros(0, dtype=np.int64)
        self._stop = np.zeros(0, dtype=np.int64)
        self._flat = np.empty(1 << 16, dtype=np.int32)
        self._used = 0

    def __len__(self) -> int:
        return len(self.cohorts)

    @property
    def members(self) -> Members:
        """The cohorts of each leaf that was made ready."""
        return Members(self._flat, self._start, self._stop)

    def ready(self, leaf: Ints, leaves: Leaves, now_ms: int) -> None:
        """Number the cohorts of leaves that are new, or older than the last admitted triples."""
        if len(leaves) > len(self._start):
            self._grow(leaves)
        stale = leaf[self._stale[leaf]]
        if not len(stale):
            return
        for number in dict.fromkeys(stale[self._has[stale] == 0].tolist()):
            self._encode(number, leaves.dims[number])
        done = 0
        while done < len(stale):
            self._make_room()
            placed, self._used = _place_known(
                stale[done:],
                self._table[0],
                self._table[1],
                self.max_dims,
                self._codes,
                self._has,
                self._stale,
                self._flat,
                self._used,
                self._start,
                self._stop,
            )
            done += placed
            if done < len(stale):  # A cohort of the next leaf has no number yet.
                self._place(int(stale[done]), now_ms)

    def encode(self, leaf: Ints, leaves: Leaves) -> None:
        """Number the values of leaves, in their order, and no cohorts yet."""
        if len(leaves) > len(self._start):
            self._grow(leaves)
        for number in dict.fromkeys(leaf[self._has[leaf] == 0].tolist()):
            self._encode(number, leaves.dims[number])

    def codes(self, leaf: int) -> Ints:
        """Return the numbers of the values of a leaf, ascending."""
        found: Ints = self._codes[leaf, : self._has[leaf]]
        return found

    @property
    def all_codes(self) -> Ints:
        """L x W: the numbers of the values of each leaf, 0 where it has fewer."""
        return self._codes

    def codes_of(self, leaf: Ints) -> Ints:
        """Return n x W numbers of the values of leaves, 0 where a leaf has fewer."""
        found: Ints = self._codes[leaf]
        return found

    def covered(self, cohort: Cohort, leaf: Ints) -> Bools:
        """Return which of some leaves belong to a cohort, whether it is numbered or not."""
        codes = self._codes[leaf]
        mask = np.ones(len(leaf), dtype=bool)
        for item in cohort.root.items():
            mask &= (codes == self._numbers.get(item, -1)).any(axis=1)
        return mask

    def find(self, values: dict[str, str]) -> int:
        """Return the number of the cohort with these values; -1 where none has it."""
        if any(item not in self._numbers for item in values.items()):
            return -1
        number = self.number_of(values)
        return number if number != EVERYONE_ID or not values else -1

    def number_of(self, values: dict[str, str]) -> int:
        """Return the number of a cohort that a leaf with these values has; everyone's if none."""
        key = pack(self._numbers[item] for item in values.items())
        slot = int(find_slot(self._table[0], key))
        return int(self._table[1, slot]) if key and self._table[0, slot] == key else EVERYONE_ID

    def values_since(self, moment_ms: int, dimensions: frozenset[str]) -> Ints:
        """Return the numbers of values of some dimensions that were first seen since a moment."""
        found = [
            number
            for number, (dimension, _) in enumerate(self.values)
            if dimension in dimensions
            and self.first_seen_ms[self.single_of_value[number]] >= moment_ms
        ]
        return np.array(found, dtype=np.int64)

    def parts(self, start: int = 0) -> Ints:
        """Return n x 3: the numbers of the values of the cohorts from ``start``, 0 for none."""
        return np.stack(unpack(np.array(self._keys[start:], dtype=np.int64)), axis=1)

    def within(self, values: dict[str, str], start: int = 0) -> Bools:
        """Return which cohorts, from ``start``, have all of these values."""
        parts = self.parts(start)
        inside = np.ones(len(parts), dtype=bool)
        for item in values.items():
            inside &= (parts == self._numbers.get(item, -1)).any(axis=1)
        return inside

    def compatible(self, cohort: Cohort) -> Bools:
        """Return which cohorts say nothing else of any dimension than this one does."""
        root = cohort.root
        other = np.array([root.get(name, value) != value for name, value in self.values])
        found: Bools = np.logical_not(other[self.parts()].any(axis=1))
        return found

    def cohort_of(self, values: tuple[int, ...]) -> Cohort:
        """Return the cohort with these values, given by their numbers."""
        return Cohort(dict(self.values[value] for value in values if value))

    def count(self, arrivals: Ints) -> None:
        """Take in leaves of sessions that arrived: how busy their pairs and triples are."""
        if self.max_dims < 3:
            return
        self._arrivals += len(arrivals)
        done = 0
        while done < len(arrivals):
            count, fresh = _count(
                self._counted, self._filled, self._codes, self._has, arrivals[done:]
            )
            self._filled += fresh
            done += count
            if done < len(arrivals):
                self._counted = rehashed(self._counted)

    def admit(self, now_ms: int) -> int:
        """End a counting period: number the triples with enough traffic; return how many."""
        enough = max(MIN_TRIPLE_COUNT, MIN_TRIPLE_SHARE * self._arrivals)
        before = len(self)
        for key in np.sort(_busy(self._counted[0], self._counted[1], self._table[0], enough)):
            self._number(int(key), unpack(int(key)), now_ms)
        self._counted = np.zeros((2, FIRST_ROOM), dtype=np.int64)
        self._arrivals = self._filled = 0
        if len(self) > before:
            self._stale[:] = True
            self._used = 0
        return len(self) - before

    def _grow(self, leaves: Leaves) -> None:
        more = max(len(leaves) - len(self._start), len(self._start), 1024)
        self._start = np.concatenate([self._start, np.zeros(more, dtype=np.int64)])
        self._stop = np.concatenate([self._stop, np.zeros(more, dtype=np.int64)])
        self._stale = np.concatenate([self._stale, np.ones(more, dtype=bool)])
        self._codes = np.concatenate([self._codes, np.zeros((more, self.width), dtype=np.int64)])
        self._has = np.concatenate([self._has, np.zeros(more, dtype=np.int64)])

    def _encode(self, leaf: int, dims: dict[str, str]) -> None:
        numbers = self._numbers
        if not numbers.keys() >= dims.items():
            for item in dims.items():
                if item not in numbers:
                    numbers[item] = len(self.values)
                    self.values.append(item)
                    self.single_of_value.append(EVERYONE_ID)
        codes = sorted(map(numbers.__getitem__, dims.items()))
        if len(codes) > self.width:
            wider = np.zeros((len(self._codes), len(codes) - self.width), dtype=np.int64)
            self._codes = np.concatenate([self._codes, wider], axis=1)
            self.width = len(codes)
        self._codes[leaf, : len(codes)] = codes
        self._has[leaf] = len(codes)

    def _make_room(self) -> None:
        """Let there be room for the cohorts of one more leaf at least."""
        if self._used + _most_cohorts(self.width) > len(self._flat):
            self._flat = np.concatenate([self._flat, np.empty_like(self._flat)])

    def _place(self, leaf: int, now_ms: int) -> None:
        codes = self.codes(leaf)
        self._make_room()
        found = np.empty((2, _most_cohorts(len(codes))), dtype=np.int64)
        count = _collect(self._table[0], self._table[1], codes, self.max_dims, found)
        for place in np.flatnonzero(found[1, :count] < 0).tolist():
            key = int(found[0, place])
            found[1, place] = self._number(key, tuple(v for v in unpack(key) if v), now_ms)
        numbers = found[1, :count]
        numbers = numbers[numbers >= 0]
        self._flat[self._used : self._used + len(numbers)] = numbers
        self._start[leaf], self._stop[leaf] = self._used, self._used + len(numbers)
        self._used += len(numbers)
        self._stale[leaf] = False

    def _number(self, key: int, values: tuple[int, ...], now_ms: int) -> int:
        """Give a cohort its number; -1 when there are too many already."""
        if len(self.cohorts) >= self.most and len(values) > 1:
            return -1
        slot = find_slot(self._table[0], key)
        if self._table[0, slot] == key:
            return int(self._table[1, slot])
        number = len(self.cohorts)
        self.cohorts.append(Cohort(dict(self.values[v] for v in values)))
        self._keys.append(key)
        self.first_seen_ms.append(now_ms)
        self._table[0, slot], self._table[1, slot] = key, number
        if len(values) == 1:
            self.single_of_value[values[0]] = number
        if len(self.cohorts) * 2 > self._table.shape[1]:
            self._table = rehashed(self._table)
        return number


def pack(values: Iterable[int]) -> int:
    """Return the key of the cohort with these values, given by their numbers in any order."""
    key = 0
    for value in sorted(values):
        key = key << VALUE_BITS | value
    return key


def unpack(key: Number) -> tuple[Number, Number, Number]:
    """Return the numbers of a cohort's values, ascending; 0 where it has fewer than three."""
    return key >> (2 * VALUE_BITS), key >> VALUE_BITS & VALUE_MASK, key & VALUE_MASK


@compiled
def _most_cohorts(size: int) -> int:
    return 1 + size + size**2 // 2 + size**3 // 6


@compiled
def _place_known(  # noqa: PLR0913 - a compiled loop takes its arrays one by one
    leaves: Ints,
    keys: Ints,
    numbers: Ints,
    max_dims: int,
    codes: Ints,
    has: Ints,
    stale: Bools,
    flat: Narrow,
    used: int,
    start: Ints,
    stop: Ints,
) -> tuple[int, int]:
    """Place leaves until a cohort has no number or there is no room; return how many, and used."""
    most = _most_cohorts(codes.shape[1])
    found = np.empty((2, most), dtype=np.int64)
    for i in range(len(leaves)):
        leaf = leaves[i]
        if not stale[leaf]:
            continue
        if used + most > len(flat):
            return i, used
        count = _collect(keys, numbers, codes[leaf, : has[leaf]], max_dims, found)
        for k in range(count):
            if found[1, k] < 0:
                return i, used
        flat[used : used + count] = found[1, :count]
        start[leaf], stop[leaf] = used, used + count
        used += count
        stale[leaf] = False
    return len(leaves), used


@compiled
def _collect(keys: Ints, numbers: Ints, codes: Ints, max_dims: int, found: Ints) -> int:
    """Write key and number of each cohort of a leaf; -1 for singles and pairs not numbered yet."""
    found[0, 0], found[1, 0] = 0, EVERYONE_ID
    count = 1
    size = len(codes)
    for a in range(size):
        one = codes[a]
        slot = find_slot(keys, one)
        found[0, count], found[1, count] = one, numbers[slot] if keys[slot] == one else -1
        count += 1
        for b in range(a + 1, size if max_dims > 1 else 0):
            two = (one << VALUE_BITS) | codes[b]
            slot = find_slot(keys, two)
            found[0, count], found[1, count] = two, numbers[slot] if keys[slot] == two else -1
            count += 1
            for c in range(b + 1, size if max_dims > 2 else 0):
                three = (two << VALUE_BITS) | codes[c]
                slot = find_slot(keys, three)
                if keys[slot] == three:
                    found[0, count], found[1, count] = three, numbers[slot]
                    count += 1
    return count


@compiled
def _busy(keys: Ints, counts: Ints, numbered: Ints, enough: float) -> Ints:
    """Return the keys of triples with enough traffic that are not a pair under a longer name.

    Those that are numbered already are left out.
    """
    found = np.empty(len(keys), dtype=np.int64)
    count = 0
    for slot in range(len(keys)):
        key = keys[slot]
        a, b, c = key >> (2 * VALUE_BITS), key >> VALUE_BITS & VALUE_MASK, key & VALUE_MASK
        if a == 0 or counts[slot] < enough or numbered[find_slot(numbered, key)] == key:
            continue
        share = 0.0
        for pair in ((a << VALUE_BITS) | b, (a << VALUE_BITS) | c, (b << VALUE_BITS) | c):
            share = max(share, counts[slot] / max(counts[find_slot(keys, pair)], 1))
        if share < SAME_PEOPLE:
            found[count] = key
            count += 1
    return found[:count]


@compiled
def _count(table: Ints, filled: int, codes: Ints, has: Ints, leaves: Ints) -> tuple[int, int]:
    """Count the pairs and triples of arrivals; return how many arrivals, and how many new keys.

    It stops where the table would become more than half full.
    """
    fresh = 0
    for i in range(len(leaves)):
        size = has[leaves[i]]
        if (filled + fresh + size**3 // 6 + 64) * 2 > table.shape[1]:
            return i, fresh
        mine = codes[leaves[i]]
        for a in range(size):
            for b in range(a + 1, size):
                two = (mine[a] << VALUE_BITS) | mine[b]
                for c in range(b, size):
                    # c == b stands for the pair itself.
                    key = two if c == b else (two << VALUE_BITS) | mine[c]
                    slot = find_slot(table[0], key)
                    if table[0, slot] == 0:
                        table[0, slot] = key
                        fresh += 1
                    table[1, slot] += 1
    return len(leaves), fresh
