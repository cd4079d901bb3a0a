"""Possible causes of an incident, what speaks for and against each, and how sure we are."""

from pydantic import Field

from recoup.domain.base import Frozen, Moment
from recoup.domain.changes import ChangeKind
from recoup.domain.cohort import Cohort
from recoup.domain.money import Impact

UNKNOWN_CAUSE = "none_of_the_known_changes"
"""The ``change_id`` of the hypothesis that no recorded change did it."""


class Finding(Frozen):
    """One piece of evidence about one hypothesis.

    ``weight`` is its contribution to the log-odds: above zero speaks for the hypothesis, below
    against it. ``text`` is a plain sentence with its figures.
    """

    kind: str
    weight: float
    text: str


class Hypothesis(Frozen):
    """A change (or none of the known ones) as the cause, with its probability.

    ``features`` are the numbers behind the findings, kept so that outcomes can be learned from.
    """

    change_id: str
    kind: ChangeKind | None = None
    title: str = ""
    probability: float
    findings: tuple[Finding, ...] = ()
    indistinguishable_from: tuple[str, ...] = ()
    features: dict[str, float] = Field(default_factory=dict)


class CohortShare(Frozen):
    """How much one ``dimension=value`` adds to the relative shortfall (a mean SHAP value)."""

    dimension: str
    value: str
    contribution: float


class Onset(Frozen):
    """When it began: the likeliest moment by all that is known, and a 90 % interval."""

    at: Moment
    earliest: Moment
    latest: Moment


class Attribution(Frozen):
    """What an investigation found: who is hit, why, and what probably did it."""

    roots: tuple[Cohort, ...]
    hypotheses: tuple[Hypothesis, ...]
    shares: tuple[CohortShare, ...] = ()
    sentences: tuple[str, ...] = ()
    impact: Impact
    evidence_until: Moment
    onset: Onset | None = None
    """None in what was recorded before onsets were worked out with the causes."""

    @property
    def first(self) -> Hypothesis:
        """The most probable cause."""
        return self.hypotheses[0]
