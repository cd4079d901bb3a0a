"""How far a playbook is trusted: a ladder that it climbs by good outcomes and falls by a bad one.

Pure: the same facts in the same order give the same rungs. An outcome is good when the recovery
was proven, bad when it was not, when an action failed, or when people called the incident a false
positive after the playbook had acted, until they take that back. A rejection breaks a row of good
outcomes and costs nothing.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from recoup.domain.base import Frozen
from recoup.domain.facts import (
    ActionApplied,
    ActionFailed,
    DecisionTaken,
    Fact,
    FeedbackGiven,
    FeedbackWithdrawn,
    PlaybookHeld,
    ProposalMade,
    Recorded,
    VerificationConcluded,
)
from recoup.domain.proposals import Proposal, Rung, Verdict
from recoup.domain.verification import RecoveryVerdict

TRUST_FACTS: tuple[type[Fact], ...] = (
    ProposalMade,
    PlaybookHeld,
    DecisionTaken,
    ActionApplied,
    ActionFailed,
    VerificationConcluded,
    FeedbackGiven,
    FeedbackWithdrawn,
)
LADDER = tuple(Rung)


class Mark(StrEnum):
    """What one attempt of a playbook came to."""

    GOOD = "good"
    BAD = "bad"
    DECLINED = "declined"
    PARDONED = "pardoned"
    """The bad mark for the same reason counts no longer."""


class Marked(Frozen):
    """One mark on a playbook's card."""

    playbook: str
    incident_id: str
    mark: Mark
    why: str


class Ladder(Frozen):
    """Where a playbook starts, how far it may climb, and how many good outcomes a step takes."""

    start: Rung = Rung.APPROVE
    most: Rung = Rung.APPROVE
    promote_after: int = 5


class Standing(Frozen):
    """Where a playbook stands, and how it came there."""

    rung: Rung
    good: int = 0
    bad: int = 0
    declined: int = 0
    in_a_row: int = 0
    last: str = ""


class TrustFold:
    """Turns facts, in order, into marks; ``take`` may be called with more facts at any time."""

    def __init__(self) -> None:
        self._proposed: dict[str, Proposal] = {}
        self._acted: set[str] = set()
        self._held: dict[str, dict[str, str]] = {}
        self._blamed: dict[str, list[Marked]] = {}

    def take(self, entries: Iterable[Recorded]) -> list[Marked]:
        """Return the marks that these facts bring."""
        return [mark for entry in entries for mark in self._marks(entry.fact)]

    def _marks(self, fact: Fact) -> list[Marked]:
        if isinstance(fact, ProposalMade):
            self._proposed[fact.incident_id] = fact.proposal
            self._acted.discard(fact.incident_id)
        elif isinstance(fact, PlaybookHeld):
            self._held.setdefault(fact.incident_id, {})[fact.playbook] = fact.change_id
        elif isinstance(fact, ActionApplied):
            self._acted.add(fact.incident_id)
        elif isinstance(fact, ActionFailed) and fact.kind not in ("frozen", "state_moved"):
            return self._mark(fact.incident_id, Mark.BAD, f"{fact.action} failed")
        elif isinstance(fact, DecisionTaken) and fact.accepted:
            if fact.decision.verdict in (Verdict.REJECT, Verdict.OTHER_PLAYBOOK):
                return self._mark(fact.incident_id, Mark.DECLINED, "people wanted otherwise")
        elif isinstance(fact, FeedbackGiven) and fact.label == "false_positive":
            return self._blame(fact.incident_id)
        elif isinstance(fact, FeedbackWithdrawn):
            blamed = self._blamed.pop(fact.incident_id, [])
            return [each.model_copy(update={"mark": Mark.PARDONED}) for each in blamed]
        elif isinstance(fact, VerificationConcluded):
            return self._verified(fact)
        return []

    def _blame(self, incident_id: str) -> list[Marked]:
        if incident_id not in self._acted or incident_id in self._blamed:
            return []
        marks = self._mark(incident_id, Mark.BAD, "it acted on a false positive")
        self._blamed[incident_id] = marks
        return marks

    def _verified(self, fact: VerificationConcluded) -> list[Marked]:
        incident_id = fact.incident_id
        if fact.check.verdict is RecoveryVerdict.NOT_RECOVERED:
            return self._mark(incident_id, Mark.BAD, "it did not help")
        if fact.check.verdict is not RecoveryVerdict.RECOVERED:
            return []
        proven = self._proposed.get(incident_id)
        marks = self._mark(incident_id, Mark.GOOD, "the recovery was proven")
        for playbook, change_id in self._held.pop(incident_id, {}).items():
            right = proven is not None and proven.change_id == change_id
            mark = Mark.GOOD if right else Mark.BAD
            why = (
                "it would have taken the change that proved right"
                if right
                else ("it would have taken another change than the one that proved right")
            )
            marks.append(Marked(playbook=playbook, incident_id=incident_id, mark=mark, why=why))
        return marks

    def _mark(self, incident_id: str, mark: Mark, why: str) -> list[Marked]:
        proposal = self._proposed.get(incident_id)
        if proposal is None or not (proposal.calls or proposal.suggested):
            return []
        return [Marked(playbook=proposal.playbook, incident_id=incident_id, mark=mark, why=why)]


def standing_of(ladder: Ladder, marks: Iterable[Marked]) -> Standing:
    """Return where a playbook stands after its marks, the oldest first."""
    standing = Standing(rung=_lower(ladder.start, ladder.most))
    for mark in _in_force(marks):
        standing = _after(ladder, standing, mark)
    return standing


def _in_force(marks: Iterable[Marked]) -> list[Marked]:
    kept: list[Marked] = []
    for mark in marks:
        if mark.mark is not Mark.PARDONED:
            kept.append(mark)
            continue
        pardoned = mark.model_copy(update={"mark": Mark.BAD})
        if pardoned in kept:
            kept.remove(pardoned)
    return kept


def standings_of(ladders: Mapping[str, Ladder], marks: Iterable[Marked]) -> dict[str, Standing]:
    """Return where each playbook stands."""
    own: dict[str, list[Marked]] = {}
    for mark in marks:
        own.setdefault(mark.playbook, []).append(mark)
    return {name: standing_of(ladder, own.get(name, ())) for name, ladder in ladders.items()}


def _after(ladder: Ladder, standing: Standing, mark: Marked) -> Standing:
    last = f"{mark.mark.value} in {mark.incident_id}: {mark.why}"
    count = getattr(standing, mark.mark.value) + 1
    changes: dict[str, object] = {mark.mark.value: count, "last": last, "in_a_row": 0}
    place = LADDER.index(standing.rung)
    if mark.mark is Mark.BAD:
        # People allow each action on the rung `approve`; only what began below falls below it.
        floor = LADDER.index(_lower(ladder.start, Rung.APPROVE))
        changes["rung"] = LADDER[min(place, max(floor, place - 1))]
    elif mark.mark is Mark.GOOD:
        row = standing.in_a_row + 1
        may_climb = place < LADDER.index(ladder.most)
        if row >= ladder.promote_after and may_climb:
            changes["rung"] = LADDER[place + 1]
        else:
            changes["in_a_row"] = row
    return standing.model_copy(update=changes)


def _lower(one: Rung, other: Rung) -> Rung:
    return min(one, other, key=LADDER.index)
