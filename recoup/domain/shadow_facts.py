"""Facts about what looks on: candidates beside the live detector, and layers within one.

They have names of their own, so that nothing that listens for incidents ever hears of them: no
workflow starts, nobody is asked, no page counts them.
"""

from typing import Literal

from recoup.domain.base import Moment
from recoup.domain.cohort import Cohort
from recoup.domain.fact_base import Fact
from recoup.domain.money import MoneyRange


class ShadowIncidentOpened(Fact):
    """A candidate would have opened an incident; ``settings`` tells its versions apart."""

    type_name = "shadow.incident_opened"
    candidate: str
    settings: str
    incident_id: str
    kind: Literal["business", "data_quality", "traffic", "layer"]
    severity: Literal["critical", "high", "moderate", "low"]
    metric: str
    cohort: Cohort
    direction: Literal["drop", "rise"]
    onset_at: Moment
    opened_at: Moment
    expected: float
    observed: float
    trials: float
    at_risk_per_hour: MoneyRange


class ShadowIncidentUpdated(Fact):
    """A candidate's incident was told more sharply, or (with ``ended_at``) was over."""

    type_name = "shadow.incident_updated"
    candidate: str
    settings: str
    incident_id: str
    cohort: Cohort
    onset_at: Moment
    ended_at: Moment | None = None


class LayerAlarmed(Fact):
    """A layer found more odd sessions (or hours) in a cohort than usual, or (``ended_at``) no more.

    ``expected`` and ``observed`` are shares of what is odd since the onset. It opens no incident.
    """

    type_name = "layer.alarmed"
    alarm_id: str
    layer: str
    cohort: Cohort
    onset_at: Moment
    raised_at: Moment
    ended_at: Moment | None = None
    expected: float
    observed: float
    trials: int
    statistic: float
    threshold: float


SHADOW_FACTS = (ShadowIncidentOpened, ShadowIncidentUpdated, LayerAlarmed)
