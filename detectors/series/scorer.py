"""The online score of a series: the rarest of several views, told once and not again at once."""

import math
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple, Protocol

from detectors.series.composition import CompositionView
from detectors.series.likeness import LikenessView
from detectors.series.rarity import Rarity
from detectors.series.views import (
    LevelView,
    QuietView,
    SeasonView,
    StepView,
    SurpriseView,
    WobbleView,
)

DAY_S = 86_400
FEWEST_SLOTS, MOST_SLOTS = 12, 2_000
LEARNING_ROWS = 120
REMEMBERED = 2_000

MOST_OF_A_VIEW = 15.0
"""No view alone can say more than this, in nats: what several see is worth more."""

LENGTHS = (52, 208)
NEW = 8.0
"""A composition never seen before says so only once; that counts for as much as several views."""

AGREEING = 5.5
"""Peaks are told in units of so many views that see them alike."""

LEAST = 5.0
APART = 10
"""Rare rows this close are one event."""

ALIKE = 0.7
REST_SHARE = 0.12
"""After a peak the series rests for this share of the rows so far, ever less deeply."""

LEAST_REST = 20
SELDOM = 1.3
HEIGHT = 0.3
HIGHEST = 20.0
SCALE = 16.0
ALARM = 0.58


class View(Protocol):
    """One way to look at a series."""

    def look(self, value: float) -> float:
        """Return how far a value is from what the past lets expect, then take it in."""
        ...


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
    _heights: list[float] = field(default_factory=list)
    """How high each event of the past was, sorted; an event is a run of rare rows."""
    _present: float = 0.0
    _present_at: int = -APART
    _told: float = 0.0
    _told_at: int = -1
    _views: list[View] = field(init=False)
    _season: SeasonView | None = field(init=False)
    _rarities: list[Rarity] = field(init=False)
    _compositions: list[CompositionView] = field(init=False)

    def __post_init__(self) -> None:
        slots = round(DAY_S / self.spacing_s) if self.spacing_s > 0 else 0
        self._season = SeasonView(slots) if FEWEST_SLOTS <= slots <= MOST_SLOTS else None
        self._views = [
            LevelView(60),
            StepView(8),
            StepView(40),
            QuietView(24),
            SurpriseView(1),
            WobbleView(30),
            LikenessView(4, 1500),
            LikenessView(12, 1500),
        ]
        self._rarities = [Rarity(REMEMBERED) for _ in range(len(self._views) + 1)]
        self._compositions = [CompositionView(length) for length in LENGTHS]

    def take(self, time_s: float, value: float) -> Scored:
        """Score a row. A value that is not a number is scored 0 and not learned."""
        self.rows += 1
        if not math.isfinite(value):
            return Scored(0.0, False)
        deviations = [view.look(value) for view in self._views]
        if self._season is not None:
            slot = int(time_s % DAY_S / DAY_S * self._season.slots) % self._season.slots
            deviations.append(self._season.look(value, slot))
        rare = sum(
            min(rarity.rate(deviation), MOST_OF_A_VIEW)
            for rarity, deviation in zip(self._rarities, deviations, strict=False)
        )
        rare += NEW * sum(each.rate(value) for each in self._compositions)
        if self.rows <= LEARNING_ROWS:
            return Scored(0.0, False)
        return self._tell(rare / AGREEING)

    def _tell(self, rare: float) -> Scored:
        """Tell a peak once; what follows it must be rarer than its fading echo.

        The score says how seldom this series had such a peak, so that one threshold suits series
        of any unit and temper; how far it stands out adds a little.
        """
        if rare <= LEAST:
            return Scored(0.0, False)
        alike = self._note(rare)
        rest = max(LEAST_REST, REST_SHARE * self.rows)
        echo = 0.0
        if self._told_at >= 0:
            echo = self._told * math.exp(-(self.rows - self._told_at) / rest)
        if rare <= echo:
            return Scored(0.0, False)
        self._told, self._told_at = rare, self.rows
        seldom = SELDOM * math.log(self.rows + 1) - math.log(alike + 1)
        score = 1.0 - math.exp(-(max(seldom, 0.0) + HEIGHT * min(rare, HIGHEST)) / SCALE)
        return Scored(score, score >= ALARM)

    def _note(self, rare: float) -> int:
        """Take a rare row into its event; return how many earlier events were about as high."""
        if self.rows - self._present_at > APART:
            if self._present:
                insort(self._heights, self._present)
            self._present = 0.0
        self._present, self._present_at = max(self._present, rare), self.rows
        return len(self._heights) - bisect_left(self._heights, ALIKE * rare)


def score_rows(rows: Sequence[tuple[float, float]]) -> Iterator[Scored]:
    """Score rows of time (Unix seconds) and value; the spacing is that of the first rows."""
    first = [b[0] - a[0] for a, b in pairwise(rows[:51])]
    gaps = sorted(gap for gap in first if gap > 0)
    scorer = SeriesScorer(gaps[len(gaps) // 2] if gaps else 0.0)
    for time_s, value in rows:
        yield scorer.take(time_s, value)
