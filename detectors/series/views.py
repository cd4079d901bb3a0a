"""Ways to look at a series: each turns a value into deviations from what the past lets expect."""

import math
from collections import deque
from dataclasses import dataclass, field

from river.stats import EWMean, EWVar, RollingQuantile

TINY = 1e-9
QUICK = 0.3


@dataclass
class LevelView:
    """How far a value is from the middle of a long window, in spreads of that window."""

    window: int
    _middle: RollingQuantile = field(init=False)
    _spread: RollingQuantile = field(init=False)

    def __post_init__(self) -> None:
        self._middle = RollingQuantile(0.5, self.window)
        self._spread = RollingQuantile(0.5, self.window)

    def look(self, value: float) -> float:
        """Return the deviation of a value from the past, then take it in."""
        middle = self._middle.get()
        distance = abs(value - (middle if middle is not None else value))
        spread = self._spread.get() or 0.0
        self._middle.update(value)
        self._spread.update(distance)
        return distance / (spread + TINY + 1e-3 * abs(middle or 0.0))


@dataclass
class StepView:
    """How far the mean of the latest rows is from the level before them: shifts, not spikes."""

    short: int
    _recent: deque[float] = field(init=False)
    _level: EWMean = field(init=False)
    _spread: EWVar = field(init=False)

    def __post_init__(self) -> None:
        self._recent = deque(maxlen=self.short)
        self._level = EWMean(1.0 / (8 * self.short))
        self._spread = EWVar(1.0 / (16 * self.short))

    def look(self, value: float) -> float:
        """Return the deviation of the latest mean, then take the value in."""
        if len(self._recent) == self.short:
            oldest = self._recent[0]
            self._level.update(oldest)
            self._spread.update(oldest)
        self._recent.append(value)
        level = self._level.get()
        if level is None or len(self._recent) < self.short:
            return 0.0
        mean = sum(self._recent) / self.short
        deviation = math.sqrt(max(self._spread.get() or 0.0, 0.0))
        return abs(mean - level) / (deviation + TINY + 1e-3 * abs(level))


@dataclass
class SeasonView:
    """How far a value is from the same time of day, after the level of the last day."""

    slots: int
    rate: float = 0.25
    _profile: list[float | None] = field(init=False)
    _level: EWMean = field(init=False)
    _spread: RollingQuantile = field(init=False)

    def __post_init__(self) -> None:
        self._profile = [None] * self.slots
        self._level = EWMean(1.0 / self.slots)
        self._spread = RollingQuantile(0.5, 4 * self.slots)

    def look(self, value: float, slot: int) -> float:
        """Return the deviation of a value at a slot of the day, then take it in."""
        known = self._profile[slot]
        if known is None:
            self._profile[slot] = value
            self._level.update(value)
            return 0.0
        distance = abs(value - known)
        spread = self._spread.get() or 0.0
        # A single odd day may move the profile by a bounded step only.
        step = (
            max(min(value - known, 4 * spread + TINY), -4 * spread - TINY)
            if spread
            else (value - known)
        )
        self._profile[slot] = known + self.rate * step
        self._spread.update(distance)
        return distance / (spread + TINY + 1e-3 * abs(known))


@dataclass
class SurpriseView:
    """How far values come from a quick level, on average over the latest rows."""

    short: int
    _level: float = math.nan
    _error: float = 0.0

    def look(self, value: float) -> float:
        """Take the value in and return the present mean error."""
        error = abs(value - self._level)
        if math.isnan(error):
            self._level = value
            return 0.0
        self._level += QUICK * (value - self._level)
        self._error += (error - self._error) / self.short
        return self._error


@dataclass
class WobbleView:
    """How widely the latest rows spread: the level may stay while the temper changes."""

    short: int
    _spread: EWVar = field(init=False)

    def __post_init__(self) -> None:
        self._spread = EWVar(2.0 / self.short)

    def look(self, value: float) -> float:
        """Take the value in and return the spread of the latest rows."""
        self._spread.update(value)
        return math.sqrt(max(self._spread.get() or 0.0, 0.0))


@dataclass
class QuietView:
    """How much calmer than usual the latest rows are: a sensor that hangs moves no more."""

    short: int
    _last: float | None = None
    _recent: deque[float] = field(init=False)
    _usual: RollingQuantile = field(init=False)

    def __post_init__(self) -> None:
        self._recent = deque(maxlen=self.short)
        self._usual = RollingQuantile(0.5, 40 * self.short)

    def look(self, value: float) -> float:
        """Return the log of usual over present movement, then take the value in."""
        move = abs(value - self._last) if self._last is not None else 0.0
        self._last = value
        self._recent.append(move)
        usual = self._usual.get() or 0.0
        self._usual.update(move)
        if len(self._recent) < self.short or usual <= 0:
            return 0.0
        present = sum(self._recent) / self.short
        return max(0.0, math.log((usual + TINY) / (present + 0.02 * usual + TINY)))
