"""Where somebody just changed something, less evidence is enough.

Most incidents are made by a change, and a change says whom it touches. So a part of the
false-alarm budget is spent on the cohorts that a change names, for some hours after it: there the
test need not pay for all the cohorts and all the hours in which nothing was altered.
"""

import math
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple

import numpy as np

from detectors.cohorts import EVERYONE_ID, CohortIndex
from detectors.columns import Ints
from detectors.configuration import DAY_MS, HOUR_MS
from detectors.sequential import Evidence
from recoup.domain.base import to_ms
from recoup.domain.changes import Change

WATCHED_MS = 4 * HOUR_MS
BUDGET_SHARE = 0.15
"""False alarms that changes may cost, as a share of the whole budget, on top of it."""

EXACT_SHARE = 0.6
"""The cohorts a change names take so much of its budget, their children the rest."""

CROSSINGS = math.log(WATCHED_MS / (1.5 * HOUR_MS)) + 1.5
"""A cohort's evidence comes back to zero now and then while it is watched: each is a chance."""

FEWEST_CHANGES = 60.0
MONTH_DAYS = 30.0
MEMORY_DAYS = 7.0
MOST_COHORTS = 8
FAR_AHEAD_MS = DAY_MS
KEPT_MS = 2 * DAY_MS


class Named(NamedTuple):
    """The cohorts that the scope of one change names, and when it was made."""

    at_ms: int
    cohorts: tuple[dict[str, str], ...]


@dataclass
class _Primed:
    """A change under watch: the cohorts it names, and the rows they and their children have."""

    until_ms: int
    named: tuple[dict[str, str], ...]
    limits: tuple[float, float]
    children: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    looked_at: int = 0
    """How many cohorts of the index were looked at for children so far."""


class Priming:
    """Lowers the thresholds of what recent changes touch."""

    def __init__(self, steps: int, false_alarms_per_month: float) -> None:
        self.steps = steps
        self.budget = BUDGET_SHARE * max(false_alarms_per_month, 1e-6)
        self._waiting: list[tuple[int, dict[str, str | list[str]]]] = []
        self._active: list[_Primed] = []
        self._times: list[int] = []
        self._named: list[Named] = []
        self._fresh = True
        """Whether thresholds were set, or a change came, since they were last lowered."""

    def note(self, change: Change) -> None:
        """Take in a change; one of the future waits for its time."""
        at, scope = to_ms(change.time), dict(change.scope)
        self._waiting.append((at, scope))
        named = _named(scope)
        if named:
            self._named.append(Named(at, named))

    def named(self, since_ms: int, until_ms: int) -> list[Named]:
        """Return whom the changes that were made in a time name; those for everyone name nobody."""
        return [each for each in self._named if since_ms <= each.at_ms <= until_ms]

    def renew(self) -> None:
        """Lower the thresholds anew at the next tick: the budget has set them."""
        self._fresh = True

    def begin_hour(self, index: CohortIndex, now_ms: int) -> None:
        """Look which cohorts that are new are children of those that changes name."""
        self.renew()
        for primed in self._active:
            fresh = _children(primed.named, index, primed.looked_at)
            primed.children = np.concatenate([primed.children, fresh])
            primed.looked_at = len(index)
        self._times = [at for at in self._times if at > now_ms - MEMORY_DAYS * DAY_MS]
        self._named = [each for each in self._named if each.at_ms > now_ms - KEPT_MS]

    def apply(self, evidence: Evidence, index: CohortIndex, now_ms: int) -> None:
        """Lower the thresholds in force; the budget's own ones come back every hour."""
        self._fresh |= self._start(index, now_ms)
        self._active = [primed for primed in self._active if primed.until_ms > now_ms]
        if not self._fresh:
            return
        self._fresh = False
        for primed in self._active:
            exact = [index.find(values) for values in primed.named]
            rows = np.array([row for row in exact if row > EVERYONE_ID], dtype=np.int64)
            for found, limit in ((primed.children, primed.limits[1]), (rows, primed.limits[0])):
                present = evidence.limit[: self.steps, found]
                lowered = np.where(np.isfinite(present), np.minimum(present, limit), present)
                evidence.set_limit((slice(self.steps), found), lowered)

    def _start(self, index: CohortIndex, now_ms: int) -> bool:
        """Begin to watch what changes name whose time has come; tell whether there were any."""
        if not self._waiting:
            return False
        due = [(at, scope) for at, scope in self._waiting if at <= now_ms]
        self._waiting = [
            (at, scope) for at, scope in self._waiting if now_ms < at <= now_ms + FAR_AHEAD_MS
        ]
        for at, scope in due:
            self._times.append(at)
            named = _named(scope)
            if now_ms - at < WATCHED_MS and named:
                children = _children(named, index, 0)
                limits = self._limits(len(named), len(children), now_ms)
                until_ms = at + WATCHED_MS
                self._active.append(_Primed(until_ms, named, limits, children, len(index)))
        return bool(due)

    def _limits(self, named: int, children: int, now_ms: int) -> tuple[float, float]:
        recent = sum(1 for at in self._times if at > now_ms - MEMORY_DAYS * DAY_MS)
        changes = max(FEWEST_CHANGES, recent * MONTH_DAYS / MEMORY_DAYS)
        each = self.budget / changes / self.steps
        exact = math.log(named / (EXACT_SHARE * each)) + CROSSINGS
        below = math.log(max(children, 1) / ((1 - EXACT_SHARE) * each)) + CROSSINGS
        return exact, below


def _named(scope: dict[str, str | list[str]]) -> tuple[dict[str, str], ...]:
    """Return the cohorts a scope names; none for everyone, or for too many to be told apart."""
    values = [[value] if isinstance(value, str) else value for value in scope.values()]
    if not values or len(values) > 3 or math.prod(map(len, values)) > MOST_COHORTS:
        return ()
    return tuple(dict(zip(scope, each, strict=True)) for each in product(*values))


def _children(named: tuple[dict[str, str], ...], index: CohortIndex, start: int) -> Ints:
    """Return the rows, from ``start``, of cohorts with one value more than one of those named."""
    one_more = (index.parts(start) > 0).sum(axis=1) == len(named[0]) + 1
    inside = np.any([index.within(values, start) for values in named], axis=0)
    return np.flatnonzero(inside & one_more) + start
