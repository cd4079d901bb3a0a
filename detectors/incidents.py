"""Incidents as the engine keeps them while they are open: who is hit, and what is withheld."""

from dataclasses import dataclass, field

from detectors.trials import Floats, Matured
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
    onset_ms: int
    opened_ms: int
    severity: str
    evidence: Floats
    """Log evidence, by effect size, that the cohort has been ill by so much ever since."""

    strongest: float = 0.0
    """The most evidence that any of them had before the last tick."""

    recovered_ms: int = 0
    closed: bool = False
    accepted: bool = False
    """Called normal by people; whether it is a spell or the new normal, time will tell."""
    withheld: list[Matured] = field(default_factory=list)

    @property
    def suppresses(self) -> bool:
        """Tell whether this incident still explains what its cohort does."""
        return not self.recovered_ms

    def look(self, gains: Floats) -> bool:
        """Take in a tick's evidence for an illness of each size; tell when the cohort is back.

        At first an illness looks worse than it is. While one of any size explains all that came
        as well as any explained what came before, it goes on.
        """
        self.strongest = max(self.strongest, float(self.evidence.max()))
        self.evidence = self.evidence + gains
        return self.strongest - float(self.evidence.max()) >= RECOVERY_EVIDENCE
