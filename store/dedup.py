"""Exact de-duplication: 64-bit hashes of ids in sorted runs, confirmed against the stored id.

The runs hold 8 bytes an id in memory and are rebuilt from the hashes beside each block. A hit is
only a suspicion: the caller reads the id at that position and compares.
"""

import numpy as np
import numpy.typing as npt
import xxhash

Hashes = npt.NDArray[np.int64]
Positions = npt.NDArray[np.int64]
_SMALLEST_RUN = 4096


def hash_ids(ids: list[str]) -> Hashes:
    """Return the xxh3 hashes of ids, as signed 64-bit integers."""
    digest = xxhash.xxh3_64_intdigest
    return np.array([digest(text.encode()) for text in ids], dtype=np.uint64).view(np.int64)


class HashIndex:
    """Which hashes were seen, and at which position; merges runs as they grow alike."""

    def __init__(self) -> None:
        self._runs: list[tuple[Hashes, Positions]] = []

    def __len__(self) -> int:
        return sum(len(hashes) for hashes, _ in self._runs)

    def add(self, hashes: Hashes, first_position: int) -> None:
        """Add the hashes of a block whose first event stands at ``first_position``."""
        order = np.argsort(hashes, kind="stable")
        positions = first_position + order.astype(np.int64)
        self._runs.append((hashes[order], positions))
        while len(self._runs) > 1:
            last, before = len(self._runs[-1][0]), len(self._runs[-2][0])
            if before > 2 * max(last, _SMALLEST_RUN):
                break
            self._merge_last()

    def _merge_last(self) -> None:
        (a, at_a), (b, at_b) = self._runs[-2:]
        hashes, positions = np.concatenate([a, b]), np.concatenate([at_a, at_b])
        order = np.argsort(hashes, kind="stable")
        self._runs[-2:] = [(hashes[order], positions[order])]

    def find(self, hashes: Hashes) -> list[tuple[int, int]]:
        """Return (index into ``hashes``, stored position) of every suspicion."""
        found: list[tuple[int, int]] = []
        for run, positions in self._runs:
            left = np.searchsorted(run, hashes, side="left")
            hit = np.flatnonzero(run[np.minimum(left, len(run) - 1)] == hashes)
            for index in hit:
                place = int(left[index])
                while place < len(run) and run[place] == hashes[index]:
                    found.append((int(index), int(positions[place])))
                    place += 1
        return found
