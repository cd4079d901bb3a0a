"""Adding an action is one file: it is dropped in, found, proposed, approved, done and confirmed."""

from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

import playbooks.actions
from playbooks.loader import load_library
from playbooks.registry import shipped_actions
from recoup.domain.facts import ActionApplied, ActionConfirmed, Resolution
from recoup.domain.proposals import Verdict
from tests.workflows.conftest import responding, temporal  # noqa: F401 - a fixture
from tests.workflows.ports import World

ACTION = '''
"""Closes a shutter."""

from playbooks.action import Action
from recoup.domain.base import Frozen
from recoup.domain.proposals import ActionPreview, ActionResult

CLOSED = []


class ShutterParams(Frozen):
    name: str


class Shutter(Action[ShutterParams]):
    name = "shutter_close"
    title = "Close a shutter"
    Params = ShutterParams
    example = {"name": "east"}

    async def preview(self, params, context):
        return ActionPreview(
            key=context.key, action=self.name, target=f"shutter:{params.name}",
            summary=f"Close shutter {params.name}", before={"open": params.name not in CLOSED},
            after={"open": False},
        )

    async def apply(self, params, preview, context):
        CLOSED.append(params.name)
        return ActionResult(
            key=preview.key, action=self.name, target=preview.target, changed=True,
            state={"open": False},
        )

    async def verify(self, params, result, context):
        return params.name in CLOSED

    async def undo(self, params, preview, result, context):
        CLOSED.remove(params.name)
        return True
'''
PLAYBOOK = """\
name: shutters
title: "Close {{ change.undo.shutter }}"
when: change.undo.shutter
priority: 500
actions:
  - action: shutter_close
    params: {name: "{{ change.undo.shutter }}"}
"""


@pytest.fixture
def dropped_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "shutter_close.py").write_text(ACTION)
    (tmp_path / "shutters.yaml").write_text(PLAYBOOK)
    paths = [*playbooks.actions.__path__, str(tmp_path)]
    monkeypatch.setattr(playbooks.actions, "__path__", paths)
    shipped_actions.cache_clear()
    yield tmp_path
    shipped_actions.cache_clear()


async def test_an_action_dropped_in_runs_end_to_end(
    temporal: WorkflowEnvironment,  # noqa: F811 - the fixture
    dropped_in: Path,
) -> None:
    world = World()
    world.library = load_library(dropped_in)
    world.add_change("chg_flag", {"shutter": "east"})
    async with responding(temporal, world) as response:
        proposal = await response.asked()
        assert proposal.title == "Close east"
        await response.say(Verdict.APPROVE, proposal)
        outcome = await response.end()
    assert outcome.resolution is Resolution.RECOVERED
    [applied] = world.log.facts(ActionApplied)
    assert applied.result.target == "shutter:east"
    assert world.log.facts(ActionConfirmed)[0].holds
