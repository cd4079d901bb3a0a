"""A shop never seen before: its dimensions, how they depend on each other, and its habits."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recoup.domain.storefront import USUAL_DIMENSIONS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

DIMENSIONS = USUAL_DIMENSIONS
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

STEPS = ("view", "add", "checkout", "attempt", "pay")
"""page > product, product > added, added > checkout, checkout > attempt, attempt > order."""

_OS = {
    "mobile": ("iOS 17", "Android 14", "Android 13", "iOS 16", "Android 12", "iOS 15"),
    "desktop": ("Windows 11", "Windows 10", "macOS 14", "macOS 13", "Linux"),
    "tablet": ("iPadOS 17", "Android 13"),
}
_BROWSERS = {
    "iOS": ("Safari", "Chrome", "Instagram"),
    "iPadOS": ("Safari", "Chrome"),
    "Android": ("Chrome", "Samsung Internet", "Instagram", "Firefox"),
    "Windows": ("Chrome", "Edge", "Firefox"),
    "macOS": ("Safari", "Chrome", "Firefox"),
    "Linux": ("Firefox", "Chrome"),
}
_COUNTRIES = {
    "DE": 1, "FR": 1, "IT": 1, "ES": 1, "NL": 1, "GB": 0, "SE": 1, "PL": 1, "AT": 1,
    "US": -5, "CA": -5, "BR": -3, "JP": 9, "AU": 10,
}  # fmt: skip
_CAMPAIGNS = (
    "direct", "newsletter", "search_brand", "search_generic", "shopping_ads", "ig_story", "fb_feed",
    "tiktok_feed", "affiliates", "retargeting", "pinterest", "influencer_a", "influencer_b",
    "youtube_pre", "coupon_site", "podcast",
)  # fmt: skip
_CATEGORIES = (
    "shoes", "dresses", "bags", "jackets", "sport", "kids", "home", "beauty", "outlet", "jeans",
    "watches", "swimwear",
)  # fmt: skip
_PROVIDERS = ("stripe", "adyen", "paypal", "klarna", "mollie", "worldline")
_CURRENCIES = ("EUR", "USD", "GBP")


@dataclass(frozen=True)
class Rollout:
    """A release or an experiment: which value, from when, and how its share of users grows."""

    value: int
    times: tuple[int, ...]
    shares: tuple[float, ...]

    def share(self, at: Ints) -> Floats:
        """Return the share of users who have it at each time."""
        steps = np.array((0.0, *self.shares))
        return steps[np.searchsorted(np.array(self.times), at, side="right")]


@dataclass(frozen=True)
class Shop:
    """Everything that makes one shop differ from another; times are milliseconds from its start."""

    seed: int
    days: float
    sessions_per_day: float
    values: dict[str, list[str]]
    weights: dict[str, Floats]
    links: dict[str, list[Floats]]
    offsets: list[int]
    peaks: Floats
    campaign_windows: list[tuple[int, int]]
    releases: list[Rollout]
    experiments: list[Rollout]
    intercepts: Floats
    effects: dict[str, Floats]
    lags: dict[str, tuple[float, float]]
    wobble: float
    pages: float
    api_share: float
    error_rate: float
    basket: tuple[float, float]
    currency: str
    sale_day: int | None
    spare_release: int
    spare_campaign: int
    spare_push: int
    spare_arms: tuple[int, int]

    def code(self, dim: str, value: str) -> int:
        """Return the number of a value of a dimension."""
        return self.values[dim].index(value)

    @property
    def length(self) -> int:
        """How long the recorded period is, in milliseconds."""
        return round(self.days * DAY)


def draw(seed: int, purpose: int) -> np.random.Generator:
    """Return a source of chance of its own for each purpose, so that one choice moves no other."""
    return np.random.default_rng([seed, purpose])


def zipf(rng: np.random.Generator, count: int, steep: float = 1.1) -> Floats:
    """Return shares that fall like Zipf's law, with some unevenness."""
    raw = np.arange(1, count + 1, dtype=float) ** -steep * rng.lognormal(0, 0.25, count)
    return np.asarray(raw / raw.sum())


