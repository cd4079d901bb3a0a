"""What the path costs: one JSON line a figure. ``make bench``, or ``make bench ARGS=--quick``.

Ratios are measured side by side in one run; compare ratios, not rates of different runs.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from measuring import Pace, figure, fresh_store, in_turn, pace, ratio
from shop_events import bodies
from ways import (
    bare,
    full_path,
    ingest_only,
    simulated_shop,
    store_only,
    unrelated_shop,
    usual_river,
)

from recoup.domain.series import EventBlock
from store.opening import Store

ROUNDS = 5


def path(events: int, rounds: int) -> None:
    """The full path, and its parts, against bare decode and append."""
    for shop, size in (
        (simulated_shop(), 1000),
        (simulated_shop(), 5000),
        (unrelated_shop(), 5000),
    ):
        sent = shop.bodies(events, size)
        rates = in_turn(
            {
                "bare": lambda sent=sent: bare(sent, events),
                "ingest": lambda sent=sent: ingest_only(sent, events),
                "stored": lambda sent=sent: full_path(sent, events, lambda: store_only),
                "full": lambda sent=sent, shop=shop: full_path(sent, events, shop.detection),
            },
            rounds,
        )
        told = {"block": size, "shop": shop.name}
        ratio("ingest_to_bare", rates["ingest"], rates["bare"], **told)
        ratio("ingest_and_read_to_bare", rates["stored"], rates["bare"], **told)
        ratio("full_path_to_bare", rates["full"], rates["bare"], **told)


def river(events: int, rounds: int) -> None:
    """The full path against the usual River code on the same events."""
    shop = simulated_shop()
    sent = shop.bodies(events, 5000)
    few = shop.bodies(3000, 5000)
    rates = in_turn(
        {
            "full": lambda: full_path(sent, events, shop.detection),
            "river": lambda: usual_river(few),
        },
        rounds,
    )
    ratio("full_path_to_usual_river", rates["full"], rates["river"])


def duplicates(events: int, rounds: int) -> None:
    """A batch that was sent before against a new one."""
    sent = bodies(events, 1000)
    rates: dict[str, list[Pace]] = {"new": [], "again": []}
    for _ in range(rounds):
        with fresh_store() as store:
            for kind in rates:
                rates[kind].append(pace(events, lambda: [store.ingest(b) for b in sent] and None))
            assert store.stats().duplicates == events
    ratio("repeats_to_new", rates["again"], rates["new"])


def scale(events: int) -> None:
    """Bytes, replay, start-up and memory after many events; de-duplication against bare append."""
    with fresh_store() as store:
        first = _ingest_parts(store, events)
        figure("ingest_first_to_last_quarter", first[-1] / first[0], "ratio", events=events)
        figure("bytes_per_event", store.stats().bytes_per_event, "bytes", events=events)
        ids = len(store.ingestor.index) / 1e6
        figure("memory_per_million_ids", store.ingestor.index.nbytes / ids / 1e6, "MB")
        rates = [events / _seconds(lambda: _read_all(store)) for _ in range(ROUNDS)]
        figure("replay_read", statistics.median(rates), "events/s", events=events)
        _start_up(str(store.database.url.database), events)


def _ingest_parts(store: Store, events: int) -> list[float]:
    rates = []
    for part in range(4):
        sent = bodies(events // 4, 5000, seed=part, users=False)
        rates.append(events // 4 / _seconds(lambda: [store.ingest(b) for b in sent] and None))
    return rates


def _read_all(store: Store, process: Callable[[EventBlock], None] = store_only) -> None:
    position = 0
    while records := store.read(position, 20_000):
        for block in records:
            assert isinstance(block, EventBlock)
            process(block)
            position = block.first_position + block.count - 1


def _seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def replay(events: int, rounds: int) -> None:
    """How fast the detector goes over a stored log again."""
    shop = simulated_shop()
    rates: list[float] = []
    with fresh_store() as store:
        for body in shop.bodies(events, 5000):
            store.ingest(body)
        for _ in range(rounds):
            process = shop.detection()
            rates.append(events / _seconds(lambda: _read_all(store, process)))
        times = store.stats().last_time, store.stats().first_time
    figure("replay_detect", statistics.median(rates), "events/s", events=events)
    assert times[0] is not None
    assert times[1] is not None
    recorded = (times[0] - times[1]).total_seconds()
    faster = recorded / (events / statistics.median(rates))
    figure("replay_detect_to_shop", faster, "ratio", events_a_day=round(events / recorded * 86400))


START_UP = """
import json, sys, time
start = time.perf_counter()
from recoup.domain.clock import SystemClock
from store.opening import open_store
imported = time.perf_counter()
store = open_store("sqlite:///" + sys.argv[1], SystemClock())
store.head()
opened = time.perf_counter()
event = {"id": sys.argv[2], "type": "t", "time": "2026-03-02T00:00:00Z", "session": "s"}
report = store.ingest(json.dumps(event).encode())
assert report.accepted == 1
print(imported - start, opened - imported, time.perf_counter() - opened)
"""


def _start_up(database: str, events: int) -> None:
    runs = []
    for number in range(ROUNDS):
        command = [sys.executable, "-c", START_UP, database, f"new-{number}"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        runs.append([float(text) for text in done.stdout.split()])
    for name, times in zip(
        ("import", "open", "first_ingest"), zip(*runs, strict=True), strict=True
    ):
        figure(f"start_up_{name}", statistics.median(times), "s", events=events)


def deduplication(ids: int) -> None:
    """Appending prepared blocks with the index at ``ids`` ids, against appending them alone."""
    from dedup_bench import against_bare_append

    for share, value in against_bare_append(ids):
        figure("dedup_to_bare_append", value, "ratio", ids=share)


def http(events: int, rounds: int) -> None:
    """Ingest over HTTP, on one connection and on many, against ingest in process."""
    from http_bench import over_http

    for connections in (1, 8):
        for size in (100, 1000):
            sent = bodies(events, size, users=False)
            with tempfile.TemporaryDirectory(prefix="recoup-bench-") as folder:
                pairs = over_http(Path(folder), events, size, connections, rounds)
                del sent
            ratio(
                "http_to_in_process",
                [a for a, _ in pairs],
                [b for _, b in pairs],
                connections=connections,
                body=size,
            )


MEMORY = """
import gc, sys
sys.path.insert(0, sys.argv[1])
from ways import MOST_EVENTS, ARRIVED_MS
from shop_events import in_bodies, simulated
from detectors.engine import DetectionConfig, DetectionEngine
from recoup.domain.series import EventBlock
from recoup.settings import DetectSettings
def rss():
    gc.collect()
    return int(open("/proc/self/statm").read().split()[1]) * 4096
