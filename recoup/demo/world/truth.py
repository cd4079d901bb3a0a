"""What really happened: written beside a recorded period, and read by the scorer."""

import numpy as np

from recoup.demo.world.bound import minutes_of_silence, minutes_of_surge, minutes_to_notice
from recoup.demo.world.fault import Fault
from recoup.demo.world.journeys import ENTRY, RETRIES, World
from recoup.demo.world.recording import start_of
from recoup.demo.world.shop import DAY, HOUR, MINUTE, STEPS, Flags, Floats, Ints
from recoup.domain.base import Frozen, Moment, from_ms, to_ms

_BEFORE = {"view": "page_viewed", "add": "product_viewed", "checkout": "product_added",
           "attempt": "checkout_started", "pay": "payment_attempted"}  # fmt: skip


class Truth(Frozen):
    """One fault or innocent disturbance of a recorded period.

    ``loss_curve`` is the expected revenue lost in each hour from the onset. ``change_ids`` are all
    changes that are right to blame: the first is ``change_id``, the others later rollout steps.
    """

    fault: str
    kind: str
    innocent: bool = False
    onset: Moment
    end: Moment
    cohort: dict[str, str]
    effect: float
    metric_hint: str
    change_id: str | None = None
    change_ids: tuple[str, ...] = ()
    lost_orders: int = 0
    lost_revenue: float = 0.0
    currency: str = "EUR"
    loss_curve: tuple[float, ...] = ()
    bound_minutes: float | None = None
    trials: int = 0


class Period(Frozen):
    """What was generated."""

    seed: int
    fault: str
    days: float
    sessions: int
    events: int
    start: Moment
    truths: list[Truth]


def tell(world: World, changes: list[list[str]]) -> list[Truth]:
    """Return the truth about each fault of a played world."""
    return [_of(world, number, ids) for number, ids in enumerate(changes)]


def _of(world: World, number: int, ids: list[str]) -> Truth:
    shop, fault = world.shop, world.faults[number]
    lost = world.would_order & ~world.ordered & (world.blame == number)
    curve = _loss_curve(world, number)
    start = to_ms(start_of(shop))
    return Truth(
        fault=fault.name,
        kind=fault.kind,
        innocent=fault.innocent,
        onset=from_ms(start + fault.onset),
        end=from_ms(start + fault.end),
        cohort=fault.cohort,
        effect=round(fault.effect, 4),
        metric_hint=_metric(fault),
        change_id=ids[0] if ids else None,
        change_ids=tuple(ids),
        lost_orders=int(lost.sum()),
        lost_revenue=round(float(world.basket[lost].sum()), 2),
        currency=shop.currency,
        loss_curve=tuple(round(float(value), 2) for value in curve),
        bound_minutes=_bound(world, number),
        trials=sum(len(rows) for rows in world.exposed[number].at),
    )


def _metric(fault: Fault) -> str:
    if fault.step:
        return f"{_BEFORE[fault.step]}->{ENTRY[fault.step]}"
    return f"volume:{fault.lost_type or ('page_viewed' if fault.surge else 'events')}"


def _trials(world: World, number: int) -> tuple[Ints, Floats, Floats]:
    """Return the ages in ms, chances and drops of the trials that a fault met."""
    exposed, fault = world.exposed[number], world.faults[number]
    at = np.concatenate(exposed.at)
    return at - fault.onset, np.concatenate(exposed.chance), fault.drop(at)


def _bound(world: World, number: int) -> float | None:
    """Return how soon the fault could be noticed at best, in minutes."""
    shop, fault = world.shop, world.faults[number]
    if fault.step or fault.lost_type:
        step = fault.step or next(name for name, kind in ENTRY.items() if kind == fault.lost_type)
        ages, chance, drop = _trials(world, number)
        found = minutes_to_notice(ages, chance, drop, shop.lags[step])
    elif fault.silent:
        found = minutes_of_silence(world.visits.at[_came(world, number)] - fault.onset)
    elif fault.innocent:
        return None
    else:
        came = world.inside[number]
        extra = came & world.visits.bot
        usual = float((came & ~extra).sum()) / (shop.days * DAY / MINUTE)
        found = minutes_of_surge(usual, float(extra.sum()) * MINUTE / (fault.end - fault.onset))
    return None if found is None else round(found, 2)


def _came(world: World, number: int) -> Flags:
    """Tell which sessions of the cohort begin during the fault."""
    return world.inside[number] & world.faults[number].active(world.visits.at)


def _loss_curve(world: World, number: int) -> Floats:
    """Return the expected loss of each hour since the onset."""
    fault, shop = world.faults[number], world.shop
    hours = max(1, -(-(fault.end - fault.onset) // HOUR))
    if fault.silent:
        visit = np.flatnonzero(_came(world, number))
        ages, worth = world.visits.at[visit] - fault.onset, _completing(world, visit, 0)
    elif fault.step and world.exposed[number].at:
        ages, worth = _worth_of_trials(world, number, fault.step)
    else:
        return np.zeros(hours)
    basket = float(np.exp(shop.basket[0] + shop.basket[1] ** 2 / 2))
    return np.asarray(np.bincount(ages // HOUR, worth * basket, hours), dtype=float)


def _completing(world: World, visit: Ints, first: int) -> Floats:
    """Return the chance that a session does all steps from this one on, with its retries."""
    pay = world.chances[-1][visit]
    again = RETRIES * (1 - pay)
    paying = pay * (1 + again + again**2)
    return np.asarray(world.chances[first:-1, visit].prod(axis=0) * paying)


def _worth_of_trials(world: World, number: int, step: str) -> tuple[Ints, Floats]:
    """Return the ages of the trials and the orders that each is expected to lose."""
    ages, chance, drop = _trials(world, number)
    visit = np.concatenate(world.exposed[number].visit)
    if step != "pay":
        return ages, chance * drop * _completing(world, visit, STEPS.index(step) + 1)
    later = world.chances[-1][visit] * (1 - drop)
    saved = RETRIES * later + RETRIES**2 * (1 - later) * later
    return ages, chance * drop * (1 - saved) * np.concatenate(world.exposed[number].fresh)
