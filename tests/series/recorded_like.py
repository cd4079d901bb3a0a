"""Series with the habits of recorded ones: steps of a meter, cron jobs, bursts nobody labelled.

A second corpus beside ``corpus``, with other makers and other faults, so that a detector that was
made on one can be judged on the other. Windows are a tenth of a file, shared by its anomalies.
What is labelled is often weak, and as much happens that nobody labelled: by that the usual
detectors score here as they are known to score on recorded series.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Case = tuple[np.ndarray, np.ndarray, list[tuple[int, int]]]
DAY_S = 86_400.0


def _windows(centres: list[int], size: int) -> list[tuple[int, int]]:
    half = max(int(size * 0.1 / max(len(centres), 1) / 2), 2)
    found: list[tuple[int, int]] = []
    for centre in sorted(centres):
        start, stop = max(centre - half, 0), min(centre + half, size - 1)
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], stop)
        else:
            found.append((start, stop))
    return found


DECOYS = 0.8
"""So many things happen in a file, on average, that nobody labelled."""


class Places(NamedTuple):
    """Where something happens and how strongly; only the labelled ones count."""

    all: list[tuple[int, float]]
    labelled: list[int]


def _places(rng: np.random.Generator, size: int, least: int, most: int) -> Places:
    count = int(rng.integers(least, most))
    found = (rng.uniform(0.16, 0.96, count + int(rng.poisson(DECOYS))) * size).astype(int)
    strong = rng.uniform(WEAKEST, 1.0, len(found))
    return Places(list(zip(found.tolist(), strong.tolist(), strict=True)), found[:count].tolist())


WEAKEST = 0.3


def _wander(rng: np.random.Generator, size: int, keep: float, spread: float) -> np.ndarray:
    noise = rng.normal(0, spread * np.sqrt(1 - keep**2), size)
    out, level = np.empty(size), 0.0
    for n in range(size):
        level = keep * level + noise[n]
        out[n] = level
    return out


def idle_meter(rng: np.random.Generator) -> Case:
    """An idle machine whose meter knows few values, with a nightly job and odd lone spikes."""
    size = 4032
    t = np.arange(size) * 300.0
    unit = rng.uniform(0.03, 0.6)
    x = unit * rng.choice([1, 2, 2, 2, 2, 3], size) + unit * 0.02 * rng.integers(0, 3, size)
    if rng.random() < 0.7:
        job = int(rng.integers(0, 288))
        x[job::288] += unit * rng.uniform(8, 20)
    for p in rng.integers(0, size, int(rng.integers(2, 9))):
        x[p] += unit * rng.uniform(3, 25)
    places = _places(rng, size, 1, 3)
    for p, f in places.all:
        if rng.random() < 0.5:
            x[p] += f * unit * rng.uniform(10, 40)
        else:
            x[p:] += f * unit * rng.uniform(0.6, 2)
    return t, x, _windows(places.labelled, size)


def busy_processor(rng: np.random.Generator) -> Case:
    size = int(rng.choice([4032, 4032, 4032, 4700, 18050]))
    t = np.arange(size) * 300.0
    base, spread = rng.uniform(5, 60), rng.uniform(0.4, 5)
    x = base + _wander(rng, size, rng.uniform(0, 0.9), spread) + rng.normal(0, spread / 2, size)
    x += rng.uniform(0, 1.5) * spread * np.sin(t / DAY_S * 2 * np.pi)
    x[rng.random(size) < 0.004] += spread * rng.uniform(3, 9)
    places = _places(rng, size, 1, 3)
    for p, f in places.all:
        kind = rng.integers(0, 4)
        k = int(rng.integers(1, 40))
        if kind == 0:
            x[p : p + k] += f * spread * rng.uniform(4, 12)
        elif kind == 1:
            x[p:] += f * rng.choice([-1, 1]) * spread * rng.uniform(2, 6)
        elif kind == 2:
            x[p : p + 5 * k] -= f * spread * rng.uniform(3, 8)
        else:
            x[p : p + 150] = base + (1 + 2 * f) * (x[p : p + 150] - base)
    return t, np.clip(x, 0, 100), _windows(places.labelled, size)


def mostly_zero(rng: np.random.Generator) -> Case:
    """Bytes written: nothing most of the time, bursts of any height, a few far higher."""
    size = int(rng.choice([4032, 4730, 1243]))
    x = np.zeros(size)
    bursts = rng.random(size) < rng.uniform(0.01, 0.2)
    x[bursts] = rng.lognormal(14, rng.uniform(0.3, 1.3), int(bursts.sum()))
    places = _places(rng, size, 1, 4)
    for p, f in places.all:
        k = int(rng.integers(1, 30))
        x[p : p + k] = rng.lognormal(14 + 2.3 * f, 0.5, len(x[p : p + k]))
    return np.arange(size) * 300.0, x, _windows(places.labelled, size)


def requests(rng: np.random.Generator) -> Case:
    size = 4032
    t = np.arange(size) * 300.0
    rate = rng.uniform(20, 90) * (1.2 + 0.7 * np.sin(t / DAY_S * 2 * np.pi + rng.uniform(0, 6)))
    x = rng.poisson(rate * rng.lognormal(0, 0.3, size)).astype(float)
    x[rng.random(size) < 0.003] *= rng.uniform(2, 4)
    places = _places(rng, size, 1, 3)
    for p, f in places.all:
        x[p : p + int(rng.integers(1, 20))] *= 1 + f * rng.uniform(2, 6)
    return t, x, _windows(places.labelled, size)


def price(rng: np.random.Generator) -> Case:
    """Hourly prices: a daily shape, days that differ, lone spikes with and without a label."""
    size = 1600
    t = np.arange(size) * 3600.0
    shape = np.exp(0.35 * np.sin(t / DAY_S * 2 * np.pi + rng.uniform(0, 6)))
    x = rng.uniform(0.08, 0.8) * shape * np.exp(_wander(rng, size, 0.96, 0.25))
    x *= rng.lognormal(0, rng.uniform(0.08, 0.3), size)
    for p in rng.integers(0, size, int(rng.integers(1, 6))):
        x[p : p + 2] *= rng.uniform(1.8, 3.5)
    places = _places(rng, size, 1, 4)
    for p, f in places.all:
        x[p : p + int(rng.integers(1, 6))] *= 1 + f * rng.uniform(1, 7)
    return t, x, _windows(places.labelled, size)


def rides(rng: np.random.Generator) -> Case:
    size = 10320
    t = np.arange(size) * 1800.0
    hour = t % DAY_S / 3600
    day = (t // DAY_S) % 7
    shape = np.interp(hour, [0, 4, 8, 12, 19, 24], [0.55, 0.2, 0.95, 0.9, 1.3, 0.55])
    night = (day >= 5) & (hour < 5)
    x = 17000 * (shape + 0.5 * night) * np.where(day >= 5, 0.95, 1.0)
    x *= np.exp(_wander(rng, size, 0.97, 0.06)) * rng.lognormal(0, 0.02, size)
    places = _places(rng, size, 4, 6)
    for p, f in places.all:
        p -= p % 48
        k = int(rng.integers(24, 72))
        x[p : p + k] *= 1 + f * rng.choice([-0.8, -0.45, -0.3, 0.45])
    return t, x, _windows(places.labelled, size)


def temperature(rng: np.random.Generator) -> Case:
    size = int(rng.choice([7267, 22695]))
    t = np.arange(size) * (3600.0 if size < 10_000 else 300.0)
    x = 75 + _wander(rng, size, 0.999, 5) + rng.normal(0, 0.7, size)
    x += rng.uniform(0, 3) * np.sin(t / DAY_S * 2 * np.pi)
    places = _places(rng, size, 2, 5)
    for p, f in places.all:
        k = int(rng.integers(20, 400))
        part = x[p : p + k]
        part -= f * rng.uniform(10, 45) * np.sin(np.linspace(0, np.pi, len(part)))
    return t, x, _windows(places.labelled, size)


def latency(rng: np.random.Generator) -> Case:
    size = 4032
    x = 45 + rng.normal(0, 2, size)
    x[rng.random(size) < 0.01] += rng.uniform(4, 10)
    places = _places(rng, size, 2, 4)
    for p, f in places.all:
        x[p : p + int(rng.integers(1, 8))] += f * rng.uniform(10, 50)
    return np.arange(size) * 300.0, x, _windows(places.labelled, size)


def road(rng: np.random.Generator) -> Case:
    """A road sensor: rows at odd times with long gaps, rush hours, jams."""
    size = int(rng.choice([1127, 2380, 2500]))
    gaps = rng.choice([300.0, 300.0, 600.0, 900.0, 1500.0, 5000.0], size)
    t = np.cumsum(gaps)
    hour = t % DAY_S / 3600
    rush = np.exp(-((hour - 8) ** 2) / 2) + np.exp(-((hour - 17.5) ** 2) / 3)
    places = _places(rng, size, 1, 4)
    if rng.random() < 0.5:
        x = 70 - 12 * rush + rng.normal(0, 5, size)
        x[rng.random(size) < 0.01] -= 15
        for p, f in places.all:
            x[p : p + int(rng.integers(2, 40))] -= f * rng.uniform(15, 50)
    else:
        x = (8 + 9 * rush) * rng.lognormal(0, 0.35, size)
        x[rng.random(size) < 0.01] *= 2.5
        for p, f in places.all:
            x[p : p + int(rng.integers(2, 40))] *= 1 + f * rng.uniform(1, 4)
    return t, np.maximum(np.round(x, 2), 0), _windows(places.labelled, size)


def mentions(rng: np.random.Generator) -> Case:
    """Counts of mentions: a daily shape, heavy bursts that fade, of which the largest count."""
    size = 15_900
    t = np.arange(size) * 300.0
    rate = rng.uniform(3, 60) * (1.2 + np.sin(t / DAY_S * 2 * np.pi))
    rate *= np.exp(_wander(rng, size, 0.99, 0.3)) * rng.lognormal(0, 0.25, size)
    for p in rng.integers(0, size, int(rng.integers(5, 30))):
        k = int(rng.integers(2, 20))
        part = rate[p : p + k]
        part *= 1 + rng.pareto(2) * np.exp(-np.arange(len(part)) / (k / 3))
    places = _places(rng, size, 2, 5)
    for p, f in places.all:
        k = int(rng.integers(6, 90))
        part = rate[p : p + k]
        part *= 1 + f * rng.uniform(4, 20) * np.exp(-np.arange(len(part)) / (k / 3))
    return t, rng.poisson(rate).astype(float), _windows(places.labelled, size)


def person(rng: np.random.Generator) -> Case:
    """How a person uses a machine: work hours, breaks, and another person for a while."""
    size = int(rng.choice([1882, 5315, 4600]))
    t = np.arange(size) * 300.0
    active = (np.sin(t / DAY_S * 2 * np.pi) > 0.1) & (_wander(rng, size, 0.9, 1) > -0.5)
    x = np.where(active, rng.gamma(2, 3, size), rng.gamma(1, 0.2, size))
    places = _places(rng, size, 1, 4)
    for p, f in places.all:
        k = int(rng.integers(20, 120))
        x[p : p + k] = rng.gamma(2, 3 + f * rng.uniform(2, 9), len(x[p : p + k]))
    return t, x, _windows(places.labelled, size)


def square(rng: np.random.Generator) -> Case:
    size = 4032
    t = np.arange(size) * 300.0
    high = ((t % DAY_S) > 9 * 3600) & ((t % DAY_S) < 18 * 3600)
    x = np.where(high, 80.0, 20.0) + rng.normal(0, rng.choice([0.0, 2.0, 8.0]), size)
    day = int(rng.integers(9, 13)) * 288
    kind = rng.integers(0, 6)
    part = x[day + 108 : day + 216]
    if kind == 0:
        part[:] = 55 + rng.normal(0, 1, 108)
    elif kind == 1:
        part *= 0.3
    elif kind == 2:
        part *= 1.6
    elif kind == 3:
        part[:] = 20
    elif kind == 4:
        return t, x, []
    else:
        part += 20 * np.sin(np.arange(108))
    return t, x, _windows([day + 162], size)


def spikes(rng: np.random.Generator) -> Case:
    """Spikes are usual here; more of them, or higher ones, are not."""
    size = 4032
    x = rng.normal(0, 0.3, size) + 2
    often = rng.random(size) < 0.03
    x[often] += rng.uniform(10, 20)
    day = int(rng.integers(2000, 3600))
    part = x[day : day + 300]
    if rng.random() < 0.5:
        part[rng.random(300) < 0.25] += 15
    else:
        part[rng.random(300) < 0.03] += 45
    return np.arange(size) * 300.0, x, _windows([day + 30], size)


SHARES: dict[Callable[[np.random.Generator], Case], int] = {
    idle_meter: 5,
    busy_processor: 9,
    mostly_zero: 4,
    requests: 2,
    price: 6,
    rides: 1,
    temperature: 2,
    latency: 2,
    road: 7,
    mentions: 10,
    person: 3,
    square: 6,
    spikes: 2,
}


def recorded_like(seed: int, share: float = 1.0) -> list[tuple[str, Case]]:
    """Return a corpus; with a ``share`` under one, that part of each kind, one at least."""
    return [
        (make.__name__, make(np.random.default_rng([seed, number, k])))
        for k, (make, count) in enumerate(SHARES.items())
        for number in range(max(round(count * share), 1))
    ]
