"""Open hash tables over plain arrays, for compiled loops: a row of keys above a row of values.

A key of 0 marks a free slot; whoever fills a table keeps it half empty.
"""

import numpy as np
import numpy.typing as npt

from detectors.compiled import compiled

FIRST_ROOM = 1 << 14
Ints = npt.NDArray[np.int64]
MIX = 0x2545F4914F6CDD1D


def rehashed(table: Ints) -> Ints:
    """Return a table with twice the room."""
    wider = np.zeros((2, 2 * table.shape[1]), dtype=np.int64)
    _move(table, wider)
    return wider


@compiled
def find_slot(keys: Ints, key: int) -> int:
    """Return where a key is in an open hash table, or where it belongs; 0 marks a free slot."""
    mask = len(keys) - 1
    mixed = (key ^ (key >> 23)) * MIX
    slot = (mixed ^ (mixed >> 31)) & mask
    while keys[slot] not in (0, key):
        slot = (slot + 1) & mask
    return slot


@compiled
def _move(table: Ints, wider: Ints) -> None:
    for i in range(table.shape[1]):
        if table[0, i]:
            slot = find_slot(wider[0], table[0, i])
            wider[0, slot], wider[1, slot] = table[0, i], table[1, i]
