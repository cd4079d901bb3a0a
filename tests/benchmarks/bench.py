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

from measuring import figure, fresh_store, in_turn, rate, ratio
from shop_events import bodies
from ways import bare, detection, full_path, ingest_only, store_only, usual_river


def path(events: int, rounds: int) -> None:
    """The full path, and ingest alone, against bare decode and append."""
    for size in (1000, 5000):
        sent = bodies(events, size)
        rates = in_turn(
            {
                "bare": lambda sent=sent: bare(sent, events),
                "ingest": lambda sent=sent: ingest_only(sent, events),
                "stored": lambda sent=sent: full_path(sent, events, lambda: store_only),
                "full": lambda sent=sent: full_path(sent, events, detection),
            },
            rounds,
        )
        ratio("ingest_to_bare", rates["ingest"], rates["bare"], block=size)
        ratio("ingest_and_read_to_bare", rates["stored"], rates["bare"], block=size)
        ratio("full_path_to_bare", rates["full"], rates["bare"], block=size)


def river(events: int, rounds: int) -> None:
    """The full path against the usual River code on the same events."""
    sent = bodies(events, 5000)
    few = bodies(3000, 5000)
    rates = in_turn(
        {
            "full": lambda: full_path(sent, events, detection),
            "river": lambda: usual_river(few),
        },
        rounds,
    )
    ratio("full_path_to_usual_river", rates["full"], rates["river"])


def duplicates(events: int, rounds: int) -> None:
    """A batch that was sent before against a new one."""
    sent = bodies(events, 1000)
    rates: dict[str, list[float]] = {"new": [], "again": []}
    for _ in range(rounds):
        with fresh_store() as store:
            for kind in rates:
                rates[kind].append(rate(events, lambda: [store.ingest(b) for b in sent] and None))
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
        position, start = 0, time.perf_counter()
        while records := store.read(position, 20_000):
            last = records[-1]
            position = last.first_position + last.count - 1  # type: ignore[union-attr]
        figure("replay_read", events / (time.perf_counter() - start), "events/s", events=events)
        _start_up(str(store.database.url.database), events)


def _ingest_parts(store: object, events: int) -> list[float]:
    rates = []
    for part in range(4):
        sent = bodies(events // 4, 5000, seed=part, users=False)
        rates.append(rate(events // 4, lambda: [store.ingest(b) for b in sent] and None))  # type: ignore[attr-defined]
    return rates


START_UP = """
import sys, time
start = time.perf_counter()
from recoup.domain.clock import SystemClock
from store.opening import open_store
imported = time.perf_counter()
store = open_store("sqlite:///" + sys.argv[1], SystemClock())
store.head()
opened = time.perf_counter()
report = store.ingest(b'{"id":"new","type":"t","time":"2026-03-02T00:00:00Z","session":"s"}')
assert report.accepted == 1
print(imported - start, opened - imported, time.perf_counter() - opened)
"""


def _start_up(database: str, events: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", START_UP, database], capture_output=True, text=True, check=True
    )
    imported, opened, first = (float(text) for text in done.stdout.split())
    figure("start_up_import", imported, "s")
    figure("start_up_open", opened, "s", events=events)
    figure("start_up_first_ingest", first, "s", events=events)


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


def memory() -> None:
    """What the detector holds for each thousand cohorts, from the growth of a process."""
    code = (
        "import resource, sys; sys.path.insert(0, sys.argv[1])\n"
        "from ways import detection, full_path\nfrom shop_events import bodies\n"
        "import gc, ways\n"
        "process = detection(); engine = process.__closure__[0].cell_contents\n"
        "rss = lambda: int(open('/proc/self/statm').read().split()[1]) * 4096\n"
        "sent = bodies(100_000, 5000); gc.collect(); before = rss()\n"
        "full_path(sent, 100_000, lambda: process); gc.collect()\n"
        "print(rss() - before, len(engine.index.cohorts) if hasattr(engine.index, 'cohorts')"
        " else len(engine.index))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        figure("memory_per_thousand_cohorts", float("nan"), "MB", error=done.stderr[-200:])
        return
    grown, cohorts = (int(text) for text in done.stdout.split())
    figure("memory_per_thousand_cohorts", grown / cohorts / 1e3, "MB", cohorts=cohorts)


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the events, 3 rounds")
    parser.add_argument("parts", nargs="*", help="path river duplicates scale dedup http memory")
    asked = parser.parse_args()
    share, rounds = (10, 3) if asked.quick else (1, 5)
    parts: dict[str, Callable[[], None]] = {
        "path": lambda: path(100_000 // share, rounds),
        "river": lambda: river(100_000 // share, rounds),
        "duplicates": lambda: duplicates(50_000 // share, rounds),
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
