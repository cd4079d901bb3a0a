"""Facts about what people teach: labels, labels taken back, alarms let pass for their sake."""

from typing import Literal

from recoup.domain.base import Moment
from recoup.domain.cohort import Cohort
from recoup.domain.fact_base import Fact
from recoup.domain.money import MoneyRange

Label = Literal["false_positive", "confirmed", "expected", "new_trend"]
"""What people call an incident."""


class FeedbackGiven(Fact):
    """A person said what an incident was; a false positive releases the withheld trials."""

    type_name = "feedback.given"
    incident_id: str
    label: Label
    by: str
    reason: str = ""


class FeedbackWithdrawn(Fact):
    """A person took back what was said of an incident; what was learned from it is unlearned."""

    type_name = "feedback.withdrawn"
    incident_id: str
    by: str
    reason: str = ""


class AlarmTolerated(Fact):
    """An alarm opened no incident, because people had called others like it normal."""

    type_name = "alarm.tolerated"
    metric: str
    cohort: Cohort
    direction: Literal["drop", "rise"]
    onset_at: Moment
    at: Moment
    expected: float
    observed: float
    at_risk_per_hour: MoneyRange
    like: tuple[str, ...]
