"""Series of several families with labelled windows, whose faults are clear."""

from collections.abc import Callable

import numpy as np

Case = tuple[np.ndarray, np.ndarray, list[tuple[int, int]]]
START = 1_700_000_000


def _windows(centres: list[int], size: int) -> list[tuple[int, int]]:
    half = max(int(size * 0.1 / max(len(centres), 1) / 2), 2)
    return [(max(c - half, 0), min(c + half, size - 1)) for c in sorted(centres)]


def _places(rng: np.random.Generator, size: int, count: int) -> list[int]:
    return sorted(int(p) for p in rng.uniform(0.25, 0.95, count) * size)


def cpu(rng: np.random.Generator) -> Case:
    size, n = 4032, int(rng.integers(1, 4))
    x = np.abs(rng.normal(rng.uniform(5, 60), rng.uniform(0.5, 4), size))
    x[rng.random(size) < 0.01] += rng.uniform(5, 20)
    places = _places(rng, size, n)
    for p in places:
        if rng.random() < 0.5:
            x[p : p + int(rng.integers(1, 12))] += rng.uniform(15, 60)
        else:
            x[p:] += rng.choice([-1, 1]) * rng.uniform(4, 20)
    return np.arange(size) * 300.0, np.maximum(x, 0), _windows(places, size)


def daily(rng: np.random.Generator) -> Case:
    size, n = 5000, int(rng.integers(1, 5))
    t = np.arange(size) * 1800.0
    day = np.sin(t / 86400 * 2 * np.pi) + 0.4 * np.sin(t / 43200 * 2 * np.pi)
    week = np.where((t // 86400) % 7 >= 5, 0.75, 1.0)
    x = 15000 * (1.4 + day) * week * rng.lognormal(0, 0.06, size)
    places = _places(rng, size, n)
    for p in places:
        x[p : p + 48] *= rng.choice([0.35, 0.6, 1.6])
    return t, x, _windows(places, size)


def machine(rng: np.random.Generator) -> Case:
    size, n = 7000, int(rng.integers(1, 4))
    x = 80 + np.cumsum(rng.normal(0, 0.25, size)) * 0.6 + rng.normal(0, 1.0, size)
    places = _places(rng, size, n)
    for p in places:
        k = int(rng.integers(30, 150))
        x[p : p + k] -= np.linspace(5, 60, len(x[p : p + k]))
    return np.arange(size) * 300.0, x, _windows(places, size)


def speed(rng: np.random.Generator) -> Case:
    size, n = 2500, int(rng.integers(1, 4))
    t = np.arange(size) * 600.0
    x = 70 - 8 * (np.sin(t / 86400 * 2 * np.pi) > 0.7) + rng.normal(0, 4, size)
    x[rng.random(size) < 0.01] -= 20
    places = _places(rng, size, n)
    for p in places:
        x[p : p + int(rng.integers(6, 30))] -= rng.uniform(20, 50)
    return t, x, _windows(places, size)


def tweets(rng: np.random.Generator) -> Case:
    size, n = 15000, int(rng.integers(2, 5))
    t = np.arange(size) * 300.0
    rate = 20 * (1.3 + np.sin(t / 86400 * 2 * np.pi)) * rng.lognormal(0, 0.35, size)
    x = rng.poisson(rate).astype(float)
    x[rng.random(size) < 0.002] *= 4
    places = _places(rng, size, n)
    for p in places:
        x[p : p + int(rng.integers(3, 60))] *= rng.uniform(4, 12)
    return t, x, _windows(places, size)


def adverts(rng: np.random.Generator) -> Case:
    size, n = 1600, int(rng.integers(1, 4))
    x = rng.lognormal(-2.4, 0.35, size)
    places = _places(rng, size, n)
    for p in places:
        x[p : p + int(rng.integers(1, 4))] *= rng.uniform(3, 9)
    return np.arange(size) * 3600.0, x, _windows(places, size)


def artificial(rng: np.random.Generator) -> Case:
    size = 4032
    t = np.arange(size) * 300.0
    high = ((t % 86400) > 9 * 3600) & ((t % 86400) < 18 * 3600)
    x = np.where(high, 80.0, 40.0) + rng.normal(0, 2, size)
    day = int(rng.integers(9, 13)) * 288
    kind = rng.integers(0, 4)
    if kind == 0:
        x[day : day + 288] = 40 + rng.normal(0, 2, 288)
    elif kind == 1:
        x[day : day + 288] = 60 + rng.normal(0, 0.1, 288)
    elif kind == 2:
        x[day + 108 : day + 216] += 40
    else:
        x[day : day + 216] -= np.where(high[day : day + 216], 60, 0)
    return t, x, _windows([day + 120], size)


FAMILIES: dict[str, Callable[[np.random.Generator], Case]] = {
    made.__name__: made for made in (cpu, daily, machine, speed, tweets, adverts, artificial)
}


def corpus(seed: int, each: int) -> list[tuple[str, Case]]:
    return [
        (name, make(np.random.default_rng([seed, i, k])))
        for k, (name, make) in enumerate(FAMILIES.items())
        for i in range(each)
    ]
