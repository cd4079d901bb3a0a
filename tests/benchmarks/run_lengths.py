"""How long it takes until nothing is called something: run lengths on A/A data, a JSON line a row.

Usage: python -m tests.benchmarks.run_lengths [test] [engine] [--seeds 901-909] [--jobs 2]

``test`` is the sequential test alone (``detectors.sequential.Evidence``) on made trials whose
baseline is known: the mean time to a false crossing must be at least what its threshold promises.
``engine`` is the whole engine on quiet shops of the test world, none like another, at the usual
budget and at one of thirty false alarms a month. The promise of a budget is for everything that is
watched together. Times are minutes (``test``) or days (``engine``), with intervals of 90 %.
"""

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import chi2

from detectors.backtest import Backtest
from detectors.cohorts import Members
from detectors.configuration import DAY_MS, DetectionConfig
from detectors.sequential import Evidence
from detectors.trials import Floats, Ints, Told
from recoup.demo.world.bench import seeds_of
from recoup.demo.world.generating import CHANGES, EVENTS, QUIET, generate
from recoup.recording import EventFile, read_changes

DAY_MIN = 1440
LONGEST_LAG = 30
DIMENSIONS, VALUES = 3, 4
SIZES = (2_000, 4_000, 8_000)
BUDGETS = (1.0, 30.0)
DAYS = 8


@dataclass(frozen=True)
class Setting:
    """One way to try the test alone; ``off`` is by how much the baseline is too high."""

    name: str
    p: float
    rate: float
    replicas: int = 1500
    minutes: int = 3 * DAY_MIN
    lag_min: float = 0.0
    off: float = 0.0
    cohorts: int = 1


SETTINGS = (
    Setting("rare successes", 0.05, 1.0),
    Setting("few trials", 0.5, 0.2),
    Setting("usual", 0.5, 1.0),
    Setting("usual successes", 0.9, 1.0),
    Setting("many trials", 0.5, 6.0, replicas=400),
    Setting("outcomes some minutes late", 0.6, 1.0, replicas=400, lag_min=4.0),
    Setting("125 overlapping cohorts", 0.5, 4.0, replicas=60, cohorts=(VALUES + 1) ** DIMENSIONS),
    Setting("a baseline 3 % too high", 0.5, 1.0, off=0.03),
    Setting("a baseline 10 % too high", 0.5, 1.0, off=0.10),
)


def mean_run(length: float, ends: int) -> dict[str, Any]:
    """Return the mean run between ends over a whole length, with its 90 % interval."""
    low = 2 * length / chi2.ppf(0.95, 2 * ends + 2)
    high = 2 * length / chi2.ppf(0.05, 2 * ends) if ends else None
    return {
        "ends": ends,
        "mean": round(length / ends, 1) if ends else None,
        "low": round(float(low), 1),
        "high": round(float(high), 1) if high else None,
    }


def run_of_the_test(setting: Setting, seed: int = 1, promise: int = DAY_MIN) -> dict[str, Any]:
    """Return the mean run of the test on trials that are as its baseline says."""
    draw = np.random.default_rng(seed)
    ratios = 1.0 - np.array([DetectionConfig().drops])
    evidence, members, leaves = Evidence(ratios), *_members(setting)
    rows = setting.replicas * setting.cohorts
    evidence.grow(rows)
    limit = np.log(promise * setting.cohorts)
    evidence.set_limit((slice(None), slice(rows)), limit)
    crossings = 0
    for minute, told in enumerate(_minutes(setting, leaves, draw)):
        crossed = {
            int(cohort) // setting.cohorts
            for metric, cohort in evidence.add(told, members, minute * 60_000)
            if evidence.statistic(int(metric), int(cohort)) >= limit
        }
        for shop in crossed:
            crossings += 1
            mine = slice(shop * setting.cohorts, (shop + 1) * setting.cohorts)
            evidence.score[:, mine] = 0.0
    run = mean_run(setting.replicas * setting.minutes, crossings)
    return {"setting": setting.name, "promised": promise, **run}


