"""What goes wrong, for whom, from when to when, how badly, and how it shows."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from recoup.demo.world.shop import HOUR, Flags, Floats, Ints
from recoup.domain.changes import ChangeKind

RAMP = 12 * HOUR
"""How long a slow leak takes to reach its full effect."""


@dataclass(frozen=True)
class Cause:
    """The change behind a fault: what is recorded of it, and how long before the onset."""

    kind: ChangeKind
    title: str
    scope: dict[str, str | list[str]]
    lead: int
    ref: str = ""
    undo: dict[str, Any] = field(default_factory=dict)
    later_steps: tuple[int, ...] = ()


@dataclass(frozen=True)
class Fault:
    """One fault or innocent disturbance; times are milliseconds from the start of the period.

    A fault with a ``step`` makes part of its successes fail. ``lost_type`` loses the beacons of one
    type instead, ``silent`` stops everything, and ``surge`` adds that many times the cohort's
    sessions. ``broken_by`` is a third party or a person that no change speaks of.
    """

    name: str
    kind: str
    cohort: dict[str, str]
    onset: int
    end: int
    effect: float
    step: str | None = None
    ramp: bool = False
    lost_type: str | None = None
    silent: bool = False
    surge: float = 0.0
    bots: bool = False
    shares: tuple[tuple[int, float], ...] = ()
    reason: str = ""
    script: str = ""
    slow: tuple[str, float] | None = None
    innocent: bool = False
    cause: Cause | None = None

    def active(self, at: Ints) -> Flags:
        """Tell which moments lie within the fault."""
        return np.asarray((at >= self.onset) & (at < self.end))

    def drop(self, at: Ints) -> Floats:
        """Return the share of successes that fail at each moment of the fault."""
        grown = np.clip((at - self.onset) / RAMP, 0, 1) if self.ramp else np.ones(len(at))
        return np.asarray(self.effect * grown)

    def until(self, end: int) -> "Fault":
        """Return the fault with another end."""
        return replace(self, end=end)
