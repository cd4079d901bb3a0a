"""The ways that are compared: Recoup's path, the bare minimum, and the usual River code."""

import sqlite3
import tempfile
from collections.abc import Callable
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import zstandard
from measuring import Pace, fresh_store, pace
from shop_events import START, in_bodies, simulated, unrelated

from recoup.domain.series import EventBlock

Processing = Callable[[EventBlock], None]
"""What is done with each stored block."""


ARRIVED_MS = int(START.replace(year=START.year + 1).timestamp() * 1000)
MOST_EVENTS = 100_000


def store_only(_block: EventBlock) -> None:
    """Do nothing with a stored block."""


class Shop:
    """A shop whose detector has warmed up and is at work; what it sends then is what is timed."""

    def __init__(
        self, name: str, periods: Callable[[int], tuple[list[bytes], list[bytes]]], warm_up_h: float
    ) -> None:
        from detectors.engine import DetectionConfig, DetectionEngine
        from recoup.settings import DetectSettings

        self.name = name
        before, self._lines = periods(MOST_EVENTS)
        settings = DetectSettings(warm_up_h=warm_up_h)
        self._config = DetectionConfig.from_settings(settings, currency="EUR", shadow=False)
        engine = DetectionEngine(self._config)
        position = 1
        for body in in_bodies(before, 5000):
            count = body.count(b"\n") + 1
            engine.observe_events(EventBlock(position, count, ARRIVED_MS, body))
            engine.advance()
            position += count
        self._learned = position - 1
        self._state = engine.snapshot()

    def bodies(self, events: int, size: int) -> list[bytes]:
        """Return what comes after that which the detector has learned from."""
        return in_bodies(self._lines[:events], size)

    def detection(self) -> Processing:
        """Return the whole detection: sessionise, learn, test."""
        from detectors.engine import DetectionEngine

        engine = DetectionEngine.restore(self._config, self._state)
        learned = self._learned

        def process(block: EventBlock) -> None:
            ticks = engine.tick_start
            moved = EventBlock(
                block.first_position + learned, block.count, block.received_at_ms, block.data
            )
            engine.observe_events(moved)
            engine.advance()
            # Who feeds it the past, or nothing but an outage, measures something else.
            assert block.count < 5000 or engine.tick_start > ticks
            assert not engine.open

        return process


@lru_cache(maxsize=2)
def simulated_shop() -> Shop:
    """Return a shop as the test world simulates it, under the settings as shipped."""
    return Shop("simulated", simulated, 48.0)


@lru_cache(maxsize=2)
def unrelated_shop() -> Shop:
    """Return the worst case: every combination of values, each as if by chance."""
    return Shop("unrelated dims", unrelated, 10.0)


def full_path(sent: list[bytes], events: int, process: Callable[[], Processing]) -> Pace:
    """Decode, validate, de-duplicate, append durably, read back and process."""
    work = process()
    with fresh_store() as store:

        def run() -> None:
            position = 0
            for body in sent:
                store.ingest(body)
                for block in store.read(position, 1_000_000):
                    assert isinstance(block, EventBlock)
                    work(block)
                    position = block.first_position + block.count - 1

        result = pace(events, run)
        assert store.stats().events == events
    return result


def ingest_only(sent: list[bytes], events: int) -> Pace:
    """Decode, validate, de-duplicate and append durably."""
    with fresh_store() as store:
        return pace(events, lambda: [store.ingest(body) for body in sent] and None)


def bare(sent: list[bytes], events: int) -> Pace:
    """Decode without a schema, append as compressed blocks, nothing else."""
    decoder = msgspec.json.Decoder()
    with tempfile.TemporaryDirectory(prefix="recoup-bench-") as folder:
        raw = sqlite3.connect(Path(folder) / "bare.db", isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            raw.execute(f"PRAGMA {pragma}")
        raw.execute("CREATE TABLE block (position INTEGER PRIMARY KEY, n INT, data BLOB)")

        def run() -> None:
            position = 1
            for body in sent:
                decoded = decoder.decode_lines(body)
                raw.execute("BEGIN IMMEDIATE")
                packed = zstandard.ZstdCompressor(level=1).compress(body)
                raw.execute("INSERT INTO block VALUES (?, ?, ?)", (position, len(decoded), packed))
                raw.execute("COMMIT")
                position += len(decoded)

        result = pace(events, run)
        raw.close()
    return result


def usual_river(sent: list[bytes]) -> Pace:
    """One hot, logistic regression and per-cohort statistics, event by event."""
    from river import linear_model, preprocessing, stats

    model = preprocessing.OneHotEncoder() | linear_model.LogisticRegression()
    cohorts: dict[Any, tuple[Any, Any]] = {}
    decoded = [msgspec.json.decode(line) for body in sent for line in body.splitlines()]

    def run() -> None:
        for event in decoded:
            dims, outcome = event["dims"], event["type"] == "order_completed"
            model.predict_proba_one(dims)
            model.learn_one(dims, outcome)
            items = sorted(dims.items())
            for cohort in (*((item,) for item in items), *combinations(items, 2)):
                found = cohorts.get(cohort)
                if found is None:
                    found = cohorts[cohort] = (stats.EWMean(0.01), stats.EWVar(0.01))
                for statistic in found:
                    statistic.update(outcome)

    return pace(len(decoded), run)
