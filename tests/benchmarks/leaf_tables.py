"""Tables of leaves with known root cohorts, after the habits of published generators and others.

Sets S and L have the parameters of RiskLoc's generator (Kalander, arXiv:2205.10004).

``python tests/benchmarks/leaf_tables.py --set S --cases 100`` prints F1 and time a case.
"""

import argparse
import time
from dataclasses import dataclass
from itertools import product

import numpy as np

from detectors.attribution.localisation import LeafTable, localise

Root = dict[str, str]


@dataclass(frozen=True)
class Habit:
    """How a set of cases is made."""

    sizes: tuple[int, ...]
    noise: tuple[float, float]
    severity: tuple[float, float]
    spread: tuple[float, float]
    causes: tuple[int, int]
    elements: tuple[int, int]
    leaves_only: bool = False
    noise_inside: bool = False
    lognormal: bool = False
    both_ways: bool = False


HABITS = {
    "S": Habit((10, 12, 10, 8, 5), (0, 0.25), (0.2, 1.0), (0, 0.1), (1, 3), (1, 3)),
    "L": Habit((10, 24, 10, 15), (0, 0.1), (0.5, 1.0), (0, 0), (1, 5), (1, 1), leaves_only=True),
    "kept_noise": Habit(
        (8, 6, 9, 5), (0, 0.2), (0.2, 0.9), (0, 0.05), (1, 3), (1, 3), noise_inside=True
    ),
    "two_sided": Habit(
        (8, 6, 9, 5),
        (0, 0.15),
        (0.2, 0.9),
        (0, 0.1),
        (1, 3),
        (1, 2),
        lognormal=True,
        both_ways=True,
    ),
    "none": Habit((10, 12, 10, 8), (0.02, 0.25), (0.2, 1.0), (0, 0), (0, 0), (1, 1)),
}


def make(habit: Habit, seed: int) -> tuple[LeafTable, list[Root]]:
    """Return one case and its true roots."""
    rng = np.random.default_rng(seed)
    leaves = np.array(list(product(*(range(size) for size in habit.sizes))), dtype=np.int64)
    count = len(leaves)
    base = (
        rng.lognormal(3, 1.2, count)
        if habit.lognormal
        else 100 * rng.weibull(rng.uniform(0.5, 1.0), count)
    )
    base *= rng.random(count) > rng.uniform(0, 0.25)
    noise = rng.uniform(*habit.noise)
    other = np.maximum(base * (1 + rng.normal(0, noise, count)), 0)
    swap = rng.random(count) < 0.5
    real, predict = np.where(swap, base, other), np.where(swap, other, base)
    lower_real = real.sum() <= predict.sum()
    causes = _causes(habit, rng, leaves, base)
    for rows_of, severity, spread in causes:
        low_real = lower_real if not habit.both_ways else bool(rng.random() < 0.5)
        rows = np.flatnonzero(
            np.logical_or.reduce(
                [np.all(leaves[:, list(root)] == list(root.values()), axis=1) for root in rows_of]
            )
        )
        keep = np.maximum(1 - rng.normal(severity + noise, spread, len(rows)), 0)
        if habit.noise_inside:
            keep *= np.maximum(1 + rng.normal(0, noise, len(rows)), 0)
        if low_real:
            real[rows] = predict[rows] * keep
        else:
            predict[rows] = real[rows] * keep
    names = tuple("abcdefgh"[: len(habit.sizes)])
    values = tuple(
        tuple(f"{name}{i + 1}" for i in range(size))
        for name, size in zip(names, habit.sizes, strict=True)
    )
    roots = [
        {names[d]: values[d][code] for d, code in root.items()}
        for rows_of, _, _ in causes
        for root in rows_of
    ]
    return LeafTable(names, values, leaves, real, predict), roots


def _causes(habit, rng, leaves, base):
    causes = []
    for _ in range(rng.integers(habit.causes[0], habit.causes[1] + 1)):
        # As published: depth and number are drawn once, only the place is drawn again.
        width = len(habit.sizes)
        level = width if habit.leaves_only else int(rng.integers(1, width + 1))
        count = int(rng.integers(habit.elements[0], habit.elements[1] + 1))
        while True:
            found = _elements(habit, rng, leaves, base, causes, (level, count))
            if found:
                break
        causes.append((found, rng.uniform(*habit.severity), rng.uniform(*habit.spread)))
    return causes


def _elements(habit, rng, leaves, base, causes, wanted):
    width = len(habit.sizes)
    level, count = wanted
    dims = sorted(int(d) for d in rng.choice(width, level, replace=False))
    earlier = [root for rows_of, _, _ in causes for root in rows_of]
    if level < width and any(sorted(root) == dims for root in earlier):
        return None
    found = []
    for _ in range(count):
        root = {}
        for d in dims:
            used = {other[d] for other in earlier if d in other}
            left = [v for v in range(habit.sizes[d]) if v not in used]
            if not left:
                return None
            root[d] = int(rng.choice(left))
        rows = np.all(leaves[:, list(root)] == list(root.values()), axis=1)
        if root in found or base[rows].sum() == 0:
            return None
        found.append(root)
    return found


def score(name: str, cases: int, first_seed: int = 0) -> dict[str, float]:
    """Return F1 over all roots of a set, and the mean seconds of one core a case."""
    right = found = wanted = 0
    spent = 0.0
    for seed in range(first_seed, first_seed + cases):
        table, roots = make(HABITS[name], seed)
        start = time.process_time()
        answer = localise(table)
        spent += time.process_time() - start
        right += sum(root in roots for root in answer)
        found += len(answer)
        wanted += len(roots)
    precision, recall = right / max(found, 1), right / max(wanted, 1)
    return {
        "f1": 2 * right / max(found + wanted, 1),
        "precision": precision,
        "recall": recall,
        "found": found,
        "seconds_a_case": spent / cases,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--set", default="", choices=["", *HABITS])
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--first-seed", type=int, default=0)
    given = parser.parse_args()
    for habit_name in [given.set] if given.set else HABITS:
        figures = score(habit_name, given.cases, given.first_seed)
        print(habit_name, {key: round(value, 3) for key, value in figures.items()})
