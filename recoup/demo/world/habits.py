"""Shops that record their changes in other ways: the same incidents among other lists of changes.

How soon a fault follows its change, how well its scope is declared, and how often nobody records
it differ between shops. Attribution must not live on one shop's habits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recoup.demo.world.fault import Cause
from recoup.demo.world.truth import Truth
from recoup.domain.base import from_ms, to_ms
from recoup.domain.changes import Change, ChangeKind

HOUR_MS, MINUTE_MS = 3_600_000, 60_000
Values = dict[str, list[str]]

_K = ChangeKind
PLAUSIBLE: dict[str, tuple[ChangeKind, ...]] = {
    "widget_break": (_K.FLAG, _K.DEPLOY, _K.CONFIG),
    "platform_break": (_K.DEPLOY, _K.FLAG),
    "night_break": (_K.DEPLOY, _K.THIRD_PARTY, _K.CONFIG),
    "flag_country": (_K.FLAG, _K.CONFIG),
    "provider_outage": (_K.THIRD_PARTY, _K.CONFIG),
    "broken_promo": (_K.PROMO, _K.CAMPAIGN, _K.CONFIG),
    "inventory_wrong": (_K.INVENTORY, _K.PRICE, _K.CONFIG),
    "fraud_rule": (_K.CONFIG, _K.THIRD_PARTY),
    "slow_leak": (_K.DEPLOY, _K.CONFIG, _K.FLAG),
    "slow_cdn": (_K.THIRD_PARTY, _K.CONFIG, _K.DEPLOY),
    "orders_stop": (_K.DEPLOY, _K.CONFIG, _K.THIRD_PARTY),
    "total_outage": (_K.DEPLOY, _K.CONFIG),
    "self_healing": (_K.CONFIG, _K.DEPLOY, _K.FLAG),
    "canary_deploy": (_K.DEPLOY,),
    "experiment_arm": (_K.EXPERIMENT,),
}
ALWAYS_RECORDED = ("canary_deploy", "experiment_arm")
_NAMES = ("payment form", "checkout page", "address check", "cart service", "search", "login")


@dataclass(frozen=True)
class Habit:
    """How a shop records: the mean lead in minutes, and how causes declare their scope."""

    lead: float
    exact: float
    wider: float
    named_in_title: float
    unrecorded: float
    innocent_for_all: float
    any_kind: bool = False


HABITS = {
    "neat": Habit(3, 0.6, 0.2, 0.1, 0.2, 0.25),
    "sloppy": Habit(10, 0.35, 0.2, 0.2, 0.25, 0.45),
    "any_kind": Habit(5, 0.6, 0.25, 0.0, 0.15, 0.25, any_kind=True),
}


def redraw(
    truth: Truth, values: Values, habit: Habit, rng: np.random.Generator
) -> tuple[list[Change], tuple[str, ...]]:
    """Return another list of changes around a fault, and the ids of those that made it."""
    onset = to_ms(truth.onset)
    changes = []
    for number in range(int(rng.integers(8, 26))):
        at = onset + int(rng.uniform(-6, 6) * HOUR_MS)
        scope = _scope(values, habit, rng)
        if scope != truth.cohort or abs(at - onset) > 20 * MINUTE_MS:
            kind = tuple(ChangeKind)[rng.integers(len(ChangeKind))]
            changes.append(_change(f"innocent-{number}", kind, at, scope, _title(kind, rng)))
    must = truth.fault in ALWAYS_RECORDED
    if not must and rng.random() < habit.unrecorded:
        return changes, ()
    cause = _cause(truth, habit, rng, must)
    at = onset - int(cause.lead * MINUTE_MS)
    changes.append(_change("cause", cause.kind, at, cause.scope, cause.title))
    return changes, ("cause",)


def _cause(truth: Truth, habit: Habit, rng: np.random.Generator, must: bool) -> Cause:
    kinds = PLAUSIBLE.get(truth.fault, (_K.DEPLOY, _K.FLAG, _K.CONFIG))
    if habit.any_kind and not must:
        kinds = tuple(ChangeKind)
    kind = kinds[rng.integers(len(kinds))]
    lead = int(rng.uniform(0, 2) if must else rng.exponential(habit.lead))
    scope: dict[str, str | list[str]] = dict(truth.cohort)
    title, luck = _title(kind, rng), rng.random() - habit.exact
    if luck >= 0:
        if luck < habit.wider and len(scope) > 1:
            scope.pop(str(rng.choice(sorted(scope))))
        else:
            if luck < habit.wider + habit.named_in_title:
                title += " " + " ".join(truth.cohort.values())
            scope = {}
    return Cause(kind, title, scope, lead)


def _scope(values: Values, habit: Habit, rng: np.random.Generator) -> dict[str, str | list[str]]:
    if rng.random() < habit.innocent_for_all:
        return {}
    scope: dict[str, str | list[str]] = {}
    count = min(int(rng.choice([1, 1, 1, 2])), len(values))
    for dim in rng.choice(sorted(values), count, replace=False).tolist():
        names = values[dim]
        many = rng.random() < 0.2 and len(names) > 3
        chosen = rng.choice(names, int(rng.integers(2, 4)) if many else 1, replace=False)
        scope[dim] = sorted(chosen.tolist()) if many else str(chosen[0])
    return scope


def _title(kind: ChangeKind, rng: np.random.Generator) -> str:
    return f"{rng.choice(_NAMES)}: {kind.value.replace('_', ' ')} {rng.integers(1, 400)}"


def _change(
    change_id: str, kind: ChangeKind, at_ms: int, scope: dict[str, Any], title: str
) -> Change:
    ref = f"{kind.value}-{change_id}"
    return Change(id=change_id, kind=kind, time=from_ms(at_ms), title=title, ref=ref, scope=scope)


def known_by(changes: Sequence[Change], until_ms: int) -> list[Change]:
    """Return the changes made by a moment, in order of time."""
    known = [change for change in changes if to_ms(change.time) <= until_ms]
    return sorted(known, key=lambda change: (change.time, change.id))
