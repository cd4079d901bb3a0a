"""What the sessions do, event by event, with the faults and, unseen, without them.

Every session runs through the funnel twice with the same luck: as it happens, and as it would have
happened had nothing been broken. The orders that only the second world has are the lost ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from recoup.demo.world.fault import Fault
from recoup.demo.world.shop import STEPS, Flags, Floats, Ints, Shop, draw
from recoup.demo.world.visits import Visits
from recoup.domain import storefront as sf

TYPES = sf.KNOWN_TYPES
ENTRY = {
    "view": sf.PRODUCT_VIEWED,
    "add": sf.PRODUCT_ADDED,
    "checkout": sf.CHECKOUT_STARTED,
    "attempt": sf.PAYMENT_ATTEMPTED,
    "pay": sf.ORDER_COMPLETED,
}
"""The event type that ends each step."""
LOST = {kind: step for step, kind in ENTRY.items()}

RETRIES = 0.55
NOTHING = "{}"
Texts = npt.NDArray[np.object_]
_ENDPOINTS = {"/search": 5.2, "/product": 4.9, "/recommend": 5.5, "/cart": 5.0,
              "/checkout": 5.7, "/pay": 6.6}  # fmt: skip
_ERRORS = (
    ("vendor.js", "null is not an object"),
    ("ads.js", "timeout"),
    ("app.js", "x is undefined"),
)
_REASONS = ("card_declined", "insufficient_funds", "expired_card", "3ds_failed")


@dataclass
class Path:
    """The sessions at one point of the funnel.

    ``real`` tells who is there as it happens, ``ghost`` who would be there without faults.
    """

    visit: Ints
    at: Ints
    real: Flags
    ghost: Flags


@dataclass
class Exposed:
    """The trials that a fault met: whose, when, with what true chance of success."""

    visit: list[Ints] = field(default_factory=list)
    at: list[Ints] = field(default_factory=list)
    chance: list[Floats] = field(default_factory=list)
    fresh: list[Flags] = field(default_factory=list)

    def add(self, visit: Ints, at: Ints, chance: Floats, fresh: Flags) -> None:
        """Add trials; a trial is fresh unless an earlier one would have sufficed."""
        self.fresh.append(fresh)
        self.visit.append(visit)
        self.at.append(at)
        self.chance.append(chance)


@dataclass
class Tape:
    """The events as columns."""

    visit: list[Ints] = field(default_factory=list)
    at: list[Ints] = field(default_factory=list)
    kind: list[Ints] = field(default_factory=list)
    props: list[Texts] = field(default_factory=list)

    def add(
        self, kind: str, visit: Ints, at: Ints, props: str | list[str] | Texts = NOTHING
    ) -> None:
        """Add events of one type; their props are one text for all or one for each."""
        self.visit.append(visit)
        self.at.append(at)
        self.kind.append(np.full(len(visit), TYPES.index(kind)))
        texts = np.empty(len(visit), dtype=object)
        texts[:] = props
        self.props.append(texts)


class World:
    """Plays the sessions of a shop under its faults."""

    def __init__(
        self, shop: Shop, visits: Visits, chances: Floats, faults: Sequence[Fault]
    ) -> None:
        self.shop, self.visits, self.chances, self.faults = shop, visits, chances, faults
        self.inside = [visits.within(shop, fault.cohort) for fault in faults]
        self.exposed = [Exposed() for _ in faults]
        self.tape = Tape()
        # Faults must not move the luck of others: what depends on a fault has a source of its own.
        self.rng, self.noise = draw(shop.seed, 4), draw(shop.seed, 9)
        self.basket = np.round(self.rng.lognormal(*shop.basket, len(visits)), 2)
        self.ordered = np.zeros(len(visits), dtype=bool)
        self.would_order = np.zeros(len(visits), dtype=bool)
        self.blame = np.full(len(visits), -1)

    def play(self) -> None:
        """Let every session go through the funnel."""
        everyone = np.arange(len(self.visits))
        both = np.ones(len(everyone), dtype=bool)
        path = Path(everyone, self.visits.at, both, both)
        self._browse(path)
        path = self._step("view", path)
        self._arrived(sf.PRODUCT_VIEWED, path)
        self._look_on(path)
        path = self._step("add", path)
        self._arrived(sf.PRODUCT_ADDED, path)
        path = self._step("checkout", path)
        self._arrived(sf.CHECKOUT_STARTED, path)
        path = self._step("attempt", path)
        self._pay(path)

    def _lags(self, step: str, count: int) -> Ints:
        """Draw lags; a few people come back much later."""
        median, spread = self.shop.lags[step]
        lags = self.rng.lognormal(np.log(median * 1000), spread, count)
        lags[self.rng.random(count) < 0.03] *= 5
        return lags.astype(np.int64) + 40

    def _harm(self, step: str, path: Path, chance: Floats) -> tuple[Floats, Ints]:
        """Return what share of successes the faults take from each session, and which fault."""
        kept = np.ones(len(path.visit))
        culprit = np.full(len(path.visit), -1)
        for number, fault in enumerate(self.faults):
            if step not in (fault.step, LOST.get(fault.lost_type or "")):
                continue
            hit = self.inside[number][path.visit] & fault.active(path.at)
            if fault.step:
                kept[hit] *= 1 - fault.drop(path.at[hit])
                culprit[hit] = number
            hit &= path.real
            self.exposed[number].add(path.visit[hit], path.at[hit], chance[hit], path.ghost[hit])
        return kept, culprit

    def _step(self, step: str, path: Path) -> Path:
        chance = self.chances[STEPS.index(step)][path.visit]
        kept, culprit = self._harm(step, path, chance)
        luck = self.rng.random(len(path.visit))
        lags = self._lags(step, len(path.visit))
        done = luck < chance
        real = path.real & (luck < chance * kept)
        broken = path.real & done & ~real
        self.blame[path.visit[broken]] = culprit[broken]
        self._complain(path.visit[broken], path.at[broken], culprit[broken])
        return Path(path.visit[done], (path.at + lags)[done], real[done], path.ghost[done])

    def _complain(self, visit: Ints, at: Ints, culprit: Ints) -> None:
        """Let some of those who meet a fault in the browser send its script error."""
        for number, fault in enumerate(self.faults):
            hit = (culprit == number) & (self.noise.random(len(visit)) < 0.6)
            if fault.script and hit.any():
                later = self.noise.integers(300, 4000, int(hit.sum()))
                props = f'{{"file":"{fault.script}","message":"mount is not a function"}}'
                self.tape.add(sf.SCRIPT_ERROR, visit[hit], at[hit] + later, props)

    def _arrived(self, kind: str, path: Path) -> None:
        if kind == sf.PRODUCT_VIEWED:
            self._send(kind, path, self._products(len(path.visit)))
        else:
            self._send(kind, path, NOTHING)
        endpoint = {sf.PRODUCT_ADDED: "/cart", sf.CHECKOUT_STARTED: "/checkout"}.get(kind)
        if endpoint:
            self._call(endpoint, path.visit, path.at, path.real)

    def _send(self, kind: str, path: Path, props: str | Texts) -> None:
        """Add the events of those who are really there."""
        real = path.real
        texts = props if isinstance(props, str) else props[real]
        self.tape.add(kind, path.visit[real], path.at[real], texts)

    def _products(self, count: int) -> Texts:
        numbers = (self.rng.zipf(1.3, count) % 5000).tolist()
        return np.array([f'{{"product":"p{number}"}}' for number in numbers], dtype=object)

    def _browse(self, path: Path) -> None:
        """Page views, with calls to the shop's services and now and then a script error."""
        more = self.rng.geometric(1 / self.shop.pages, len(path.visit)) - 1
        more[self.visits.bot] = self.rng.integers(6, 30, int(self.visits.bot.sum()))
        more = np.minimum(more, 40)
        visit = np.repeat(path.visit, more)
        gaps = self.rng.lognormal(np.log(28_000), 0.9, len(visit)).astype(np.int64) + 200
        gaps[self.visits.bot[visit]] //= 20
        sums = np.cumsum(gaps)
        before = np.repeat(np.concatenate(([0], np.cumsum(more)[:-1])), more)
        base = np.where(before > 0, sums[np.maximum(before - 1, 0)], 0)
        at = self.visits.at[visit] + sums - base
        pages = [f'{{"path":"/{name}"}}' for name in ("", "sale", "search", "about", "list")]
        visit, at = np.concatenate((path.visit, visit)), np.concatenate((path.at, at))
        paths = np.array(pages, dtype=object)[
            self.rng.choice(5, len(visit), p=(4e-1, 0.1, 0.2, 0.05, 0.25))
        ]
        self.tape.add(sf.PAGE_VIEWED, visit, at, paths)
        for endpoint in ("/search", "/product", "/recommend"):
            asked = self.rng.random(len(visit)) < self.shop.api_share / 3
            self._call(endpoint, visit, at, asked)
        failed = self.rng.random(len(visit)) < self.shop.error_rate
        for name, message in _ERRORS:
            own = failed & (self.rng.random(len(visit)) < 0.5)
            failed &= ~own
            late = at[own] + self.rng.integers(100, 5000, int(own.sum()))
            props = f'{{"file":"{name}","message":"{message}"}}'
            self.tape.add(sf.SCRIPT_ERROR, visit[own], late, props)

    def _look_on(self, path: Path) -> None:
        """Further product views of those who have seen one."""
        for chance in (0.45, 0.4, 0.35):
            again = np.where(self.visits.bot[path.visit], 0.9, chance)
            on = self.rng.random(len(path.visit)) < again
            at = path.at + self.rng.lognormal(np.log(35_000), 0.8, len(on)).astype(np.int64)
            path = Path(path.visit[on], at[on], path.real[on], path.ghost[on])
            self._send(sf.PRODUCT_VIEWED, path, self._products(len(path.visit)))

    def _call(self, endpoint: str, visit: Ints, at: Ints, real: Flags) -> None:
        """Time one call of a service for each session; a fault may slow it."""
        ms = self.rng.lognormal(_ENDPOINTS[endpoint], 0.42, len(visit))
        for number, fault in enumerate(self.faults):
            if fault.slow and fault.slow[0] == endpoint:
                hit = self.inside[number][visit] & fault.active(at)
                ms[hit] *= 1 + (fault.slow[1] - 1) * fault.drop(at[hit]) / fault.effect
        took = ms[real].astype(np.int64)
        texts = [f'{{"endpoint":"{endpoint}","ms":{one}}}' for one in took.tolist()]
        self.tape.add(sf.API_TIMED, visit[real], at[real] + took, texts)

    def _pay(self, path: Path) -> None:
        """Attempts until paid or given up; the two worlds share the luck of each attempt."""
        step = STEPS.index("pay")
        ghost = np.ones(len(path.visit), dtype=bool)
        real = path.real.copy()
        for _ in range(3):
            chance = self.chances[step][path.visit]
            current = Path(path.visit, path.at, real, ghost)
            kept, culprit = self._harm("pay", current, chance)
            self._attempted(current)
            luck, lags = self.rng.random(len(ghost)), self._lags("pay", len(ghost))
            paid = real & (luck < chance * kept)
            self.would_order[path.visit[ghost & (luck < chance)]] = True
            self._order(path.visit, path.at + lags, paid)
            failed = real & ~paid
            broken = failed & (luck < chance)
            self.blame[path.visit[broken]] = culprit[broken]
            self._fail(path.visit, path.at, failed, np.where(broken, culprit, -1))
            again = self.rng.random(len(ghost)) < RETRIES
            ghost = ghost & (luck >= chance) & again
            real = failed & again
            at = path.at + 15_000 + self._lags("pay", len(real)) * 3
            path = Path(path.visit, at, real, ghost)

    def _attempted(self, path: Path) -> None:
        self._send(sf.PAYMENT_ATTEMPTED, path, NOTHING)
        self._call("/pay", path.visit, path.at, path.real)

    def _fail(self, visit: Ints, at: Ints, failed: Flags, culprit: Ints) -> None:
        late = at + self.rng.integers(1500, 9000, len(at))
        reasons = np.array([f'{{"reason":"{name}"}}' for name in _REASONS], dtype=object)
        chosen = reasons[self.rng.choice(4, len(at), p=(0.55, 0.2, 0.1, 0.15))]
        own = failed & (culprit < 0)
        self.tape.add(sf.PAYMENT_FAILED, visit[own], late[own], chosen[own])
        for number, fault in enumerate(self.faults):
            hit = failed & (culprit == number)
            if fault.reason:
                props = f'{{"reason":"{fault.reason}"}}'
                self.tape.add(sf.PAYMENT_FAILED, visit[hit], late[hit], props)
            self._complain(visit[hit], at[hit], culprit[hit])

    def _order(self, visit: Ints, at: Ints, paid: Flags) -> None:
        thanks = at + self.rng.integers(200, 2500, len(at))
        visit, at, thanks = visit[paid], at[paid], thanks[paid]
        self.ordered[visit] = True
        currency = self.shop.currency
        values = self.basket[visit].tolist()
        texts = [f'{{"value":{value},"currency":"{currency}"}}' for value in values]
        self.tape.add(sf.ORDER_COMPLETED, visit, at, texts)
        self.tape.add(sf.PAGE_VIEWED, visit, thanks, '{"path":"/thank-you"}')
