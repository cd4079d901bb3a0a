"""What proved true: the outcome of each attempt, folded from the facts of all incidents."""

from collections.abc import Iterable, Mapping

from recoup.domain.base import Frozen
from recoup.domain.facts import (
    CausesRanked,
    DecisionTaken,
    Fact,
    ProposalMade,
    Recorded,
    VerificationConcluded,
)
from recoup.domain.hypotheses import UNKNOWN_CAUSE, Hypothesis
from recoup.domain.proposals import Proposal, Verdict
from recoup.domain.verification import RecoveryVerdict

OUTCOME_FACTS: tuple[type[Fact], ...] = (
    CausesRanked,
    ProposalMade,
    DecisionTaken,
    VerificationConcluded,
)


class Outcome(Frozen):
    """One attempt that came to a clear end.

    ``helped`` is the verdict of the recovery test; None when people preferred another playbook, so
    that nothing was proven. ``others`` are the hypotheses that were not tried, with their evidence.
    """

    incident_id: str
    playbook: str
    change_id: str
    helped: bool | None
    acted: bool
    tested: Hypothesis | None = None
    others: tuple[Hypothesis, ...] = ()


class OutcomeFold:
    """Turns facts, in order, into outcomes; ``take`` may be called with more facts at any time."""

    def __init__(self) -> None:
        self._ranked: dict[str, tuple[Hypothesis, ...]] = {}
        self._proposed: dict[str, Proposal] = {}

    def take(self, entries: Iterable[Recorded]) -> list[Outcome]:
        """Return the outcomes that these facts bring."""
        found: list[Outcome] = []
        for entry in entries:
            fact = entry.fact
            if isinstance(fact, CausesRanked):
                self._ranked[fact.incident_id] = fact.attribution.hypotheses
            elif isinstance(fact, ProposalMade):
                self._proposed[fact.incident_id] = fact.proposal
            elif isinstance(fact, DecisionTaken) and fact.accepted:
                if fact.decision.verdict is Verdict.OTHER_PLAYBOOK:
                    found += self._outcome(fact.incident_id, None)
            elif isinstance(fact, VerificationConcluded) and fact.check.verdict in _HELPED:
                found += self._outcome(fact.incident_id, _HELPED[fact.check.verdict])
        return found

    def _outcome(self, incident_id: str, helped: bool | None) -> list[Outcome]:
        proposal = self._proposed.get(incident_id)
        if proposal is None:
            return []
        ranked = self._ranked.get(incident_id, ())
        known = {each.change_id: each for each in ranked if each.change_id != UNKNOWN_CAUSE}
        tested = known.pop(proposal.change_id, None)
        return [
            Outcome(
                incident_id=incident_id,
                playbook=proposal.playbook,
                change_id=proposal.change_id,
                helped=helped,
                acted=bool(proposal.calls),
                tested=tested,
                others=tuple(known.values()),
            )
        ]


_HELPED: Mapping[RecoveryVerdict, bool] = {
    RecoveryVerdict.RECOVERED: True,
    RecoveryVerdict.NOT_RECOVERED: False,
}


class PlaybookRecord(Frozen):
    """How often a playbook helped and did not; ``passed_over`` counts when people chose another."""

    helped: int = 0
    failed: int = 0
    passed_over: int = 0

    @property
    def tested(self) -> int:
        """How often its recovery came to a verdict."""
        return self.helped + self.failed


def records_of(outcomes: Iterable[Outcome]) -> dict[str, PlaybookRecord]:
    """Return the record of each playbook that was tried or passed over."""
    found: dict[str, PlaybookRecord] = {}
    for each in outcomes:
        old = found.get(each.playbook, PlaybookRecord())
        found[each.playbook] = PlaybookRecord(
            helped=old.helped + (each.helped is True),
            failed=old.failed + (each.helped is False),
            passed_over=old.passed_over + (each.helped is None),
        )
    return found
