"""The kinds of fault and of innocent disturbance, each drawn anew for each seed."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from recoup.demo.world import causes
from recoup.demo.world.bound import BAR, bernoulli_divergence
from recoup.demo.world.fault import Fault
from recoup.demo.world.shop import DAY, DIMENSIONS, HOUR, MINUTE, STEPS, Floats, Rollout, Shop
from recoup.demo.world.visits import Visits, chances, luck_of

TRIES = 250
ENOUGH = 4 * BAR
"""The evidence a fault leaves until its end, at least; a smaller one is nobody's loss."""


@dataclass
class Scene:
    """A shop and its sessions before anything goes wrong; a kind may add sessions or relabel."""

    shop: Shop
    visits: Visits
    chances: Floats
    rng: np.random.Generator

    def replace_visits(self, visits: Visits) -> None:
        """Go on with other sessions."""
        self.visits, self.chances = visits, chances(self.shop, visits)

    def onset(self, lasts: int) -> int:
        """Draw an onset in the watched part of the period, at any hour."""
        first = min(3.0, self.shop.days * 3 / 8)
        last = max(first + 0.02, self.shop.days - max(lasts / DAY, 0.1))
        return int(self.rng.uniform(first, last) * DAY)

    def outlook(self, fault: Fault) -> tuple[float, float]:
        """Return roughly how soon a fault could be noticed, and what evidence it leaves in all."""
        index = STEPS.index(fault.step or "pay")
        near = slice(*np.searchsorted(self.visits.at, (fault.onset, fault.end)))
        inside = self.visits.within(self.shop, fault.cohort)[near]
        reach = self.chances[:index, near].prod(axis=0)[inside]
        at, chance = self.visits.at[near][inside], self.chances[index, near][inside]
        evidence = np.cumsum(reach * bernoulli_divergence(chance * (1 - fault.drop(at)), chance))
        found = int(np.searchsorted(evidence, BAR))
        if found >= len(at):
            return np.inf, float(evidence[-1]) if len(at) else 0.0
        return float((at[found] - fault.onset) / MINUTE), float(evidence[-1])


def settle(scene: Scene, propose: Callable[[], Fault]) -> Fault:
    """Return the first proposal that can be noticed well before it ends, else the clearest."""
    best, most = None, -1.0
    for _ in range(TRIES):
        fault = propose()
        minutes, evidence = scene.outlook(fault)
        share = minutes * MINUTE / (fault.end - fault.onset)
        if share < 0.45 and minutes < 480 and evidence > ENOUGH:
            return fault
        if evidence > most:
            best, most = fault, evidence
    assert best is not None
    return best


def someone(scene: Scene, step: str, dims: tuple[str, ...], at: int) -> dict[str, str]:
    """Return a cohort, in these dimensions, that comes to the step about then.

    Large cohorts are likelier, by the square root of their size: small ones break just as often.
    """
    if not dims:
        return {}
    near = slice(*np.searchsorted(scene.visits.at, (at - 6 * HOUR, at + 6 * HOUR)))
    reach = scene.chances[: STEPS.index(step), near].prod(axis=0)
    columns = [DIMENSIONS.index(dim) for dim in dims]
    rows, own = np.unique(scene.visits.codes[near][:, columns], axis=0, return_inverse=True)
    size = np.sqrt(np.bincount(own, reach, len(rows)))
    row = rows[scene.rng.choice(len(rows), p=size / size.sum())]
    cohort = {dim: scene.shop.values[dim][code] for dim, code in zip(dims, row, strict=True)}
    for dim in dims if len(dims) > 1 else ():
        wider = {name: value for name, value in cohort.items() if name != dim}
        if _same_people(scene, wider, cohort):
            cohort = wider
    return cohort


def _same_people(scene: Scene, wider: dict[str, str], cohort: dict[str, str]) -> bool:
    """Tell whether leaving out a dimension changes next to nothing, as device does beside iOS."""
    many = int(scene.visits.within(scene.shop, wider).sum())
    return bool(wider) and many < 1.03 * int(scene.visits.within(scene.shop, cohort).sum())


@dataclass(frozen=True)
class Recipe:
    """What the faults of one kind have in common."""

    steps: tuple[str, ...]
    dims: tuple[tuple[str, ...], ...]
    effect: tuple[float, float] = (0.15, 1.0)
    hours: tuple[float, float] = (2, 12)
    script: float = 0.0
    reason: str = ""
    slow: tuple[str, ...] = ()
    ramp: bool = False