def _some(rng: np.random.Generator, names: tuple[str, ...], low: int, high: int) -> list[str]:
    return [str(name) for name in rng.permutation(names)[: rng.integers(low, high + 1)]]


def _platforms(rng: np.random.Generator) -> tuple[dict[str, list[str]], dict[str, list[Floats]]]:
    """Draw devices, the systems each has, and the browsers each system has."""
    devices = ["mobile", "desktop", "tablet"]
    systems = sorted({name for names in _OS.values() for name in names})
    browsers = sorted({name for names in _BROWSERS.values() for name in names})
    by_device, by_os = [], []
    for device in devices:
        row = np.zeros(len(systems))
        row[[systems.index(name) for name in _OS[device]]] = zipf(rng, len(_OS[device]), 0.8)
        by_device.append(row)
    for system in systems:
        names = _BROWSERS[system.split()[0]]
        row = np.zeros(len(browsers))
        row[[browsers.index(name) for name in names]] = zipf(rng, len(names), 1.2)
        by_os.append(row)
    values = {"device": devices, "os": systems, "browser": browsers}
    return values, {"os": by_device, "browser": by_os}


def _places(rng: np.random.Generator) -> tuple[dict[str, list[str]], dict[str, list[Floats]]]:
    """Draw countries, their regions, and the payment providers each of them uses."""
    countries = _some(rng, tuple(_COUNTRIES), 5, 9)
    counts = [int(rng.integers(2, 6)) for _ in countries]
    regions = [
        f"{country}-{number}"
        for country, count in zip(countries, counts, strict=True)
        for number in range(1, count + 1)
    ]
    providers = _some(rng, _PROVIDERS, 3, 6)
    by_region, by_provider, first = [], [], 0
    for count in counts:
        row = np.zeros(len(regions))
        row[first : first + count] = zipf(rng, count)
        first += count
        by_region.append(row)
        used = rng.permutation(len(providers))[: rng.integers(2, 4)]
        shares = np.zeros(len(providers))
        shares[used] = zipf(rng, len(used), 1.0)
        by_provider.append(shares)
    values = {"country": countries, "region": regions, "provider": providers}
    return values, {"region": by_region, "provider": by_provider}


def _rollouts(rng: np.random.Generator, count: int, length: int) -> list[Rollout]:
    """Draw the ordinary releases of the period; each grows in steps and stays."""
    found = []
    for number, at in enumerate(sorted(rng.integers(0, length, count).tolist()), 1):
        waits = np.cumsum(rng.integers(20, 150, 2)) * MINUTE
        steps = (int(at), int(at + waits[0]), int(at + waits[1]))
        found.append(Rollout(number, steps, (float(rng.choice([0.05, 0.1, 0.2])), 0.5, 1.0)))
    return found


def _experiments(rng: np.random.Generator, count: int, length: int) -> list[Rollout]:
    """Draw the experiments; arm ``2 i + 1`` is the control, the next one the variant."""
    found = []
    for number in range(count):
        start, lasts = int(rng.integers(-2 * DAY, length)), int(rng.integers(2 * DAY, 9 * DAY))
        share = float(rng.choice([0.2, 0.5, 1.0]))
        found.append(Rollout(2 * number + 1, (start, start + lasts), (share, 0.0)))
    return found


def _effects(
    rng: np.random.Generator, values: dict[str, list[str]], spread: float
) -> dict[str, Floats]:
    """Draw what each value of each dimension adds to the log-odds of each step."""
    size = {"campaign": 1.6, "device": 1.3, "category": 1.2, "release": 0.05, "experiment": 0.15}
    found = {
        dim: rng.normal(0, spread * size.get(dim, 0.8), (len(STEPS), len(names)))
        for dim, names in values.items()
    }
    found["os*browser"] = rng.normal(0, 0.08, (len(values["os"]), len(values["browser"])))
    found["country*provider"] = rng.normal(
        0, 0.15, (len(values["country"]), len(values["provider"]))
    )
    found["campaign*device"] = rng.normal(0, 0.12, (len(values["campaign"]), len(values["device"])))
    return found