parts = in_bodies(simulated(MOST_EVENTS)[0], 5000)
def run(parts):
    engine, position = DetectionEngine(DetectionConfig.from_settings(DetectSettings())), 1
    for body in parts:
        count = body.count(bytes([10])) + 1
        engine.observe_events(EventBlock(position, count, ARRIVED_MS, body))
        engine.advance()
        position += count
    return engine
run(parts[:30])  # what any run loads and compiles is not what cohorts take
before = rss()
engine = run(parts)
after = rss()
index = engine.watching.index
print(after - before, len(index), len(engine.leaves), len(engine.snapshot()))
"""


def memory() -> None:
    """What the detector holds after two days, for each thousand cohorts it watches."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=True,
    )
    grown, cohorts, leaves, snapshot = (int(text) for text in done.stdout.split())
    told = {"cohorts": cohorts, "combinations": leaves, "all_mb": round(grown / 1e6, 1)}
    figure("memory_per_thousand_cohorts", grown / cohorts / 1e3, "MB", **told)
    figure("detector_snapshot", snapshot / 1e6, "MB", cohorts=cohorts)


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the events, 3 rounds")
    parser.add_argument(
        "parts", nargs="*", help="path river duplicates replay scale dedup http memory"
    )
    asked = parser.parse_args()
    share, rounds = (10, 3) if asked.quick else (1, ROUNDS)
    parts: dict[str, Callable[[], None]] = {
        "path": lambda: path(100_000 // share, rounds),
        "river": lambda: river(100_000 // share, rounds),
        "duplicates": lambda: duplicates(50_000 // share, rounds),
        "replay": lambda: replay(100_000 // share, rounds),
        "scale": lambda: scale(2_000_000 // share),
        "dedup": lambda: deduplication(2_000_000 // share),
        "http": lambda: http(50_000 // share, rounds),
        "memory": memory,
    }
    figure("cores", os.cpu_count() or 0, "count", load=round(statistics.mean(os.getloadavg()), 2))
    for name in asked.parts or parts:
        parts[name]()


if __name__ == "__main__":
    main()
