"""Finds the actions: every module in ``playbooks.actions`` holds one Action class."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Mapping
from functools import cache
from types import ModuleType
from typing import Any

import playbooks.actions
from playbooks.action import Action
from recoup.domain.errors import ConfigurationError

AnyAction = Action[Any]


@cache
def shipped_actions() -> Mapping[str, AnyAction]:
    """Return the actions of this installation by name."""
    found = sorted(pkgutil.iter_modules(playbooks.actions.__path__), key=lambda each: each.name)
    prefix = playbooks.actions.__name__
    return collect(importlib.import_module(f"{prefix}.{each.name}") for each in found)


def collect(modules: Iterable[ModuleType]) -> dict[str, AnyAction]:
    """Return the actions of these modules by name.

    Raises ConfigurationError when a module holds none or several, or a name is taken: it names
    both files.
    """
    actions: dict[str, AnyAction] = {}
    files: dict[str, str] = {}
    for module in modules:
        action, file = _action_of(module), str(module.__file__)
        if action.name in actions:
            raise ConfigurationError(
                f"the action {action.name!r} is defined twice: in {files[action.name]} and {file}"
            )
        actions[action.name], files[action.name] = action, file
    return actions


def _action_of(module: ModuleType) -> AnyAction:
    classes = [
        member
        for _name, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, Action) and member.__module__ == module.__name__
    ]
    if len(classes) != 1:
        raise ConfigurationError(
            f"{module.__file__} must define exactly one Action, found {len(classes)}"
        )
    return classes[0]()