_PLATFORM = (("os", "browser"), ("device", "browser"), ("browser",), ("os",))
RECIPES = {
    "widget_break": Recipe(
        ("attempt", "pay", "checkout", "add"),
        (("campaign", "os", "browser"), ("country", "os", "browser"),
         ("campaign", "os", "country")),
        (0.3, 1.0), (6, 20), script=0.8,
    ),
    "flag_country": Recipe(("attempt", "pay", "checkout"), (("country",),), script=0.3),
    "provider_outage": Recipe(
        ("pay",), (("provider",),), (0.3, 1.0), (0.7, 5),
        reason="provider_unavailable", slow=("/pay",),
    ),
    "broken_promo": Recipe(("checkout", "attempt"), (("campaign",),), (0.2, 0.9), (3, 14)),
    "inventory_wrong": Recipe(("add",), (("category",),), (0.15, 0.9), (3, 14)),
    "fraud_rule": Recipe(
        ("pay",), (("provider", "country"),), (0.2, 0.9), (3, 14), reason="fraud_suspected"
    ),
    "slow_leak": Recipe(
        ("add", "checkout", "attempt", "pay"),
        (("country",), ("device",), ("os",), ("browser",), ("category",), ("device", "country")),
        (0.3, 0.9), (14, 30), ramp=True,
    ),
    "slow_cdn": Recipe(
        ("view", "add", "checkout"), (("region",), ("country",)), (0.15, 0.6), (2, 12),
        slow=("/product", "/cart", "/search"),
    ),
    "orders_stop": Recipe(("pay",), ((),), (0.97, 1.0), (0.5, 2), reason="internal_error"),
    "self_healing": Recipe(
        ("checkout", "attempt", "pay"),
        ((), ("device",), ("country",), ("provider",)), (0.5, 1.0), (1 / 3, 2 / 3), script=0.2,
    ),
    "platform_break": Recipe(
        ("checkout", "attempt", "pay", "add"), _PLATFORM, (0.15, 1.0), (3, 12), script=0.6
    ),
}  # fmt: skip


def from_recipe(scene: Scene, name: str, onset: int | None = None) -> Fault:
    """Draw a fault of a kind that hits one step of one cohort."""
    recipe, rng = RECIPES[name], scene.rng

    def propose() -> Fault:
        lasts = int(rng.uniform(*recipe.hours) * HOUR)
        start = scene.onset(lasts) if onset is None else onset
        step = str(rng.choice(recipe.steps))
        cohort = someone(scene, step, recipe.dims[rng.integers(len(recipe.dims))], start)
        while name == "broken_promo" and cohort["campaign"] == "direct":
            cohort = someone(scene, step, ("campaign",), start)
        return Fault(
            name=name,
            kind="business",
            cohort=cohort,
            onset=start,
            end=min(start + lasts, scene.shop.length),
            effect=round(float(rng.uniform(*recipe.effect)), 2),
            step=step,
            ramp=recipe.ramp,
        )

    fault = settle(scene, propose)
    script = f"{rng.choice(('checkout', 'payment-widget', 'cart'))}.{rng.integers(10, 99)}.js"
    fault = replace(
        fault,
        reason=recipe.reason if fault.step == "pay" else "",
        script=script if rng.random() < recipe.script else "",
    )
    if recipe.slow:
        endpoint = recipe.slow[rng.integers(len(recipe.slow))]
        fault = replace(fault, slow=(endpoint, float(rng.uniform(2, 8))))
    return replace(fault, cause=causes.of(fault, rng))


def _simple(name: str) -> Callable[[Scene], list[Fault]]:
    return lambda scene: [from_recipe(scene, name)]


def _canary(scene: Scene) -> list[Fault]:
    """A new release that is bad; it grows in steps, or stays small, until it is taken back."""
    rng, base = scene.rng, scene.visits

    def propose() -> Fault:
        lasts = int(rng.uniform(3, 14) * HOUR)
        onset = scene.onset(lasts)
        grows = np.cumsum(rng.integers(30, 180, 2)) * MINUTE
        shares: tuple[tuple[int, float], ...]
        shares = ((onset, float(rng.choice([0.05, 0.1, 0.2, 0.3]))),)
        if rng.random() < 0.7:
            shares += ((onset + int(grows[0]), 0.5), (onset + int(grows[1]), 1.0))
        end = min(onset + lasts, scene.shop.length)
        times, sizes = (*(at for at, _ in shares), end), (*(size for _, size in shares), 0.0)
        given = luck_of(base.user) < Rollout(0, times, sizes).share(base.at)
        codes = base.codes.copy()
        codes[given, DIMENSIONS.index("release")] = scene.shop.spare_release
        scene.replace_visits(replace(base, codes=codes))
        return Fault(
            name="canary_deploy", kind="business",
            cohort={"release": scene.shop.values["release"][scene.shop.spare_release]},
            onset=onset, end=end, effect=round(float(rng.uniform(0.25, 1.0)), 2),
            step=str(rng.choice(("add", "checkout", "attempt", "pay"))), shares=shares,
            script=f"bundle.{rng.integers(100, 999)}.js" if rng.random() < 0.6 else "",
        )  # fmt: skip

    fault = settle(scene, propose)
    return [replace(fault, cause=causes.of(fault, rng))]


