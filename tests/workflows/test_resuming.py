"""A response goes on from its log: cut at every fact, each story ends as it did, nothing twice."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from activities.contracts import VerifyPlan
from activities.telling import NOBODY
from recoup.domain.facts import (
    ActionApplied,
    ActionFailed,
    ActionStarted,
    ActionUndone,
    ApprovalExpired,
    CohortRecovered,
    DecisionTaken,
    Escalated,
    FeedbackGiven,
    IncidentClosed,
    IncidentKind,
    NewFact,
    ProposalMade,
    Recorded,
    Resolution,
    ResponseResumed,
    Severity,
    VerificationConcluded,
    VerificationStarted,
)
from recoup.domain.hypotheses import UNKNOWN_CAUSE
from recoup.domain.incident import Status
from recoup.domain.proposals import ApprovalRule, Person, Proposal, Verdict
from recoup.domain.verification import RecoveryVerdict
from tests.workflows.conftest import ANNA, Response, responding, working
from tests.workflows.ports import INCIDENT, START, World, check
from tests.workflows.test_approvals import decide, proposal
from workflows.incident import IncidentWorkflow
from workflows.messages import Book, Phase, ResponsePolicy
from workflows.resuming import resumed

POLICY = ResponsePolicy(settle_s=1)
PRESSED = {
    "next": Verdict.APPROVE,
    "false": Verdict.FALSE_POSITIVE,
    "reject": Verdict.REJECT,
    "silent": None,
}


def world_of(story: str) -> World:
    """Two flags, of which the second did it in the story ``next``, else the first."""
    world = World()
    world.flags.set("other", on=True)
    world.add_change("chg_other", {"action": "flag_rollback", "flag": "other"})
    world.analyst.rankings = [[("chg_flag", 0.6), ("chg_other", 0.3), (UNKNOWN_CAUSE, 0.1)]]

    def verdict() -> RecoveryVerdict:
        if not world.flags.on("other"):
            return RecoveryVerdict.RECOVERED
        on = world.flags.on("new_payment")
        return RecoveryVerdict.UNDECIDED if on else RecoveryVerdict.NOT_RECOVERED

    world.analyst.verdicts = [verdict]
    return world


async def play(story: str, response: Response) -> None:
    """Press what the story wants until the incident has its report."""
    world, verdict = response.world, PRESSED[story]

    def over() -> bool:
        return bool(world.log.incident().report)

    for _ in range(400):
        incident = world.log.incident()
        waits = incident.status is Status.AWAITING_APPROVAL and not incident.resolution
        if waits and verdict is not None and incident.proposal is not None:
            proposal = incident.proposal
            await response.say(verdict, proposal, decision_id=f"click-{proposal.proposal_id}")
            await response.until(
                lambda was=incident.version: world.log.incident().version > was + 1
            )
        if over():
            await response.end()
            return
        await response.environment.sleep(20 if verdict else 600)
    raise AssertionError(world.log.names())


def writes(entries: Sequence[Recorded]) -> Counter[tuple[str, bool]]:
    """Return how often each flag was turned which way, as the facts say."""
    target: dict[str, str] = {}
    found: Counter[tuple[str, bool]] = Counter()
    for entry in entries:
        if isinstance(entry.fact, ActionStarted):
            target[entry.fact.preview.key] = entry.fact.preview.target.rsplit("/", 1)[-1]
        elif isinstance(entry.fact, ActionApplied):
            found[target[entry.fact.result.key], False] += 1
        elif isinstance(entry.fact, ActionUndone) and entry.fact.restored:
            found[target[entry.fact.key], True] += 1
    return found


def cut(story: str, entries: Sequence[Recorded], *, also: Recorded | None) -> World:
    """Return the world as it was after these facts; ``also`` was done but not written down."""
    world = world_of(story)
    world.log.entries = list(entries)
    done = [*entries, *([also] if also else [])]
    for flag, on in writes(done):
        world.flags.set(flag, on=on, version=7 + 1 + on)
    return world


async def go_on(story: str, environment: WorkflowEnvironment, world: World) -> None:
    """Open the incident again from its log, as the dispatcher does, and play on."""
    now = await environment.get_current_time()
    request = resumed(
        world.log.read_stream(INCIDENT), POLICY, no_plan, lambda moment: now + (moment - START)
    )
    assert request is not None
    version = world.log.incident().version
    fact = ResponseResumed(incident_id=INCIDENT, phase="")
    new = NewFact(fact_id=f"resumed:{version}", fact=fact, occurred_at=START)
    world.log.append(INCIDENT, [new])
    async with working(environment, world) as queue:
        handle = await environment.client.start_workflow(
            IncidentWorkflow.run, request, id=INCIDENT, task_queue=queue
        )
        await play(story, Response(environment, world, handle))


def no_plan(_proposal: object) -> VerifyPlan:
    return VerifyPlan()


@pytest.mark.parametrize("story", PRESSED)
async def test_cut_at_any_fact_the_story_ends_the_same(
    temporal: WorkflowEnvironment, story: str
) -> None:
    whole = world_of(story)
    async with responding(temporal, whole, settle_s=1) as response:
        await play(story, response)
    entries, ending = whole.log.entries, whole.log.incident().resolution
    first = next(e.position for e in entries if e.stream == INCIDENT)
    last = next(e.position for e in entries if isinstance(e.fact, IncidentClosed))
    for length in range(first, last):
        next_one = entries[length]
        unwritten = isinstance(next_one.fact, ActionApplied | ActionUndone)
        for also in [None, next_one] if unwritten else [None]:
            world = cut(story, entries[:length], also=also)
            await go_on(story, temporal, world)
            told = f"cut before {next_one.fact.type_name}, done already: {also is not None}"
            incident = world.log.incident()
            assert incident.resolution is ending, (told, world.log.names())
            assert writes(world.log.entries) == writes(entries), told
            done = writes([*entries[:length], *([also] if also else [])])
            assert world.flags.writes == (writes(entries) - done).total(), told
            ids = Counter(entry.fact_id for entry in world.log.entries)
            assert max(ids.values()) == 1, told


def read(world: World, *, pace: float = 1.0) -> Book:
    request = resumed(
        world.log.read_stream(INCIDENT), ResponsePolicy(pace=pace), no_plan, lambda moment: moment
    )
    assert request is not None
    assert request.book is not None
    return request.book


def asked(world: World, **approval: Any) -> Proposal:
    """Put a proposal into the log, as the response does."""
    number = 1 + len(world.log.facts(ProposalMade))
    made = proposal(number, ApprovalRule(**approval), f"nonce-{number}")
    made = made.model_copy(update={"incident_id": INCIDENT, "made_at": START})
    world.append(INCIDENT, f"proposal:{number}", ProposalMade(incident_id=INCIDENT, proposal=made))
    return made


def say(world: World, about: Proposal, verdict: Verdict, by: Person = ANNA, **more: object) -> None:
    said = decide(about, verdict, by, **more)
    taken = DecisionTaken(incident_id=INCIDENT, decision=said, accepted=True, answer="yes")
    world.append(INCIDENT, f"decision:{len(world.log.entries)}", taken)


def test_a_fresh_incident_begins_at_the_beginning() -> None:
    assert read(World()) == Book(
        cohort="os=iOS 16",
        severity=Severity.HIGH,
        last_position=world_position(World()),
        told_version=1,
    )


def world_position(world: World) -> int:
    return world.log.read_stream(INCIDENT)[-1].position


def test_a_closed_incident_is_not_gone_on_with() -> None:
    world = World()
    end = IncidentClosed(incident_id=INCIDENT, resolution=Resolution.NOTED, closed_at=START)
    world.append(INCIDENT, "closed", end)
    entries = world.log.read_stream(INCIDENT)
    assert resumed(entries, POLICY, no_plan, lambda moment: moment) is None


def test_one_yes_of_two_is_kept_and_the_same_click_is_known() -> None:
    world = World()
    made = asked(world, quorum=2, expires_after_s=1800)
    say(world, made, Verdict.APPROVE, decision_id="d1")
    book = read(world, pace=60.0)
    assert book.gate is not None
    assert (book.phase, book.gate.approvals) == (Phase.AWAITING_APPROVAL, ("anna",))
    assert book.gate.closes_at == START + timedelta(seconds=30), "timers run by the wall"
    assert book.answers["d1"].text == "yes"
    assert book.reconsider


def test_an_accepted_decision_counts_however_late_it_was_written_down() -> None:
    world = World()
    made = asked(world, expires_after_s=60)
    world.clock.advance(3600)
    say(world, made, Verdict.APPROVE)
    assert read(world).phase is Phase.EXECUTING


def test_a_rule_that_had_not_spoken_yet_speaks_after_all() -> None:
    world = World()
    asked(world, automatic=True)
    book = read(world)
    assert (book.phase, book.proposals) == (Phase.PROPOSING, 0)


def test_another_playbook_that_was_asked_for_is_prepared() -> None:
    world = World()
    say(world, asked(world), Verdict.OTHER_PLAYBOOK, playbook="notify_only")
    book = read(world)
    assert (book.phase, book.wanted_playbook) == (Phase.PROPOSING, "notify_only")
    assert (book.wanted_change, book.wanted_by) == ("chg", "anna")


def test_an_expiry_is_escalated_once_and_asked_again_once() -> None:
    world = World()
    for round_, phase in ((1, Phase.PROPOSING), (2, Phase.CLOSING)):
        expired = ApprovalExpired(incident_id=INCIDENT, proposal_id=asked(world).proposal_id)
        world.append(INCIDENT, f"expired:{round_}", expired)
        assert read(world).phase is Phase.ESCALATING
        told = Escalated(incident_id=INCIDENT, to="pager", reason="nobody decided")
        world.append(INCIDENT, f"escalated:{round_}", told)
        assert read(world).phase is phase
    assert read(world).ending is Resolution.ESCALATED


@pytest.mark.parametrize("moves", [1, 5, 6, 7])
def test_a_target_that_moves_for_ever_is_not_followed_for_ever(moves: int) -> None:
    world = World()
    for number in range(moves):
        say(world, asked(world), Verdict.APPROVE)
        failed = ActionFailed(
            incident_id=INCIDENT,
            proposal_id="inc:1",
            key="k",
            action="flag_set",
            kind="state_moved",
            reason="it moved",
        )
        world.append(INCIDENT, f"failed:{number}", failed)
    book = read(world)
    assert book.phase is Phase.UNDOING
    assert book.target_moved is (moves <= ResponsePolicy().most_moves)


def test_a_cohort_that_came_back_ends_it_unless_an_action_is_under_test() -> None:
    back = CohortRecovered(incident_id=INCIDENT, at=START, observed=0.5, expected=0.5)
    world = World()
    made = asked(world)
    approved = World()
    say(approved, asked(approved), Verdict.APPROVE)
    for each in (world, approved):
        each.append(INCIDENT, "back", back)
    assert read(world).ending is Resolution.RECOVERED_ON_ITS_OWN
    assert read(approved).ending is None
    say(world, made, Verdict.FALSE_POSITIVE, reason="late")
    assert read(world).ending is Resolution.RECOVERED_ON_ITS_OWN, "the first ending holds"


def test_what_only_looks_on_goes_on_looking_as_long_as_it_had_left() -> None:
    day = timedelta(seconds=ResponsePolicy().watch_for_s)
    lost_tracking = World(IncidentKind.DATA_QUALITY)
    shadow = World(shadow=True)
    shadow.clock.advance(60)
    asked(shadow)
    book = read(lost_tracking)
    assert (book.phase, book.watching_until) == (Phase.WATCHING, START + day)
    book = read(shadow)
    assert (book.phase, book.gate) == (Phase.WATCHING, None)
    assert book.watching_until == START + day + timedelta(minutes=1)
    given = FeedbackGiven(incident_id=INCIDENT, label="false_positive", by="anna", reason="sale")
    shadow.append(INCIDENT, "label", given)
    book = read(shadow)
    assert (book.phase, book.ending) == (Phase.WATCHING, Resolution.FALSE_POSITIVE)
    assert book.feedback_recorded


@pytest.mark.parametrize("verdict", [RecoveryVerdict.INCONCLUSIVE, RecoveryVerdict.NO_DATA])
def test_an_unproven_recovery_is_handed_over_and_stays_handed_over(
    verdict: RecoveryVerdict,
) -> None:
    world = World()
    say(world, asked(world), Verdict.APPROVE)
    begun = VerificationStarted(incident_id=INCIDENT, since=START)
    world.append(INCIDENT, "begun", begun)
    assert read(world).verifying_until == START + timedelta(seconds=7200 + 300)
    concluded = VerificationConcluded(incident_id=INCIDENT, check=check(verdict, START, START))
    world.append(INCIDENT, "concluded", concluded)
    assert read(world).phase is Phase.ESCALATING
    told = Escalated(incident_id=INCIDENT, to=NOBODY, reason="no proof")
    world.append(INCIDENT, "told", told)
    book = read(world)
    assert (book.phase, book.ending, book.paged) == (Phase.CLOSING, Resolution.ESCALATED, False)
