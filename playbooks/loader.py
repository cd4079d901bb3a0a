"""Reads playbooks from YAML; every problem names file, line and, where it can, a suggestion."""

import difflib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from playbooks.expressions import check_expression, check_template
from playbooks.model import RISKS, ActionSpec, ApprovalSpec, Example, Playbook, VerifySpec
from playbooks.registry import AnyAction, shipped_actions
from recoup.domain.errors import InvalidInput, PlaybookInvalid

_FIELDS = {
    field
    for model in (Playbook, ActionSpec, ApprovalSpec, VerifySpec, Example)
    for field in model.model_fields
}


def load_library(
    directory: Path | None = None, actions: Mapping[str, AnyAction] | None = None
) -> dict[str, Playbook]:
    """Return the shipped playbooks, and those of ``directory``, which win over shipped names.

    Raises PlaybookInvalid for the first file that cannot be used.
    """
    known = shipped_actions() if actions is None else actions
    library = files("playbooks") / "library"
    shipped = sorted((each for each in library.iterdir() if each.name.endswith(".yaml")), key=str)
    found = _parse_all(((each.name, each.read_text()) for each in shipped), known)
    if directory is not None:
        own = sorted([*directory.glob("*.yaml"), *directory.glob("*.yml")])
        found |= _parse_all(((str(path), path.read_text()) for path in own), known)
    return found


def _parse_all(
    texts: Iterable[tuple[str, str]], actions: Mapping[str, AnyAction]
) -> dict[str, Playbook]:
    found: dict[str, Playbook] = {}
    places: dict[str, str] = {}
    for file, text in texts:
        playbook = parse(text, file, actions)
        if playbook.name in found:
            message = f"the name {playbook.name!r} is taken by {places[playbook.name]}"
            raise PlaybookInvalid(message, file=file, line=_line_of(_tree(text, file), ("name",)))
        found[playbook.name], places[playbook.name] = playbook, file
    return found


def parse(text: str, file: str, actions: Mapping[str, AnyAction]) -> Playbook:
    """Return the playbook that a file's text says. Raises PlaybookInvalid with file and line."""
    tree = _tree(text, file)
    try:
        playbook = Playbook.model_validate(_plain(tree))
    except ValidationError as error:
        raise _explain(error, tree, file) from error
    _check_texts(playbook, tree, file)
    _check_actions(playbook, tree, file, actions)
    return playbook


def _tree(text: str, file: str) -> CommentedMap:
    try:
        tree = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise PlaybookInvalid(f"not YAML: {error.problem}", file=file, line=line) from error
    except YAMLError as error:
        raise PlaybookInvalid(f"not YAML: {error}", file=file, line=1) from error
    if not isinstance(tree, CommentedMap):
        raise PlaybookInvalid("a playbook is a mapping with name, when, ...", file=file, line=1)
    return tree


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, bool) or value is None:
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return str(value)


def _line_of(tree: Any, path: Iterable[str | int]) -> int:
    """Return the line (from 1) of the deepest part of ``path`` that is in the file."""
    line = 1
    node = tree
    for part in path:
        try:
            if isinstance(node, CommentedMap):
                line = node.lc.key(part)[0] + 1
            elif isinstance(node, CommentedSeq):
                line = node.lc.item(part)[0] + 1
            node = node[part]
        except (KeyError, IndexError, TypeError):
            break
    return line


def _explain(error: ValidationError, tree: CommentedMap, file: str) -> PlaybookInvalid:
    # A misspelt name is also a missing one; the misspelling is what the author can see.
    found = error.errors(include_input=False, include_url=False)
    first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    path = [part for part in first["loc"] if isinstance(part, str | int)]
    name = ".".join(str(part) for part in path)
    suggestion = ""
    if first["type"] == "extra_forbidden":
        suggestion = _nearest(str(path[-1]), _FIELDS)
        message = f"{name}: there is no such field"
    elif first["type"] == "missing":
        message = f"{name}: is missing"
    else:
        message = f"{name}: {first['msg']}"
    return PlaybookInvalid(message, file=file, line=_line_of(tree, path), suggestion=suggestion)


def _nearest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, sorted(known), n=1)
    return f"did you mean {close[0]!r}?" if close else ""


def _check_texts(playbook: Playbook, tree: CommentedMap, file: str) -> None:
    def check(path: tuple[str | int, ...], value: Any) -> None:
        try:
            if path == ("when",):
                check_expression(value)
            else:
                check_template(value)
        except InvalidInput as error:
            raise PlaybookInvalid(
                f"{path[0]}: {error}", file=file, line=_line_of(tree, path)
            ) from error

    check(("when",), playbook.when)
    check(("title",), playbook.title)
    check(("description",), playbook.description)
    check(("risk",), playbook.risk)
    for number, action in enumerate(playbook.actions):
        for name, value in action.params.items():
            check(("actions", number, "params", name), value)
    if "{{" not in playbook.risk and playbook.risk not in RISKS:
        message = f"risk: is one of {', '.join(RISKS)}, or a {{{{ template }}}} that gives one"
        raise PlaybookInvalid(message, file=file, line=_line_of(tree, ("risk",)))


def _check_actions(
    playbook: Playbook, tree: CommentedMap, file: str, actions: Mapping[str, AnyAction]
) -> None:
    for number, spec in enumerate(playbook.actions):
        if spec.action not in actions:
            raise PlaybookInvalid(
                f"there is no action {spec.action!r}",
                file=file,
                line=_line_of(tree, ("actions", number, "action")),
                suggestion=_nearest(spec.action, actions)
                or f"known actions: {', '.join(sorted(actions))}",
            )
        fields = actions[spec.action].Params.model_fields
        for name in spec.params:
            if name not in fields:
                raise PlaybookInvalid(
                    f"{spec.action} has no parameter {name!r}",
                    file=file,
                    line=_line_of(tree, ("actions", number, "params", name)),
                    suggestion=_nearest(name, fields) or f"it has {', '.join(fields)}",
                )
        missing = [n for n, f in fields.items() if f.is_required() and n not in spec.params]
        if missing:
            raise PlaybookInvalid(
                f"{spec.action} needs the parameter {missing[0]!r}",
                file=file,
                line=_line_of(tree, ("actions", number)),
            )
