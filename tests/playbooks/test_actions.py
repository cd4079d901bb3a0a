"""What every action promises, found by walking the registry; and what each does with its target."""

import sys
import types
from pathlib import Path
from typing import Any

import pytest

from playbooks.action import ActionContext
from playbooks.registry import AnyAction, collect, shipped_actions
from recoup.domain.errors import ConfigurationError, StateMoved, TransientVendorError
from recoup.domain.proposals import ActionPreview
from tests.workflows.ports import MemoryCampaigns, MemoryFlags, MemoryWebhooks, Misbehaving

PARAMS: dict[str, dict[str, Any]] = {
    "flag_rollback": {"project": "shop", "environment": "production", "flag": "new_payment"},
    "campaign_pause": {"campaign_id": "120"},
    "webhook_call": {
        "url": "https://shop.example/hook",
        "summary": "Disable it",
        "body": {"do": "disable"},
        "undo_body": {"do": "enable"},
    },
}
WITH_STATE = ("flag_rollback", "campaign_pause")


class Target:
    """The vendors, with one thing on each that can be acted upon."""

    def __init__(self) -> None:
        self.flags = MemoryFlags()
        self.flags.set("new_payment", on=True)
        self.campaigns = MemoryCampaigns()
        self.campaigns.set("120", active=True)
        self.webhooks = MemoryWebhooks()

    def context(self, *, attempted: bool = False) -> ActionContext:
        return ActionContext(
            flags=self.flags,
            campaigns=self.campaigns,
            webhooks=self.webhooks,
            incident_id="inc_1",
            key="act_1",
            attempted=attempted,
        )

    def vendor(self, name: str) -> Misbehaving:
        return {
            "flag_rollback": self.flags,
            "campaign_pause": self.campaigns,
            "webhook_call": self.webhooks,
        }[name]

    def state(self) -> tuple[object, ...]:
        return (self.flags.on("new_payment"), self.campaigns.campaigns["120"].active)

    def interfere(self) -> None:
        """Somebody else changes both, and changes them back the same way they were."""
        self.flags.set("new_payment", on=self.flags.on("new_payment"), version=40)
        active = not self.campaigns.campaigns["120"].active
        self.campaigns.set("120", active=active)


def prepared(name: str) -> tuple[AnyAction, Any, Target]:
    action = shipped_actions()[name]
    return action, action.Params.model_validate(PARAMS[name]), Target()


@pytest.fixture(params=sorted(shipped_actions()))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_action_is_tried_here() -> None:
    assert set(PARAMS) == set(shipped_actions())


async def test_a_preview_changes_nothing_and_says_something(name: str) -> None:
    action, params, target = prepared(name)
    before = target.state()
    preview = await action.preview(params, target.context())
    assert preview.summary
    assert preview.target
    assert preview.key == "act_1"
    assert target.state() == before
    assert target.vendor(name).writes == 0


async def test_it_acts_once_is_verified_and_is_taken_back(name: str) -> None:
    action, params, target = prepared(name)
    before = target.state()
    preview = await action.preview(params, target.context())
    result = await action.apply(params, preview, target.context())
    assert result.changed
    assert target.vendor(name).writes == 1
    assert await action.verify(params, result, target.context())
    assert await action.undo(params, preview, result, target.context())
    assert target.state() == before


async def test_a_lost_answer_is_made_good_without_acting_twice(name: str) -> None:
    action, params, target = prepared(name)
    preview = await action.preview(params, target.context())
    target.vendor(name).faults = ["after"]
    with pytest.raises(TransientVendorError):
        await action.apply(params, preview, target.context())
    result = await action.apply(params, preview, target.context(attempted=True))
    assert result.changed
    if name in WITH_STATE:
        assert target.vendor(name).writes == 1
    else:
        assert list(target.webhooks.acted) == ["act_1"]
    assert await action.undo(params, preview, result, target.context())


async def test_a_lost_answer_of_an_undo_is_made_good_too(name: str) -> None:
    action, params, target = prepared(name)
    before = target.state()
    preview = await action.preview(params, target.context())
    result = await action.apply(params, preview, target.context())
    target.vendor(name).faults = ["after"]
    with pytest.raises(TransientVendorError):
        await action.undo(params, preview, result, target.context())
    assert await action.undo(params, preview, result, target.context(attempted=True))
    assert target.state() == before


@pytest.mark.parametrize("stateful", WITH_STATE)
async def test_what_somebody_changed_meanwhile_is_left_alone(stateful: str) -> None:
    action, params, target = prepared(stateful)
    preview = await action.preview(params, target.context())
    changed = preview.model_copy(
        update={"before": {"on": True, "version": 3, "active": True, "raw_status": "IN_REVIEW"}}
    )
    with pytest.raises(StateMoved):
        await action.apply(params, changed, target.context())
    assert target.vendor(stateful).writes == 0


@pytest.mark.parametrize("stateful", WITH_STATE)
async def test_what_somebody_changed_since_is_not_undone(stateful: str) -> None:
    action, params, target = prepared(stateful)
    preview = await action.preview(params, target.context())
    result = await action.apply(params, preview, target.context())
    target.interfere()
    state = target.state()
    assert not await action.undo(params, preview, result, target.context())
    assert target.state() == state


@pytest.mark.parametrize("stateful", WITH_STATE)
async def test_what_was_so_already_is_neither_done_nor_undone(stateful: str) -> None:
    action, params, target = prepared(stateful)
    target.flags.set("new_payment", on=False)
    target.campaigns.set("120", active=False)
    preview: ActionPreview = await action.preview(params, target.context())
    assert "already" in preview.summary
    result = await action.apply(params, preview, target.context())
    assert not result.changed
    assert not await action.undo(params, preview, result, target.context())
    assert target.vendor(stateful).writes == 0


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
