"""What must hold after any fault: nothing lost, nothing twice, nothing half done in silence."""

from collections import Counter
from dataclasses import dataclass, field

from recoup.domain.facts import (
    ActionApplied,
    ActionFailed,
    ActionStarted,
    ActionUndone,
    DecisionTaken,
    IncidentClosed,
    Recorded,
    Resolution,
)
from tests.faults.stage import Stage

ENDINGS = {
    "simple": {Resolution.RECOVERED},
    "next": {Resolution.RECOVERED},
    "reject": {Resolution.REJECTED},
    "false": {Resolution.FALSE_POSITIVE},
    "silent": {Resolution.ESCALATED},
}
FLAGS_LEFT_ON = {"simple": (False, True), "next": (True, False)}


@dataclass
class Judgement:
    """What is wrong with one incident after its fault; empty when all is well."""

    incident_id: str
    point: str
    kind: str
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    half_done: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Say it in one line."""
        wrong = "; ".join([*self.lost, *self.twice, *self.half_done])
        return f"{self.kind} at {self.point} ({self.incident_id}): {wrong or 'well'}"


def judge(stage: Stage, incident_id: str, point: str, kind: str, *, ended: bool) -> Judgement:
    """Compare an incident's facts with what reached the vendors."""
    found = Judgement(incident_id, point, kind)
    story = incident_id.split("_")[0]
    facts = stage.store.read_stream(incident_id)
    _judge_end(found, facts, story, ended=ended)
    _judge_actions(found, facts, stage)
    expected = FLAGS_LEFT_ON.get(story, (True, True))
    left = tuple(stage.is_on(f"{incident_id}.{letter}") for letter in "ab")
    if left != expected:
        found.half_done.append(f"flags were left {left}, not {expected}")
    return found


def _judge_end(found: Judgement, facts: list[Recorded], story: str, *, ended: bool) -> None:
    closed = [each.fact for each in facts if isinstance(each.fact, IncidentClosed)]
    names = [each.fact.type_name for each in facts]
    if not ended or not closed:
        found.lost.append(f"it never ended; facts: {names}")
        return
    if closed[0].resolution not in ENDINGS[story]:
        found.lost.append(f"it ended as {closed[0].resolution}; facts: {names}")
    ids = Counter(each.fact_id for each in facts)
    found.twice += [f"fact {name} twice" for name, count in ids.items() if count > 1]
    decided = Counter(
        each.fact.decision.proposal_id
        for each in facts
        if isinstance(each.fact, DecisionTaken) and each.fact.accepted
    )
    found.twice += [f"{name} decided twice" for name, count in decided.items() if count > 1]


def _judge_actions(found: Judgement, facts: list[Recorded], stage: Stage) -> None:
    """Every write at a vendor has exactly one fact, and every started action says how it ended."""
    started: dict[str, str] = {}
    writes: Counter[tuple[str, bool]] = Counter()
    ended: set[str] = set()
    for each in facts:
        fact = each.fact
        if isinstance(fact, ActionStarted):
            if fact.preview.key in started:
                found.twice.append(f"{fact.preview.key} was started twice")
            started[fact.preview.key] = fact.preview.target.rsplit("/", 1)[-1]
        elif isinstance(fact, ActionApplied):
            ended.add(fact.result.key)
            writes[started[fact.result.key], False] += 1
        elif isinstance(fact, ActionFailed):
            ended.add(fact.key)
        elif isinstance(fact, ActionUndone) and fact.restored:
            writes[started[fact.key], True] += 1
    found.half_done += [f"{key} was started and never ended" for key in set(started) - ended]
    seen = Counter(
        (flag, on) for flag, on in stage.writes() if flag.startswith(f"{found.incident_id}.")
    )
    found.twice += [f"{write} written {n} times" for write, n in seen.items() if n > 1]
    found.half_done += [f"{write} has no fact" for write in seen if not writes[write]]
    found.lost += [f"{write} is in the facts only" for write in writes if not seen[write]]