def _experiment(scene: Scene) -> list[Fault]:
    """An experiment whose new arm is bad."""
    rng, base = scene.rng, scene.visits
    control, new = scene.shop.spare_arms

    def propose() -> Fault:
        lasts = int(rng.uniform(4, 20) * HOUR)
        onset = scene.onset(lasts)
        end = min(onset + lasts, scene.shop.length)
        share = float(rng.choice([0.3, 0.5, 1.0]))
        own = (luck_of(base.user) * 104729 + 0.5) % 1
        during = (base.at >= onset) & (base.at < end)
        codes = base.codes.copy()
        codes[during & (own < share), DIMENSIONS.index("experiment")] = control
        codes[during & (own < share / 2), DIMENSIONS.index("experiment")] = new
        scene.replace_visits(replace(base, codes=codes))
        return Fault(
            name="experiment_arm", kind="business",
            cohort={"experiment": scene.shop.values["experiment"][new]},
            onset=onset, end=end, effect=round(float(rng.uniform(0.15, 0.8)), 2),
            step=str(rng.choice(("add", "checkout", "attempt"))), shares=((onset, share / 2),),
        )  # fmt: skip

    fault = settle(scene, propose)
    return [replace(fault, cause=causes.of(fault, rng))]


def _outage(scene: Scene) -> list[Fault]:
    lasts = int(scene.rng.uniform(20, 90) * MINUTE)
    onset = scene.onset(lasts)
    fault = Fault("total_outage", "business", {}, onset, onset + lasts, 1.0, silent=True)
    return [replace(fault, cause=causes.of(fault, scene.rng))]


def _tracking(scene: Scene) -> list[Fault]:
    """Beacons of one type are lost in one browser or system; people go on as before."""
    rng = scene.rng
    types = {
        "checkout": "checkout_started",
        "attempt": "payment_attempted",
        "pay": "order_completed",
    }
    dims = (("browser",), ("os",), ("os", "browser"), ("device",), ("browser", "country"))

    def propose() -> Fault:
        lasts = int(rng.uniform(3, 14) * HOUR)
        onset = scene.onset(lasts)
        step = str(rng.choice(tuple(types), p=(0.45, 0.4, 0.15)))
        cohort = someone(scene, step, dims[rng.integers(len(dims))], onset)
        effect = 1.0 if rng.random() < 0.5 else round(float(rng.uniform(0.3, 0.95)), 2)
        end = min(onset + lasts, scene.shop.length)
        return Fault("tracking_loss", "data_quality", cohort, onset, end, effect, step=step)

    fault = settle(scene, propose)
    fault = replace(fault, step=None, lost_type=types[fault.step or ""])
    return [replace(fault, cause=causes.of(fault, rng))]


def _crowd(scene: Scene, onset: int, end: int, count: int, mood: float) -> Visits:
    """Return further sessions, each like one that came about that time of the period."""
    rng, base = scene.rng, scene.visits
    near = slice(*np.searchsorted(base.at, (onset, end)))
    pool = np.arange(len(base))[near]
    if not len(pool):
        pool = np.arange(len(base))
    like = rng.choice(pool, count)
    at = np.clip(base.at[like] + rng.integers(-15, 15, count) * MINUTE, onset, end - 1)
    user = rng.integers(2 * len(base), 4 * len(base), count)
    return Visits(
        at, base.codes[like].copy(), user, base.mood[like] + mood, np.zeros(count, dtype=bool)
    )


def _added(scene: Scene, extra: Visits) -> None:
    both = scene.visits.joined(extra)
    order = np.argsort(both.at, kind="stable")
    scene.replace_visits(
        Visits(both.at[order], both.codes[order], both.user[order], both.mood[order],
               both.bot[order])
    )  # fmt: skip


