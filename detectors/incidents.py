"""Incidents as the engine keeps them while they are open: who is hit, and what is withheld."""

from dataclasses import dataclass, field

from detectors.trials import Matured
from recoup.domain.cohort import Cohort

RECOVERY_EVIDENCE = 10.0


@dataclass
class OpenIncident:
    """One incident from its alarm until its cohort is back and people have closed it."""

    incident_id: str
    kind: str
    metric: str
    cohort: Cohort
    direction: str
    effect: int
    onset_ms: int
    opened_ms: int
    severity: str
    recovery: float = 0.0
    recovered_ms: int = 0
    closed: bool = False
    accepted: bool = False
    """Called normal by people; whether it is a spell or the new normal, time will tell."""
    withheld: list[Matured] = field(default_factory=list)

    @property
    def suppresses(self) -> bool:
        """Tell whether this incident still explains what its cohort does."""
        return not self.recovered_ms

    def look(self, gain: float) -> bool:
        """Take in one tick's evidence for the illness; tell when the cohort is back."""
        self.recovery = max(0.0, self.recovery - gain)
        return self.recovery >= RECOVERY_EVIDENCE
