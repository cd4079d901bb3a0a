"""Who comes to the shop, when, and with which dimensions; and what they are likely to do."""

from dataclasses import dataclass

import numpy as np

from recoup.demo.world.shop import (
    DAY,
    DIMENSIONS,
    HOUR,
    MINUTE,
    STEPS,
    Flags,
    Floats,
    Ints,
    Shop,
    draw,
)


@dataclass(frozen=True)
class Visits:
    """Sessions as columns; ``codes`` has one row per session and one column per dimension."""

    at: Ints
    codes: Ints
    user: Ints
    mood: Floats
    bot: Flags

    def __len__(self) -> int:
        return len(self.at)

    def column(self, dim: str) -> Ints:
        """Return the codes of one dimension."""
        return np.asarray(self.codes[:, DIMENSIONS.index(dim)])

    def within(self, shop: Shop, cohort: dict[str, str]) -> Flags:
        """Tell which sessions belong to a cohort."""
        inside = np.ones(len(self), dtype=bool)
        for dim, value in cohort.items():
            inside &= self.column(dim) == shop.code(dim, value)
        return inside

    def joined(self, other: "Visits") -> "Visits":
        """Return these sessions and others."""
        return Visits(
            np.concatenate((self.at, other.at)),
            np.concatenate((self.codes, other.codes)),
            np.concatenate((self.user, other.user)),
            np.concatenate((self.mood, other.mood)),
            np.concatenate((self.bot, other.bot)),
        )


def returning(rng: np.random.Generator, shape: Floats, tau: float, spread: float) -> Floats:
    """Return hourly noise that drifts and comes back, with the given spread, like the weather."""
    keep = float(np.exp(-1 / tau))
    found = np.empty_like(shape)
    value = rng.normal(0, spread)
    for hour, shock in enumerate(rng.normal(0, spread * np.sqrt(1 - keep**2), len(shape))):
        value = keep * value + shock
        found[hour] = value
    return found