def _members(setting: Setting) -> tuple[Members, Ints]:
    """Return the cohorts of each leaf, and how many leaves each replica has."""
    if setting.cohorts == 1:
        own = np.arange(setting.replicas)
        return Members(own, own, own + 1), np.ones(setting.replicas, dtype=np.int64)
    leaves = list(product(range(VALUES), repeat=DIMENSIONS))
    cohorts: dict[tuple[tuple[int, int], ...], int] = {}
    flat: list[int] = []
    for leaf in leaves:
        for depth in range(DIMENSIONS + 1):
            parts = combinations(enumerate(leaf), depth)
            flat.extend(cohorts.setdefault(part, len(cohorts)) for part in parts)
    assert len(cohorts) == setting.cohorts
    each = len(flat) // len(leaves)
    every = np.concatenate(
        [np.array(flat) + shop * setting.cohorts for shop in range(setting.replicas)]
    )
    start = np.arange(0, len(every), each)
    return Members(every, start, start + each), np.full(setting.replicas, len(leaves))


def _minutes(setting: Setting, leaves: Ints, draw: np.random.Generator) -> Iterator[Told]:
    """Yield what the trials of each minute tell, and those of earlier minutes that still wait."""
    shares = _shares(setting.lag_min)
    places = int(leaves.sum())
    leaf, age, due = (np.zeros(0, dtype=np.int64) for _ in range(3))
    believed = min(setting.p * (1 + setting.off), 0.985)
    for _ in range(setting.minutes):
        fresh = int(draw.poisson(setting.rate * len(leaves)))
        leaf = np.concatenate([leaf, draw.integers(0, places, fresh)])
        age = np.concatenate([age, np.zeros(fresh, dtype=np.int64)])
        late = np.searchsorted(shares[1:], draw.random(fresh), side="right")
        wins = draw.random(fresh) < setting.p
        due = np.concatenate([due, np.where(wins, late, len(shares))])
        won = due == age
        p = np.full(len(leaf), believed)
        zero = np.zeros(len(leaf), dtype=np.int64)
        yield Told(zero, leaf, p, shares[age], shares[age + 1], won)
        age += 1
        waits = ~won & (age < len(shares) - 1)
        leaf, age, due = leaf[waits], age[waits], due[waits]


def _shares(lag_min: float) -> Floats:
    """Return the share of successes due by each minute of age; the last is all of them."""
    if not lag_min:
        return np.array([0.0, 1.0])
    shares: Floats = 1 - np.exp(-np.arange(LONGEST_LAG + 1) / lag_min)
    return shares / shares[-1]


def play(seed: int, days: float = DAYS) -> dict[str, Any]:
    """Return how many incidents the engine opens in a quiet shop after its warm-up."""
    sessions = SIZES[seed % len(SIZES)]
    found: dict[str, Any] = {"seed": seed, "sessions_a_day": sessions}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generate(seed, QUIET, folder, days, sessions)
        for budget in BUDGETS:
            config = replace(DetectionConfig(charts=False), false_alarms_per_month=budget)
            run = Backtest(config, read_changes(folder / CHANGES))
            for _ in run.run(EventFile(folder / EVENTS).blocks()):
                pass
            kinds = Counter(each.kind for each in run.result())
            found["days"] = days - config.warm_up_ms / DAY_MS
            found[f"budget {budget:g}"] = dict(kinds)
    return found


def _engine(seeds: list[int], jobs: int) -> None:
    with ProcessPoolExecutor(jobs, max_tasks_per_child=1) as pool:
        found = []
        for each in pool.map(play, seeds):
            print(json.dumps(each), flush=True)
            found.append(each)
    days = sum(each["days"] for each in found)
    for budget in BUDGETS:
        rows = [each[f"budget {budget:g}"] for each in found]
        for kinds in (("business",), ("business", "data_quality", "traffic")):
            ends = sum(row.get(kind, 0) for row in rows for kind in kinds)
            row = {"budget_a_month": budget, "kinds": " + ".join(kinds), "days": days}
            print(json.dumps({**row, "promised": 30 / budget, **mean_run(days, ends)}), flush=True)


def main() -> None:
    """Print the run lengths of what is named, or of both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=["test", "engine"])
    parser.add_argument("--seeds", default="901-909")
    parser.add_argument("--jobs", type=int, default=2)
    wanted = parser.parse_args()
    if "test" in wanted.what:
        for setting in SETTINGS:
            print(json.dumps(run_of_the_test(setting)), flush=True)
    if "engine" in wanted.what:
        _engine(seeds_of(wanted.seeds), wanted.jobs)


if __name__ == "__main__":
    main()