def _bots(scene: Scene) -> list[Fault]:
    """A flood of robots that look at many pages and buy nothing."""
    rng = scene.rng
    lasts = int(rng.uniform(30, 240) * MINUTE)
    onset = scene.onset(lasts)
    size = float(rng.uniform(0.5, 3))
    count = max(60, int(size * scene.shop.sessions_per_day * lasts / DAY))
    extra = _crowd(scene, onset, onset + lasts, count, 0.0)
    dims = (("country", "browser"), ("region",), ("os", "browser"), ("country", "os", "browser"))
    cohort = someone(scene, "view", dims[rng.integers(len(dims))], onset)
    row = scene.visits.codes[rng.choice(np.flatnonzero(scene.visits.within(scene.shop, cohort)))]
    for dim in ("device", "os", "browser", "country", "region"):
        column = DIMENSIONS.index(dim)
        extra.codes[:, column] = row[column]
    extra.codes[:, DIMENSIONS.index("campaign")] = scene.shop.code("campaign", "direct")
    _added(scene, replace(extra, bot=np.ones(count, dtype=bool)))
    return [Fault("bots", "traffic", cohort, onset, onset + lasts, size, surge=size, bots=True)]


def _wave(scene: Scene, name: str, hours: tuple[float, float], size: float, mood: float) -> Fault:
    """Add the sessions of a campaign of their own, and return the disturbance."""
    lasts = int(scene.rng.uniform(*hours) * HOUR)
    onset = scene.onset(min(lasts, 12 * HOUR))
    end = min(onset + lasts, scene.shop.length)
    count = max(30, int(size * scene.shop.sessions_per_day * (end - onset) / DAY))
    extra = _crowd(scene, onset, end, count, mood)
    spare = scene.shop.spare_push if name == "push" else scene.shop.spare_campaign
    extra.codes[:, DIMENSIONS.index("campaign")] = spare
    _added(scene, extra)
    cohort = {"campaign": scene.shop.values["campaign"][spare]}
    fault = Fault(name, "traffic", cohort, onset, end, size, surge=size, innocent=True)
    return replace(fault, cause=causes.of(fault, scene.rng))


def _mix_shift(scene: Scene) -> list[Fault]:
    """A new campaign brings many who rarely buy: nothing is broken."""
    size, mood = float(scene.rng.uniform(0.12, 0.5)), -float(scene.rng.uniform(0.6, 1.6))
    return [_wave(scene, "mix_shift", (8, 40), size, mood)]


def _push(scene: Scene) -> list[Fault]:
    """A planned push notification brings a surge."""
    size, mood = float(scene.rng.uniform(0.6, 3)), float(scene.rng.normal(-0.1, 0.25))
    return [_wave(scene, "push", (0.7, 2.5), size, mood)]


def _two(scene: Scene) -> list[Fault]:
    """Two faults with different causes overlap in time; some sessions may meet both."""
    names = ("platform_break", "flag_country", "provider_outage", "broken_promo", "inventory_wrong",
             "fraud_rule", "widget_break")  # fmt: skip
    first_name, second_name = scene.rng.choice(names, 2, replace=False).tolist()
    first = from_recipe(scene, first_name)
    apart = int(scene.rng.uniform(-0.3, 0.5) * (first.end - first.onset))
    latest = scene.shop.length - 2 * HOUR
    second = from_recipe(scene, second_name, int(np.clip(first.onset + apart, 0, latest)))
    return sorted((first, second), key=lambda fault: fault.onset)


def _night(scene: Scene) -> list[Fault]:
    """A break that begins when the shop's main country sleeps."""
    shop, rng = scene.shop, scene.rng
    main = int(np.argmax(shop.weights["country"]))
    day = rng.integers(min(3, int(shop.days * 3 / 8)), max(1, int(shop.days) - 1) + 1)
    local = rng.uniform(0.5, 4.5) - shop.offsets[main]
    onset = int(np.clip(day * DAY + local * HOUR, 0, shop.length - 6 * HOUR))
    fault = from_recipe(scene, str(rng.choice(("platform_break", "provider_outage"))), onset)
    return [replace(fault, name="night_break")]


KINDS: dict[str, Callable[[Scene], list[Fault]]] = {
    "canary_deploy": _canary,
    "widget_break": _simple("widget_break"),
    "platform_break": _simple("platform_break"),
    "flag_country": _simple("flag_country"),
    "provider_outage": _simple("provider_outage"),
    "broken_promo": _simple("broken_promo"),
    "inventory_wrong": _simple("inventory_wrong"),
    "fraud_rule": _simple("fraud_rule"),
    "slow_leak": _simple("slow_leak"),
    "slow_cdn": _simple("slow_cdn"),
    "total_outage": _outage,
    "orders_stop": _simple("orders_stop"),
    "bots": _bots,
    "mix_shift": _mix_shift,
    "tracking_loss": _tracking,
    "two_at_once": _two,
    "self_healing": _simple("self_healing"),
    "experiment_arm": _experiment,
    "push": _push,
    "night_break": _night,
}
"""Every kind by its name; ``none`` is a quiet period."""