def _rates(shop: Shop, rng: np.random.Generator) -> Floats:
    """Return the expected sessions of each country in each minute."""
    minutes = np.arange(int(shop.length // MINUTE)) + 0.5
    hours = np.zeros(len(minutes) // 60 + 2)
    weekday = rng.uniform(0.85, 1.15, 7)
    weather = np.interp(minutes / 60, np.arange(len(hours)), returning(rng, hours, 30, 0.07))
    rates = np.empty((len(shop.offsets), len(minutes)))
    for number, offset in enumerate(shop.offsets):
        local = minutes / 60 + offset
        clock = local % 24
        noon, evening = (
            np.exp(np.cos((clock - peak) * np.pi / 12) * sharp - sharp)
            for peak, sharp in zip(shop.peaks, (2.0, 3.5), strict=True)
        )
        shape = 0.07 + 0.6 * noon + evening
        shape /= shape[:1440].mean() if len(shape) >= 1440 else shape.mean()
        own = np.interp(minutes / 60, np.arange(len(hours)), returning(rng, hours, 12, 0.05))
        days = weekday[((local // 24).astype(int)) % 7]
        rates[number] = shop.weights["country"][number] * shape * days * np.exp(weather + own)
    if shop.sale_day is not None:
        rates[:, (minutes // 1440).astype(int) == shop.sale_day] *= rng.uniform(1.2, 1.8)
    return rates * shop.sessions_per_day / 1440


def _by_parent(rng: np.random.Generator, parent: Ints, rows: list[Floats]) -> Ints:
    """Draw a child value for each parent value."""
    found = np.zeros(len(parent), dtype=np.int64)
    for number, row in enumerate(rows):
        inside = parent == number
        found[inside] = rng.choice(len(row), int(inside.sum()), p=row / row.sum())
    return found


def _campaigns(shop: Shop, rng: np.random.Generator, at: Ints, device: Ints) -> Ints:
    """Draw campaigns: each runs in its window, and some are stronger on some devices."""
    tilt = rng.lognormal(0, 0.4, (len(shop.weights["device"]), len(shop.weights["campaign"])))
    chances = shop.weights["campaign"] * tilt[device]
    for number, (start, end) in enumerate(shop.campaign_windows):
        chances[(at < start) | (at >= end), number] = 0
    sums = np.cumsum(chances, axis=1)
    return np.asarray((sums < (rng.random(len(at)) * sums[:, -1])[:, None]).sum(axis=1))


def _releases(shop: Shop, at: Ints, luck: Floats) -> Ints:
    found = np.zeros(len(at), dtype=np.int64)
    for rollout in shop.releases:
        found[luck < rollout.share(at)] = rollout.value
    return found


def _arms(shop: Shop, at: Ints, luck: Floats) -> Ints:
    found = np.zeros(len(at), dtype=np.int64)
    for number, rollout in enumerate(shop.experiments):
        own = (luck * 7919 + number * 0.37) % 1
        share = rollout.share(at)
        found[own < share] = rollout.value
        found[own < share / 2] = rollout.value + 1
    return found


def luck_of(user: Ints) -> Floats:
    """Return a number between 0 and 1 that belongs to a user: it decides releases and arms."""
    return np.asarray((user * 2654435761 % 2**32) / 2**32)


def arrive(shop: Shop) -> Visits:
    """Draw the sessions of the period: a Poisson process whose rate is the shop's own."""
    rng = draw(shop.seed, 2)
    counts = rng.poisson(_rates(shop, rng))
    country, minute = (
        np.repeat(axis, counts.ravel()) for axis in np.indices(counts.shape).reshape(2, -1)
    )
    at = minute * MINUTE + rng.integers(0, MINUTE, len(minute))
    order = np.argsort(at, kind="stable")
    at, country = at[order], country[order]
    user = (len(at) * rng.beta(0.7, 1.3, len(at))).astype(np.int64)
    luck = luck_of(user)
    device = rng.choice(3, len(at), p=shop.weights["device"])
    system = _by_parent(rng, device, shop.links["os"])
    columns = {
        "device": device,
        "os": system,
        "browser": _by_parent(rng, system, shop.links["browser"]),
        "country": country,
        "region": _by_parent(rng, country, shop.links["region"]),
        "campaign": _campaigns(shop, rng, at, device),
        "category": rng.choice(len(shop.values["category"]), len(at), p=shop.weights["category"]),
        "provider": _by_parent(rng, country, shop.links["provider"]),
        "release": _releases(shop, at, luck),
        "experiment": _arms(shop, at, luck),
    }
    codes = np.stack([columns[dim] for dim in DIMENSIONS], axis=1)
    return Visits(at, codes, user, rng.normal(0, 0.4, len(at)), np.zeros(len(at), dtype=bool))


def chances(shop: Shop, visits: Visits) -> Floats:
    """Return each session's true probability of each step, as one row per step."""
    rng = draw(shop.seed, 3)
    hours = np.arange(int(shop.length // HOUR) + 2, dtype=float)
    clock = (visits.at / HOUR) % 24
    of = {dim: visits.column(dim) for dim in DIMENSIONS}
    found = np.empty((len(STEPS), len(visits)))
    for step in range(len(STEPS)):
        drift = returning(rng, hours, 24, shop.wobble)
        drift += np.cumsum(rng.normal(0, shop.wobble / 12, len(hours)))
        odds = shop.intercepts[step] + np.interp(visits.at / HOUR, hours, drift)
        odds += rng.uniform(0.0, 0.15) * np.cos((clock - 20) * np.pi / 12)
        odds += sum(shop.effects[dim][step][of[dim]] for dim in DIMENSIONS)
        odds += shop.effects["os*browser"][of["os"], of["browser"]]
        if STEPS[step] == "add":
            odds += shop.effects["campaign*device"][of["campaign"], of["device"]]
        if STEPS[step] == "pay":
            odds += shop.effects["country*provider"][of["country"], of["provider"]]
        if STEPS[step] in ("view", "add", "checkout"):
            odds += visits.mood
            if shop.sale_day is not None:
                odds += 0.15 * (visits.at // DAY == shop.sale_day)
        found[step] = 1 / (1 + np.exp(-odds))
    found[1:, visits.bot] = 0
    return found
