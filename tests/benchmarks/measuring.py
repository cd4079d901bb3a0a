"""Measuring side by side: rounds of the ways in turn, ratios within a round, medians of rounds."""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shop_events import START

from recoup.domain.clock import FixedClock
from store.opening import Store, open_store


def figure(name: str, value: float, unit: str, **more: Any) -> None:
    """Print one figure as one line of JSON."""
    print(json.dumps({"figure": name, "value": round(value, 4), "unit": unit, **more}), flush=True)


def in_turn(ways: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Return the rate of each way, measured in turn so that a slow moment hits all of them."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        names = list(ways)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            rates[name].append(ways[name]())
    return rates


def ratio(name: str, over: list[float], under: list[float], **more: Any) -> None:
    """Print the median of the ratios within each round, and their range."""
    ratios = sorted(a / b for a, b in zip(over, under, strict=True))
    figure(
        name,
        statistics.median(ratios),
        "ratio",
        low=round(ratios[0], 3),
        high=round(ratios[-1], 3),
        rate=round(statistics.median(over)),
        rate_of_base=round(statistics.median(under)),
        rounds=len(ratios),
        **more,
    )


def rate(count: int, work: Callable[[], None]) -> float:
    """Return how many a second ``work`` gets through."""
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


@contextmanager
def fresh_store() -> Iterator[Store]:
    """Give an empty store on this machine's disk."""
    with tempfile.TemporaryDirectory(prefix="recoup-bench-") as folder:
        store = open_store(f"sqlite:///{Path(folder) / 'recoup.db'}", clock())
        try:
            yield store
        finally:
            store.close()


def clock() -> FixedClock:
    """Return a clock behind all events that are measured with."""
    return FixedClock(START.replace(year=START.year + 1))
