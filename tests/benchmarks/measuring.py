"""Measuring side by side: rounds of the ways in turn, ratios within a round, medians of rounds.

Ratios are those of the time on the clock, as waiting for the disk counts. Where all of the work
is done in this process ``cpu`` says the same by its processor time, which neighbours do not
disturb.
"""

import gc
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from shop_events import START

from recoup.domain.clock import FixedClock
from recoup.serving.roles import GARBAGE_EVERY
from store.opening import Store, open_store


def figure(name: str, value: float, unit: str, **more: Any) -> None:
    """Print one figure as one line of JSON."""
    print(json.dumps({"figure": name, "value": round(value, 4), "unit": unit, **more}), flush=True)


class Pace(NamedTuple):
    """How many a second, by the clock and by the processor time of this process."""

    clock: float
    cpu: float = 0.0


def in_turn(ways: dict[str, Callable[[], Pace]], rounds: int) -> dict[str, list[Pace]]:
    """Return the pace of each way, measured in turn so that a slow moment hits all of them."""
    rates: dict[str, list[Pace]] = {name: [] for name in ways}
    # What is measured with is not to be looked over for garbage while it is measured; and every way
    # looks for it as seldom as the detect role does.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_EVERY)
    for number in range(rounds):
        names = list(ways)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            rates[name].append(ways[name]())
    return rates


def ratio(name: str, over: list[Pace], under: list[Pace], **more: Any) -> None:
    """Print the median of the ratios within each round, and their range."""
    ratios = sorted(a.clock / b.clock for a, b in zip(over, under, strict=True))
    if all(pace.cpu for pace in (*over, *under)):
        cpu = [a.cpu / b.cpu for a, b in zip(over, under, strict=True)]
        more["cpu"] = round(statistics.median(cpu), 3)
    figure(
        name,
        statistics.median(ratios),
        "ratio",
        low=round(ratios[0], 3),
        high=round(ratios[-1], 3),
        rate=round(statistics.median(pace.clock for pace in over)),
        rate_of_base=round(statistics.median(pace.clock for pace in under)),
        rounds=len(ratios),
        **more,
    )


def pace(count: int, work: Callable[[], None]) -> Pace:
    """Return how fast ``work`` gets through so many."""
    start, spent = time.perf_counter(), time.process_time()
    work()
    spent = time.process_time() - spent
    return Pace(count / (time.perf_counter() - start), count / spent)


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
