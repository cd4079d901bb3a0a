"""Records the histories that test_histories.py replays.

Usage: python -m tests.workflows.record_histories [NAME ...]

Record a new file when the workflow gets a new path; never record an old one again: the stored ones
stand for the incidents that are open while a new version is rolled out.
"""

import asyncio
import json
import sys
import sysconfig
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from recoup.domain.hypotheses import UNKNOWN_CAUSE
from recoup.domain.proposals import Verdict
from recoup.domain.verification import RecoveryVerdict
from tests.workflows.conftest import Response, responding
from tests.workflows.ports import START, World
from workflows.messages import CohortBack

FOLDER = Path(__file__).parent / "histories"


async def recovered(_world: World, response: Response) -> None:
    await response.say(Verdict.APPROVE, await response.asked())


async def next_hypothesis(world: World, response: Response) -> None:
    await response.say(Verdict.APPROVE, await response.asked())
    await response.say(Verdict.APPROVE, await response.asked(2, skip_s=30))


async def rejected(_world: World, response: Response) -> None:
    await response.say(Verdict.REJECT, await response.asked(), reason="known")


async def false_positive(_world: World, response: Response) -> None:
    await response.asked()
    await response.say(Verdict.FALSE_POSITIVE, reason="a rehearsal")


async def escalated(_world: World, _response: Response) -> None:
    return


async def moved(world: World, response: Response) -> None:
    first = await response.asked()
    world.flags.set("new_payment", on=True, version=8)
    await response.say(Verdict.APPROVE, first)
    await response.say(Verdict.APPROVE, await response.asked(2))


async def on_its_own(_world: World, response: Response) -> None:
    await response.asked()
    await response.handle.signal("cohort_back", CohortBack(position=99, at=START))


async def vendor_review(world: World, response: Response) -> None:
    """The vendor wants its own approval: asked for, pending once, then given."""
    await response.say(Verdict.APPROVE, await response.asked())


async def reminded(world: World, response: Response) -> None:
    first = await response.asked()
    await response.until(lambda: "approval.reminded" in world.log.names(), skip_s=60)
    await response.say(Verdict.APPROVE, first)


async def ranked_again(world: World, response: Response) -> None:
    """More trials turn the order round; the first proposal is withdrawn."""
    await response.asked()
    await response.say(Verdict.APPROVE, await response.asked(2, skip_s=60))


POLICIES: dict[str, dict[str, Any]] = {"reminded": {"remind_before_s": 600}}
"""Where a story needs other settings than the defaults."""

STORIES: dict[str, Callable[[World, Response], Awaitable[None]]] = {
    "recovered": recovered,
    "next_hypothesis": next_hypothesis,
    "rejected": rejected,
    "false_positive": false_positive,
    "escalated": escalated,
    "moved": moved,
    "on_its_own": on_its_own,
    "reminded": reminded,
    "vendor_review": vendor_review,
    "ranked_again": ranked_again,
}


def world_of(name: str) -> World:
    world = World()
    if name == "vendor_review":
        world.flags.reviews = ["pending", "applied"]
    if name == "ranked_again":
        world.flags.set("other", on=True)
        world.add_change("chg_other", {"action": "flag_rollback", "flag": "other"})
        world.analyst.rankings = [
            [("chg_flag", 0.5), ("chg_other", 0.4)],
            [("chg_other", 0.8), ("chg_flag", 0.1)],
        ]
    if name == "next_hypothesis":
        world.flags.set("other", on=True)
        world.add_change("chg_other", {"action": "flag_rollback", "flag": "other"})
        world.analyst.rankings = [[("chg_flag", 0.6), ("chg_other", 0.3), (UNKNOWN_CAUSE, 0.1)]]
        world.analyst.verdicts = [RecoveryVerdict.NOT_RECOVERED, RecoveryVerdict.RECOVERED]
    return world


async def record(name: str) -> None:
    binary = Path(sysconfig.get_path("scripts")) / "temporal-test-server"
    async with await WorkflowEnvironment.start_time_skipping(
        data_converter=pydantic_data_converter, test_server_existing_path=str(binary)
    ) as environment:
        world = world_of(name)
        async with responding(environment, world, **POLICIES.get(name, {})) as response:
            await STORIES[name](world, response)
            await response.end()
            history = await response.handle.fetch_history()
    story = without_origin(json.loads(history.to_json()))
    (FOLDER / f"{name}.json").write_text(json.dumps(story, separators=(",", ":")) + "\n")


def without_origin(value: Any) -> Any:
    """Leave out where it was recorded: the process, its host and its paths."""
    if isinstance(value, dict):
        return {
            key: without_origin(part)
            for key, part in value.items()
            if key not in ("identity", "stackTrace")
        }
    return [without_origin(part) for part in value] if isinstance(value, list) else value


if __name__ == "__main__":
    for chosen in sys.argv[1:] or STORIES:
        asyncio.run(record(chosen))
