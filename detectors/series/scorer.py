"""The online score of a series: the rarest of several views, told once and not again at once."""

import math
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from detectors.series.rarity import Rarity
from detectors.series.views import LevelView, QuietView, SeasonView, StepView

DAY_S = 86_400
FEWEST_SLOTS, MOST_SLOTS = 12, 2_000
LEARNING_ROWS = 120
LEAST = 4.6
"""A peak is rarer than one row in a hundred."""

REST_SHARE = 0.06
LEAST_REST = 20
HEIGHT = 0.15
HIGHEST = 60.0
SCALE = 8.0
ALARM = 0.6


class Scored(NamedTuple):
    """The score of a row: 0 to 1, higher is worse, and whether it is an alarm."""

    anomaly_score: float
    alarm: bool


@dataclass
class SeriesScorer:
    """Feed it rows in order of time; each is scored by the rows before it.

    ``spacing_s`` is the usual time between rows; it decides how the day is cut into slots.
    """

    spacing_s: float
    rows: int = 0
    _peaks: list[float] = field(default_factory=list)
    _told: float = 0.0
    _told_at: int = -1
    _views: list[LevelView | StepView | QuietView] = field(init=False)
    _season: SeasonView | None = field(init=False)
    _rarities: list[Rarity] = field(init=False)

    def __post_init__(self) -> None:
        slots = round(DAY_S / self.spacing_s) if self.spacing_s > 0 else 0
        self._season = SeasonView(slots) if FEWEST_SLOTS <= slots <= MOST_SLOTS else None
        self._views = [LevelView(1000), LevelView(60), StepView(8), StepView(40), QuietView(24)]
        self._rarities = [Rarity(2000) for _ in range(len(self._views) + 1)]

    def take(self, time_s: float, value: float) -> Scored:
        """Score a row. A value that is not a number is scored 0 and not learned."""
        self.rows += 1
        if not math.isfinite(value):
            return Scored(0.0, False)
        deviations = [view.look(value) for view in self._views]
        if self._season is not None:
            slot = int(time_s % DAY_S / DAY_S * self._season.slots) % self._season.slots
            deviations.append(self._season.look(value, slot))
        rare = [rarity.rate(d) for rarity, d in zip(self._rarities, deviations, strict=False)]
        if self.rows <= LEARNING_ROWS:
            return Scored(0.0, False)
        return self._tell(_joined(rare))

    def _tell(self, rare: float) -> Scored:
        """Tell a peak once; what follows it must be rarer than its fading echo.

        The score says how seldom this series had such a peak, so that one threshold suits series
        of any unit and temper; how far it stands out adds a little.
        """
        rest = max(LEAST_REST, REST_SHARE * self.rows)
        echo = 0.0
        if self._told_at >= 0:
            echo = self._told * math.exp(-(self.rows - self._told_at) / rest)
        if rare <= max(echo, LEAST):
            return Scored(0.0, False)
        as_high = len(self._peaks) - bisect_left(self._peaks, rare)
        insort(self._peaks, rare)
        self._told, self._told_at = rare, self.rows
        seldom = math.log((self.rows + 1) / (as_high + 1))
        score = 1.0 - math.exp(-(seldom + HEIGHT * min(rare, HIGHEST)) / SCALE)
        return Scored(score, score >= ALARM)


def _joined(rare: Sequence[float]) -> float:
    """Return the rarest view, a little more when others agree."""
    ordered = sorted(rare, reverse=True)
    return ordered[0] + 0.3 * sum(ordered[1:3]) - math.log(len(ordered))


def score_rows(rows: Sequence[tuple[float, float]]) -> Iterator[Scored]:
    """Score rows of time (Unix seconds) and value; the spacing is that of the first rows."""
    first = [b[0] - a[0] for a, b in pairwise(rows[:51])]
    gaps = sorted(gap for gap in first if gap > 0)
    scorer = SeriesScorer(gaps[len(gaps) // 2] if gaps else 0.0)
    for time_s, value in rows:
        yield scorer.take(time_s, value)
