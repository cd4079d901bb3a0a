"""Exact de-duplication: 64-bit hashes of ids in sorted runs, confirmed against the stored id.

For each id the index holds its hash and the number of its block, 12 bytes in sorted runs that
double as they merge, and two bytes of a bit filter that answers "never seen" without a search. A
hit is only a suspicion: the caller reads the id in that block and compares. Everything is rebuilt
from the hashes that are stored beside each block.
"""

import numpy as np
import numpy.typing as npt
import xxhash

Hashes = npt.NDArray[np.uint64]
Ordinals = npt.NDArray[np.uint32]
_FAN_IN = 4
_BITS_PER_ID = 16
_SMALLEST_FILTER = 1 << 20
_BYTE = np.uint64(3)
_IN_BYTE = np.uint64(7)
_HALF = np.uint64(32)


def hash_ids(ids: list[str]) -> Hashes:
    """Return the xxh3 hashes of ids."""
    digest = xxhash.xxh3_64_intdigest
    return np.fromiter((digest(text.encode()) for text in ids), dtype=np.uint64, count=len(ids))


class HashIndex:
    """Which id hashes were seen, and in which block."""

    def __init__(self) -> None:
        self.first_positions: list[int] = []
        self._levels: list[list[tuple[Hashes, Ordinals]]] = []
        self._count = 0
        self._filter = np.zeros(_SMALLEST_FILTER // 8, dtype=np.uint8)

    def __len__(self) -> int:
        return self._count

    @property
    def nbytes(self) -> int:
        """The memory that the index holds."""
        runs = (run for level in self._levels for run in level)
        return sum(h.nbytes + o.nbytes for h, o in runs) + self._filter.nbytes

    def add(self, hashes: Hashes, first_position: int) -> None:
        """Add the hashes of one block."""
        self.add_blocks([(first_position, hashes)])

    def add_blocks(self, blocks: list[tuple[int, Hashes]]) -> None:
        """Add the hashes of many blocks as one run."""
        if not blocks:
            return
        start = len(self.first_positions)
        self.first_positions.extend(first for first, _ in blocks)
        hashes = np.concatenate([hashes for _, hashes in blocks])
        ordinals = np.repeat(
            np.arange(start, start + len(blocks), dtype=np.uint32),
            [len(hashes) for _, hashes in blocks],
        )
        self._count += len(hashes)
        self._note(hashes)
        order = np.argsort(hashes)
        self._place((hashes[order], ordinals[order]), _level_of(len(hashes)))

    def _place(self, run: tuple[Hashes, Ordinals], level: int) -> None:
        while len(self._levels) <= level:
            self._levels.append([])
        runs = self._levels[level]
        runs.append(run)
        if len(runs) < _FAN_IN:
            return
        hashes = np.concatenate([h for h, _ in runs])
        ordinals = np.concatenate([o for _, o in runs])
        order = np.argsort(hashes, kind="stable")
        runs.clear()
        self._place((hashes[order], ordinals[order]), level + 1)

    def _note(self, hashes: Hashes) -> None:
        bits = self._filter.size * 8
        if self._count * _BITS_PER_ID > bits:
            while self._count * _BITS_PER_ID > bits:
                bits *= 4
            self._filter = np.zeros(bits // 8, dtype=np.uint8)
            for level in self._levels:
                for run, _ in level:
                    self._set_bits(run)
        self._set_bits(hashes)

    def _set_bits(self, hashes: Hashes) -> None:
        for place in self._places(hashes):
            bit = np.left_shift(np.uint8(1), (place & _IN_BYTE).astype(np.uint8))
            np.bitwise_or.at(self._filter, (place >> _BYTE).astype(np.int64), bit)

    def _places(self, hashes: Hashes) -> tuple[Hashes, Hashes]:
        mask = np.uint64(self._filter.size * 8 - 1)
        return hashes & mask, ((hashes >> _HALF) ^ (hashes << np.uint64(13))) & mask

    def find(self, hashes: Hashes) -> list[tuple[int, int]]:
        """Return (index into ``hashes``, first position of a block) for every suspicion."""
        possible = np.ones(len(hashes), dtype=bool)
        for place in self._places(hashes):
            byte = self._filter[(place >> _BYTE).astype(np.int64)]
            possible &= (byte >> (place & _IN_BYTE).astype(np.uint8)) & 1 == 1
        suspects = np.flatnonzero(possible)
        if not len(suspects):
            return []
        found: list[tuple[int, int]] = []
        wanted = hashes[suspects]
        for level in self._levels:
            for run, ordinals in level:
                left = np.searchsorted(run, wanted, side="left")
                right = np.searchsorted(run, wanted, side="right")
                for which in np.flatnonzero(right > left):
                    for at in range(int(left[which]), int(right[which])):
                        first = self.first_positions[int(ordinals[at])]
                        found.append((int(suspects[which]), first))
        return sorted(found)


def _level_of(size: int) -> int:
    """Return the level for a run of this size, so that like meets like."""
    level, bound = 0, 4096
    while size > bound:
        level, bound = level + 1, bound * _FAN_IN
    return level
