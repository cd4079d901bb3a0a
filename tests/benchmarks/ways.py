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
from measuring import fresh_store, rate
from shop_events import START, in_bodies, two_periods

from recoup.domain.series import EventBlock

Processing = Callable[[EventBlock], None]
"""What is done with each stored block."""


ARRIVED_MS = int(START.replace(year=START.year + 1).timestamp() * 1000)


def store_only(_block: EventBlock) -> None:
    """Do nothing with a stored block."""


WARM_EVENTS, TIMED_EVENTS = 150_000, 100_000


@lru_cache(maxsize=1)
def warm_state() -> tuple[Any, bytes]:
    """Return settings and state of a detector that has learned from three hours of this shop."""
    from detectors.engine import DetectionConfig, DetectionEngine
    from recoup.settings import DetectSettings

    settings = DetectSettings(warm_up_h=2.0)
    config = DetectionConfig.from_settings(settings, currency="EUR", shadow=False)
    engine = DetectionEngine(config)
    position = 1
    for body in in_bodies(two_periods(WARM_EVENTS, TIMED_EVENTS)[0], 5000):
        count = body.count(b"\n") + 1
        engine.observe_events(EventBlock(position, count, ARRIVED_MS, body))
        engine.advance()
        position += count
    return config, engine.snapshot()


def timed_bodies(size: int) -> list[bytes]:
    """Return what comes after the events that the detector has learned from."""
    return in_bodies(two_periods(WARM_EVENTS, TIMED_EVENTS)[1], size)


def detection() -> Processing:
    """Return the whole detection of a shop already learned: sessionise, learn, test."""
    from detectors.engine import DetectionEngine

    engine = DetectionEngine.restore(*warm_state())

    def process(block: EventBlock) -> None:
        engine.observe_events(block)
        engine.advance()

    return process


def full_path(sent: list[bytes], events: int, process: Callable[[], Processing]) -> float:
    """Decode, validate, de-duplicate, append durably, read back and process; events a second."""
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

        result = rate(events, run)
        assert store.stats().events == events
    return result


def ingest_only(sent: list[bytes], events: int) -> float:
    """Decode, validate, de-duplicate and append durably; events a second."""
    with fresh_store() as store:
        return rate(events, lambda: [store.ingest(body) for body in sent] and None)


def bare(sent: list[bytes], events: int) -> float:
    """Decode without a schema, append as compressed blocks, nothing else; events a second."""
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

        result = rate(events, run)
        raw.close()
    return result


def usual_river(sent: list[bytes]) -> float:
    """One hot, logistic regression and per-cohort statistics, event by event; events a second."""
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

    return rate(len(decoded), run)
