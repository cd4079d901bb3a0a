"""Tries playbooks without doing anything: their own examples, and a change given by hand."""

from collections.abc import Iterator, Mapping
from typing import Any

from playbooks.choice import calls_for, names_of_example, risk_of
from playbooks.expressions import holds, render
from playbooks.model import Example, Playbook
from playbooks.registry import AnyAction
from recoup.domain.base import Frozen
from recoup.domain.errors import InvalidInput
from recoup.domain.proposals import ActionCall, ActionPreview


class Trial(Frozen):
    """What a playbook would come to for one change.

    ``previews`` and ``refused`` are what the vendors said to it, when they were asked.
    """

    playbook: str
    applies: bool
    title: str = ""
    risk: str = ""
    calls: tuple[ActionCall, ...] = ()
    previews: tuple[ActionPreview, ...] = ()
    refused: str = ""


def try_out(
    playbook: Playbook,
    actions: Mapping[str, AnyAction],
    change: Mapping[str, Any],
    incident: Mapping[str, Any] | None = None,
) -> Trial:
    """Return what the playbook would come to; reads and changes nothing outside.

    Raises InvalidInput when a condition, a template or a parameter does not work out.
    """
    names = names_of_example(change, incident or {})
    if not holds(playbook.when, names):
        return Trial(playbook=playbook.name, applies=False)
    return Trial(
        playbook=playbook.name,
        applies=True,
        title=str(render(playbook.title, names)),
        risk=risk_of(playbook, names),
        calls=calls_for(playbook, names, actions, "trial"),
    )


def problems(playbook: Playbook, actions: Mapping[str, AnyAction]) -> Iterator[str]:
    """Yield what is wrong with the playbook's examples, one sentence each."""
    for example in playbook.examples:
        for problem in _problems_of(playbook, actions, example):
            yield f"{playbook.name}: example {example.name!r}: {problem}"


def _problems_of(
    playbook: Playbook, actions: Mapping[str, AnyAction], example: Example
) -> Iterator[str]:
    try:
        trial = try_out(playbook, actions, example.change, example.incident)
    except (InvalidInput, ValueError) as error:
        yield str(error)
        return
    if trial.applies != example.applies:
        yield f"applies is {trial.applies}, expected {example.applies}"
        return
    for name in ("title", "risk"):
        wanted, found = getattr(example, name), getattr(trial, name)
        if wanted is not None and wanted != found:
            yield f"{name} is {found!r}, expected {wanted!r}"
    if example.actions is not None:
        yield from _compare_actions(example, trial, actions)


def _compare_actions(
    example: Example, trial: Trial, actions: Mapping[str, AnyAction]
) -> Iterator[str]:
    wanted = [
        (spec.action, actions[spec.action].Params.model_validate(spec.params).model_dump())
        for spec in example.actions or ()
    ]
    found = [(call.action, call.params) for call in trial.calls]
    if wanted != found:
        yield f"the actions are {found}, expected {wanted}"
