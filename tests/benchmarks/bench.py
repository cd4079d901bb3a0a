"""What the path costs, as ratios against bare decode + append in the same run; JSON lines."""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import zstandard

from detectors.engine import DetectionConfig, DetectionEngine
from recoup.demo.shop import Shop
from recoup.domain.clock import SystemClock
from recoup.domain.series import EventBlock
from store.opening import open_store

ROUNDS = 5
BLOCK = 5000
END = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)


def events_of_a_day() -> list[bytes]:
    start = END - timedelta(days=1)
    shop = Shop(1, int(start.timestamp() * 1000), int(END.timestamp() * 1000) * 2)
    return shop.until(END)


def bare(blocks: list[bytes]) -> None:
    """Decode without a schema, compress, append to a file and sync once a block."""
    decoder = msgspec.json.Decoder()
    with tempfile.TemporaryFile() as target:
        for body in blocks:
            decoder.decode_lines(body)
            target.write(zstandard.ZstdCompressor(level=1).compress(body))
            target.flush()


def ingest(blocks: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{Path(folder) / 'bench.db'}", SystemClock())
        for body in blocks:
            store.ingest(body)
        store.close()


def detect(blocks: list[bytes]) -> None:
    engine = DetectionEngine(DetectionConfig())
    position = 1
    for body in blocks:
        count = body.count(b"\n") + 1
        engine.observe_events(EventBlock(position, count, int(END.timestamp() * 1000), body))
        engine.advance()
        position += count


def seconds(work: Callable[[list[bytes]], None], blocks: list[bytes]) -> float:
    began = time.perf_counter()
    work(blocks)
    return time.perf_counter() - began


def main() -> None:
    lines = events_of_a_day()
    blocks = [b"\n".join(lines[i : i + BLOCK]) for i in range(0, len(lines), BLOCK)]
    ratios: dict[str, list[float]] = {"ingest": [], "detect": [], "full path": []}
    rates: dict[str, list[float]] = {name: [] for name in ratios}
    for _ in range(ROUNDS):
        base = seconds(bare, blocks)
        taken = {"ingest": seconds(ingest, blocks), "detect": seconds(detect, blocks)}
        taken["full path"] = taken["ingest"] + taken["detect"]
        for name, spent in taken.items():
            ratios[name].append(base / spent)
            rates[name].append(len(lines) / spent)
    for name, found in ratios.items():
        figure = {
            "figure": f"{name} against bare decode + append",
            "ratio": round(statistics.median(found), 3),
            "events_per_s": round(statistics.median(rates[name])),
            "events": len(lines),
            "rounds": ROUNDS,
        }
        sys.stdout.write(json.dumps(figure) + "\n")


if __name__ == "__main__":
    main()
