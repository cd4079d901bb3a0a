"""What every action promises, found by walking the registry; and what each does with its target."""

import sys
import types
from pathlib import Path
from typing import Any

import pytest

from playbooks.action import ActionContext, Controls
from playbooks.registry import AnyAction, collect, shipped_actions
from recoup.domain.errors import ConfigurationError, StateMoved, TransientVendorError
from recoup.domain.proposals import ActionPreview
from tests.workflows.ports import (
    MemoryCampaigns,
    MemoryFlags,
    MemoryReleases,
    MemoryWebhooks,
    Misbehaving,
)


class Target:
    """The vendors, with one thing on each that can be acted upon."""

    def __init__(self) -> None:
        self.flags = MemoryFlags()
        self.flags.set("new_payment", on=True)
        self.campaigns = MemoryCampaigns()
        self.campaigns.set("120", active=True)
        self.webhooks = MemoryWebhooks()
        self.releases = MemoryReleases()
        self.vendors: tuple[Misbehaving, ...] = (
            self.flags,
            self.campaigns,
            self.webhooks,
            self.releases,
        )

    def context(self, *, attempted: bool = False) -> ActionContext:
        controls = Controls(
            flags=self.flags,
            campaigns=self.campaigns,
            webhooks=self.webhooks,
            releases=self.releases,
        )
        return ActionContext(controls, incident_id="inc_1", key="act_1", attempted=attempted)

    @property
    def writes(self) -> int:
        return sum(each.writes for each in self.vendors)

    def lose_next_answer(self) -> None:
        for each in self.vendors:
            each.faults = ["after"]

    def state(self) -> tuple[object, ...]:
        flag = self.flags.flags["shop", "production", "new_payment"]
        campaign = self.campaigns.campaigns["120"]
        return (flag.on, flag.serving, campaign.active, self.releases.history[-1])

    def interfere(self) -> None:
        """Somebody else touches everything, and leaves it looking much as it was."""
        place = ("shop", "production", "new_payment")
        flag = self.flags.flags[place]
        self.flags.flags[place] = flag.model_copy(update={"version": flag.version + 7})
        campaign = self.campaigns.campaigns["120"]
        self.campaigns.campaigns["120"] = campaign.model_copy(update={"raw_status": "IN_REVIEW"})
        self.releases.history += ["v9", self.releases.history[-1]]


def prepared(name: str) -> tuple[AnyAction, Any, Target]:
    action = shipped_actions()[name]
    return action, action.Params.model_validate(action.example), Target()


@pytest.fixture(params=sorted(shipped_actions()))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_a_preview_changes_nothing_and_says_something(name: str) -> None:
    action, params, target = prepared(name)
    before = target.state()
    preview = await action.preview(params, target.context())
    assert preview.summary
    assert preview.target
    assert preview.key == "act_1"
    assert preview.reach >= 1
    assert target.state() == before
    assert target.writes == 0


async def test_it_acts_once_is_verified_and_is_taken_back(name: str) -> None:
    action, params, target = prepared(name)
    before = target.state()
    preview = await action.preview(params, target.context())
    result = await action.apply(params, preview, target.context())
    assert result.changed
    assert target.writes == 1
    assert await action.verify(params, result, target.context())
    assert await action.undo(params, preview, result, target.context())
    assert target.state() == before
    assert target.writes == 2


async def test_a_lost_answer_is_made_good_without_acting_twice(name: str) -> None:
    action, params, target = prepared(name)
    preview = await action.preview(params, target.context())
    target.lose_next_answer()
    with pytest.raises(TransientVendorError):
        await action.apply(params, preview, target.context())
    result = await action.apply(params, preview, target.context(attempted=True))
    assert result.changed
    if preview.before:
        assert target.writes == 1
        assert await action.took_effect(params, preview, target.context())
    else:
        assert list(target.webhooks.acted) == ["act_1"]
    for vendor in target.vendors:
        vendor.faults = []
    assert await action.undo(params, preview, result, target.context())


async def test_a_lost_answer_of_an_undo_is_made_good_too(name: str) -> None:
    action, params, target = prepared(name)
    before = target.state()
    preview = await action.preview(params, target.context())
    result = await action.apply(params, preview, target.context())
    target.lose_next_answer()
    with pytest.raises(TransientVendorError):
        await action.undo(params, preview, result, target.context())
    assert await action.undo(params, preview, result, target.context(attempted=True))
    assert target.state() == before


async def test_what_somebody_changed_meanwhile_is_left_alone(name: str) -> None:
    action, params, target = prepared(name)
    preview = await action.preview(params, target.context())
    if not preview.before:
        pytest.skip("there is no state to compare")
    target.interfere()
    with pytest.raises(StateMoved):
        await action.apply(params, preview, target.context())
    assert target.writes == 0


async def test_what_somebody_changed_since_is_not_undone(name: str) -> None:
    action, params, target = prepared(name)
    preview = await action.preview(params, target.context())
    if not preview.before:
        pytest.skip("there is no state to compare")
    result = await action.apply(params, preview, target.context())
    target.interfere()
    state = target.state()
    assert not await action.verify(params, result, target.context())
    assert not await action.undo(params, preview, result, target.context())
    assert target.state() == state
    assert target.writes == 1


async def test_what_was_so_already_is_neither_done_nor_undone(name: str) -> None:
    action, params, target = prepared(name)
    first: ActionPreview = await action.preview(params, target.context())
    if not first.before:
        pytest.skip("there is no state to compare")
    await action.apply(params, first, target.context())
    again = {**params.model_dump(), **({"to": "v1"} if "to" in type(params).model_fields else {})}
    params = action.Params.model_validate(again)
    preview = await action.preview(params, target.context())
    assert "already" in preview.summary
    result = await action.apply(params, preview, target.context())
    assert not result.changed
    assert not await action.undo(params, preview, result, target.context())
    assert target.writes == 1


def _module(name: str, path: Path, source: str) -> types.ModuleType:
    path.write_text(source)
    module = types.ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    exec(compile(source, str(path), "exec"), module.__dict__)
    return module


SOURCE = """
from playbooks.actions.flag_rollback import FlagRollback

class Mine(FlagRollback):
    name = "{name}"
"""


def test_an_action_is_one_file(tmp_path: Path) -> None:
    module = _module("own_action", tmp_path / "own_action.py", SOURCE.format(name="mine"))
    assert list(collect([module])) == ["mine"]


def test_two_actions_of_one_name_are_refused_naming_both_files(tmp_path: Path) -> None:
    modules = [
        _module(f"own_{each}", tmp_path / f"{each}.py", SOURCE.format(name="mine"))
        for each in ("one", "two")
    ]
    with pytest.raises(ConfigurationError, match=r"one\.py and .*two\.py"):
        collect(modules)


def test_a_file_without_an_action_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="exactly one Action, found 0"):
        collect([_module("own_none", tmp_path / "none.py", "X = 1")])
