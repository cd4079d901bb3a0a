"""Estimates with their uncertainty: a range, and a range of money."""

from recoup.domain.base import Frozen


class Range(Frozen):
    """An estimate with an interval; ``coverage`` is the probability the interval promises."""

    low: float
    mid: float
    high: float
    coverage: float = 0.9


class MoneyRange(Range):
    """An amount of money, in units of ``currency`` (not cents), with an interval."""

    currency: str = "EUR"

    def text(self) -> str:
        """``EUR 1,240 (980 to 1,510)``: for messages and pages."""
        return f"{self.currency} {self.mid:,.0f} ({self.low:,.0f} to {self.high:,.0f})"


class Impact(Frozen):
    """What an incident costs: per hour from now on, and so far since its onset."""

    at_risk_per_hour: MoneyRange
    lost_so_far: MoneyRange
    sessions_hit: int = 0
    orders_lost: Range = Range(low=0, mid=0, high=0)
