"""What a layer is: something that scores sessions, or something that scores hours of a series."""

from abc import ABC, abstractmethod
from typing import ClassVar

from detectors.trials import Floats


class Layer(ABC):
    """The common part: its name, as ``detect.layers`` has it."""

    name: ClassVar[str]
    needs: ClassVar[tuple[str, str] | None] = None
    """The package that it needs beyond the usual ones, and the extra that brings it."""


class SessionLayer(Layer):
    """Scores finished sessions by their features, which arrive scaled to about -5 to 5."""

    @abstractmethod
    def fit(self, rows: Floats) -> None:
        """Learn from a sample of recent sessions, n x F; called every few hours."""

    @abstractmethod
    def score(self, rows: Floats) -> Floats:
        """Return how odd each session is, higher is odder; only called after ``fit``."""

    def learn(self, rows: Floats) -> None:
        """Learn online from sessions that were scored; batch learners do nothing."""


class SeriesLayer(Layer):
    """Scores the hours of one series; there is one object for each series."""

    @abstractmethod
    def surprise(self, value: float, hour: int) -> float | None:
        """Return how far the value is from what was expected, then learn it; None while warming up.

        ``hour`` counts hours since 1970, so that ``hour % 24`` is the hour of the day.
        """
