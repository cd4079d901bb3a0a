"""The index against nothing: prepared blocks appended with and without exact de-duplication."""

import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from store.dedup import HashIndex, hash_ids

BLOCK = 1000
PAYLOAD = np.random.default_rng(0).bytes(44 * 1024)


def against_bare_append(ids: int) -> list[tuple[int, float]]:
    """Return (ids in the index, rate with it as a share of the bare rate), quarter by quarter."""
    chance = np.random.default_rng(1)
    index = HashIndex()
    found: list[tuple[int, float]] = []
    with tempfile.TemporaryDirectory(prefix="recoup-bench-") as folder:
        plain, deduplicated = (_database(Path(folder) / name) for name in ("a.db", "b.db"))
        for quarter in range(4):
            ratios = []
            for number in range(ids // 4 // BLOCK // 20):
                first = 1 + (quarter * (ids // 4 // BLOCK) + number * 20) * BLOCK
                names = [
                    [f"{value:024x}" for value in chance.integers(0, 2**62, BLOCK)]
                    for _ in range(20)
                ]
                start = time.perf_counter()
                for place in range(20):
                    _append(plain, first + place * BLOCK, b"")
                middle = time.perf_counter()
                for place, batch in enumerate(names):
                    hashes = hash_ids(batch)
                    assert index.find(hashes) == []
                    ordered = np.sort(hashes)
                    assert not (ordered[1:] == ordered[:-1]).any()
                    _append(deduplicated, first + place * BLOCK, hashes.tobytes())
                    index.add(hashes, first + place * BLOCK)
                ratios.append((middle - start) / (time.perf_counter() - middle))
            found.append((len(index), statistics.median(ratios)))
        plain.close()
        deduplicated.close()
    return found


def _database(path: Path) -> sqlite3.Connection:
    raw = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        raw.execute(f"PRAGMA {pragma}")
    raw.execute("CREATE TABLE block (position INTEGER PRIMARY KEY, n INT, ids BLOB, data BLOB)")
    return raw


def _append(raw: sqlite3.Connection, position: int, hashes: bytes) -> None:
    raw.execute("BEGIN IMMEDIATE")
    raw.execute("INSERT INTO block VALUES (?, ?, ?, ?)", (position, BLOCK, hashes, PAYLOAD))
    raw.execute("COMMIT")
