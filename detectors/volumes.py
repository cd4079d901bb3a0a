"""Volumes: does the stream of events itself go on? A silent shop makes no trials to fail."""

import math
from dataclasses import dataclass, field

from detectors.evidence_making import VolumeTick
from detectors.learners import VolumeLearner

RATIOS = (0.1, 0.02)
"""A volume is an alarm only where it falls far: traffic has moods that no profile knows."""

GAINS = tuple((math.log(ratio), 1 - ratio) for ratio in RATIOS)
"""What an event adds to the evidence for each of them, and what one adds that was expected."""


@dataclass
class VolumeWatch:
    """A mixture of Poisson CUSUMs over the number of events of one type in each tick."""

    metric: str
    learner: VolumeLearner = field(default_factory=VolumeLearner)
    score: list[float] = field(default_factory=lambda: [0.0] * len(RATIOS))
    left_zero: list[int] = field(default_factory=lambda: [0] * len(RATIOS))

    def take(self, start_ms: int, now_ms: int, count: float, *, learn: bool) -> VolumeTick:
        """Take in the count of the tick from ``start_ms`` to ``now_ms``."""
        expected = self.learner.expect(start_ms)
        surplus = self.learner.liveliness
        sure = self.learner.at_least(start_ms, expected)
        for effect, (log_ratio, lost) in enumerate(GAINS):
            grown = self.score[effect] + (count * log_ratio + sure * lost) / surplus
            if grown <= 0.0:
                grown = 0.0
                self.left_zero[effect] = now_ms
            self.score[effect] = grown
        if learn:
            self.learner.learn(start_ms, count, expected)
        return VolumeTick(self.metric, start_ms, count, expected, max(expected, 1.0) * surplus)

    def is_above(self, limit: float) -> bool:
        """Tell whether the evidence reaches a limit; it is never above that of its best effect."""
        return max(self.score) >= limit and self.statistic >= limit

    @property
    def statistic(self) -> float:
        """The log evidence of a fall: the mixture over effect sizes."""
        top = max(self.score)
        if top <= 0.0:
            return 0.0
        return top + math.log(sum(math.exp(each - top) for each in self.score) / len(RATIOS))

    @property
    def onset_ms(self) -> int:
        """When the strongest effect last left zero."""
        return self.left_zero[self.score.index(max(self.score))]

    def reset(self) -> None:
        """Start the test anew."""
        self.score = [0.0] * len(RATIOS)
