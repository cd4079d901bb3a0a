"""The proof of a recovery: a sequential test of the cohort against its baseline."""

from enum import StrEnum

from recoup.domain.base import Frozen, Moment
from recoup.domain.money import MoneyRange


class RecoveryVerdict(StrEnum):
    """What the test says so far; ``UNDECIDED`` means that it goes on."""

    RECOVERED = "recovered"
    NOT_RECOVERED = "not_recovered"
    INCONCLUSIVE = "inconclusive"
    NO_DATA = "no_data"
    UNDECIDED = "undecided"


class RecoveryCheck(Frozen):
    """One look at the cohort since the action.

    ``observed`` and ``expected`` are rates of the incident's metric; ``gap`` is
    ``observed / expected - 1`` with an always-valid interval ``gap_low`` to ``gap_high``.
    """

    verdict: RecoveryVerdict
    at: Moment
    since: Moment
    trials: int
    observed: float
    expected: float
    gap: float
    gap_low: float
    gap_high: float
    log_evidence: float = 0.0
    reason: str = ""
    recovered_per_hour: MoneyRange | None = None
    complement_trials: int = 0
    complement_gap: float = 0.0
    """How everybody outside the cohort did against their baseline; ``expected`` has it in it."""

    @property
    def summary(self) -> str:
        """The figures in a sentence."""
        return (
            f"{self.observed:.1%} where {self.expected:.1%} was expected, "
            f"after {self.trials:,} trials."
        )