def _lags(rng: np.random.Generator) -> dict[str, tuple[float, float]]:
    """Draw the lag of each step: its median in seconds and the spread of its logarithm."""
    ranges = {
        "view": (20, 60), "add": (50, 140), "checkout": (70, 260), "attempt": (40, 130),
        "pay": (4, 14),
    }  # fmt: skip
    return {
        step: (float(rng.uniform(*ranges[step])), float(rng.uniform(0.5, 1.0))) for step in STEPS
    }


def _values(rng: np.random.Generator) -> tuple[dict[str, list[str]], dict[str, list[Floats]]]:
    platforms, platform_links = _platforms(rng)
    places, place_links = _places(rng)
    stem, number = int(rng.integers(3, 90)), int(rng.integers(0, 30))
    letters = rng.permutation(list("abcdefgh"))
    tests = [f"{name}-{letters[0]}" for name in _some(rng, ("cart", "hero", "sizes", "copy"), 1, 3)]
    tests.append(f"checkout-{letters[1]}")  # begins only when a fault needs it
    campaigns = ["direct", *_some(rng, _CAMPAIGNS[1:], 7, 12)]
    fresh = [f"launch_{letters[2]}{stem}", f"push_{letters[3]}{number}"]
    values = platforms | places
    values["campaign"] = campaigns + fresh
    values["category"] = _some(rng, _CATEGORIES, 6, 11)
    values["release"] = [f"{stem}.{number + step}" for step in range(6)]
    values["experiment"] = ["none", *(f"{t}:{arm}" for t in tests for arm in ("control", "new"))]
    return {dim: values[dim] for dim in DIMENSIONS}, platform_links | place_links


def _windows(rng: np.random.Generator, count: int, length: int) -> list[tuple[int, int]]:
    """Draw when each campaign runs: half of them always, the others for some days."""
    found = []
    for number in range(count):
        if number < 2 or rng.random() < 0.5:
            found.append((0, length))
        else:
            start = int(rng.integers(-3 * DAY, length))
            found.append((start, start + int(rng.integers(DAY, 7 * DAY))))
    return found


def open_shop(seed: int, days: float = 8, sessions_per_day: float = 13_000) -> Shop:
    """Return the shop of a seed."""
    rng = draw(seed, 1)
    values, links = _values(rng)
    length = round(days * DAY)
    always = len(values["campaign"]) - 2
    spans = ((0.4, 0.6), (0.13, 0.28), (0.42, 0.6), (0.72, 0.88), (0.88, 0.96))
    quality = (rng.uniform(*span) for span in spans)
    targets = np.array(list(quality))
    rollouts = _rollouts(rng, int(rng.integers(1, 5)), length)
    tests = (len(values["experiment"]) - 1) // 2
    weights = {dim: zipf(rng, len(values[dim])) for dim in ("country", "category")}
    weights["device"] = rng.dirichlet((9, 6, 1))
    weights["campaign"] = np.append(zipf(rng, always, 0.9), (0.0, 0.0))
    return Shop(
        seed=seed,
        days=days,
        sessions_per_day=sessions_per_day,
        values=values,
        weights=weights,
        links=links,
        offsets=[_COUNTRIES[country] for country in values["country"]],
        peaks=rng.uniform((11, 18.5), (14, 21.5)),
        campaign_windows=_windows(rng, always, length),
        releases=rollouts,
        experiments=_experiments(rng, tests - 1, length),
        intercepts=np.log(targets / (1 - targets)),
        effects=_effects(rng, values, float(rng.uniform(0.1, 0.28))),
        lags=_lags(rng),
        wobble=float(rng.uniform(0.01, 0.05)),
        pages=float(rng.uniform(3.0, 4.6)),
        api_share=float(rng.uniform(0.3, 0.5)),
        error_rate=float(rng.uniform(0.002, 0.012)),
        basket=(float(rng.uniform(3.4, 4.6)), float(rng.uniform(0.4, 0.75))),
        currency=str(rng.choice(_CURRENCIES)),
        sale_day=int(rng.integers(1, max(2, int(days)))) if rng.random() < 0.35 else None,
        spare_release=len(rollouts) + 1,
        spare_campaign=always,
        spare_push=always + 1,
        spare_arms=(2 * tests - 1, 2 * tests),
    )
