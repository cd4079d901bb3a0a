"""Many periods: generate, backtest, score; the bench of detection."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from recoup.demo.world.generating import CHANGES, EVENTS, QUIET
from recoup.demo.world.kinds import KINDS
from recoup.demo.world.scoring import INCIDENTS, Judged, judge
from recoup.domain.errors import RecoupError

EACH, TURNS = "each", "turns"


class BenchFailed(RecoupError):
    """A generation or a backtest ended badly."""


@dataclass(frozen=True)
class Case:
    """One period to make and judge."""

    seed: int
    fault: str
    folder: Path


@dataclass(frozen=True)
class Size:
    """How long and how busy the periods are."""

    days: float = 8
    sessions_per_day: float = 13_000


def seeds_of(text: str) -> list[int]:
    """Return the seeds of ``1-20`` or ``3,5,8-9``."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def cases_of(seeds: Sequence[int], fault: str, folder: Path) -> list[Case]:
    """Return the cases: every kind for each seed, one kind in turn for each, or one for all."""
    names = (*KINDS, QUIET)
    if fault == EACH:
        wanted = [(seed, name) for seed in seeds for name in names]
    elif fault == TURNS:
        wanted = [(seed, names[number % len(names)]) for number, seed in enumerate(seeds)]
    else:
        wanted = [(seed, name) for seed in seeds for name in fault.split(",")]
    return [Case(seed, name, folder / f"{seed}-{name}") for seed, name in wanted]


def done(case: Case) -> bool:
    """Tell whether a case was collected: its incidents are there, its events are no longer."""
    return (case.folder / INCIDENTS).exists() and not (case.folder / EVENTS).exists()


def _run(arguments: Sequence[str]) -> None:
    done = subprocess.run(  # noqa: S603 - our own modules
        [sys.executable, "-m", *arguments], capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    if done.returncode:
        raise BenchFailed(f"{' '.join(arguments)}: {done.stderr.strip()[-2000:]}")


def run_case(case: Case, size: Size, more: Sequence[str], keep: bool) -> tuple[Judged, float]:
    """Generate, backtest and judge one period; return it with the seconds of the backtest."""
    _run([
        "recoup.demo.world", "generate", "--seed", str(case.seed), "--fault", case.fault,
        "--days", str(size.days), "--sessions-per-day", str(size.sessions_per_day),
        "--out", str(case.folder),
    ])  # fmt: skip
    began = time.monotonic()
    _run([
        "recoup", "backtest", str(case.folder / EVENTS), "--changes", str(case.folder / CHANGES),
        "--out", str(case.folder / INCIDENTS), *more,
    ])  # fmt: skip
    seconds = time.monotonic() - began
    judged = judge(case.folder)
    if not keep:
        shutil.rmtree(case.folder)
    return judged, seconds


def run(
    cases: Iterable[Case],
    size: Size,
    jobs: int,
    more: Sequence[str],
    keep: bool,
    said: Callable[[Case, float], None],
) -> list[Judged]:
    """Run all cases, some at a time; say each when it is done."""

    def one(case: Case) -> Judged:
        judged, seconds = run_case(case, size, more, keep)
        said(case, judged.period.events / seconds)
        return judged

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(one, cases))
