"""EWMA: hours whose smoothed distance from the same hour of earlier days is large."""

from detectors.layering.contract import SeriesLayer

WEIGHT = 0.3
DAYS = 7


class Ewma(SeriesLayer):
    """The control chart of Roberts (1959) over the distance from the mean of this hour of the day.

    >>> layer = Ewma()
    >>> calm = [layer.surprise(0.0, hour) for hour in range(48)]
    >>> layer.surprise(-2.0, 48)
    -0.6
    """

    name = "ewma"

    def __init__(self) -> None:
        self._past: dict[int, list[float]] = {}
        self._smooth = 0.0

    def surprise(self, value: float, hour: int) -> float | None:
        """Return the smoothed distance, low values negative."""
        past = self._past.setdefault(hour % 24, [])
        found = None
        if len(past) >= 2:
            off = value - sum(past) / len(past)
            self._smooth += WEIGHT * (off - self._smooth)
            found = self._smooth
        past.append(value)
        del past[:-DAYS]
        return found
