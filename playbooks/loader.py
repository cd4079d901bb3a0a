"""Reads playbooks from YAML; every problem names file, line and, where it can, a suggestion."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from playbooks.choice import names_of_example
from playbooks.expressions import check_expression, check_template, unknown_names
from playbooks.model import RISKS, ActionSpec, ApprovalSpec, Example, Playbook, VerifySpec
from playbooks.registry import AnyAction, shipped_actions
from recoup.domain.errors import InvalidInput, PlaybookInvalid

VISIBLE = {name: tuple(sorted(parts)) for name, parts in names_of_example({}, {}).items()}
"""What an expression can see, and the fields of each."""

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
    for problem in check(text, file, actions):
        raise problem
    return Playbook.model_validate(_plain(_tree(text, file)))


def check(text: str, file: str, actions: Mapping[str, AnyAction]) -> Iterator[PlaybookInvalid]:
    """Yield everything that is wrong with a file's text, in order of importance."""
    try:
        tree = _tree(text, file)
    except PlaybookInvalid as error:
        yield error
        return
    try:
        playbook = Playbook.model_validate(_plain(tree))
    except ValidationError as error:
        yield from _explain(error, tree, file)
        return
    yield from _check_texts(playbook, tree, file)
    yield from _check_actions(playbook, tree, file, actions)


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


def _explain(error: ValidationError, tree: CommentedMap, file: str) -> Iterator[PlaybookInvalid]:
    # A misspelt name is also a missing one; the misspelling is what the author can see.
    found = error.errors(include_input=False, include_url=False)
    for each in sorted(found, key=lambda one: one["type"] != "extra_forbidden"):
        path = [part for part in each["loc"] if isinstance(part, str | int)]
        name = ".".join(str(part) for part in path)
        suggestion = ""
        if each["type"] == "extra_forbidden":
            suggestion = _nearest(str(path[-1]), _FIELDS)
            message = f"{name}: there is no such field"
        elif each["type"] == "missing":
            message = f"{name}: is missing"
        else:
            message = f"{name}: {each['msg']}"
        line = _line_of(tree, path)
        yield PlaybookInvalid(message, file=file, line=line, suggestion=suggestion)


def _nearest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, sorted(known), n=1)
    return f"did you mean {close[0]!r}?" if close else ""


def _check_texts(playbook: Playbook, tree: CommentedMap, file: str) -> Iterator[PlaybookInvalid]:
    texts: list[tuple[tuple[str | int, ...], Any]] = [
        ((name,), getattr(playbook, name)) for name in ("when", "title", "description", "risk")
    ]
    for number, action in enumerate(playbook.actions):
        texts += [
            (("actions", number, "params", name), value) for name, value in action.params.items()
        ]
    for path, value in texts:
        line, is_condition = _line_of(tree, path), path == ("when",)
        try:
            check_expression(value) if is_condition else check_template(value)
        except InvalidInput as error:
            yield PlaybookInvalid(f"{path[0]}: {error}", file=file, line=line)
            continue
        for name, known in unknown_names(value, VISIBLE, is_condition=is_condition):
            message = f"{path[0]}: there is no {name!r}"
            suggestion = _nearest(name.rpartition(".")[2], known) or f"there is {', '.join(known)}"
            yield PlaybookInvalid(message, file=file, line=line, suggestion=suggestion)
    if "{{" not in playbook.risk and playbook.risk not in RISKS:
        message = f"risk: is one of {', '.join(RISKS)}, or a {{{{ template }}}} that gives one"
        yield PlaybookInvalid(message, file=file, line=_line_of(tree, ("risk",)))


def _check_actions(
    playbook: Playbook, tree: CommentedMap, file: str, actions: Mapping[str, AnyAction]
) -> Iterator[PlaybookInvalid]:
    for number, spec in enumerate(playbook.actions):
        if spec.action not in actions:
            yield PlaybookInvalid(
                f"there is no action {spec.action!r}",
                file=file,
                line=_line_of(tree, ("actions", number, "action")),
                suggestion=_nearest(spec.action, actions)
                or f"known actions: {', '.join(sorted(actions))}",
            )
            continue
        fields = actions[spec.action].Params.model_fields
        for name in spec.params:
            if name not in fields:
                yield PlaybookInvalid(
                    f"{spec.action} has no parameter {name!r}",
                    file=file,
                    line=_line_of(tree, ("actions", number, "params", name)),
                    suggestion=_nearest(name, fields) or f"it has {', '.join(fields)}",
                )
        for name, field in fields.items():
            if field.is_required() and name not in spec.params:
                yield PlaybookInvalid(
                    f"{spec.action} needs the parameter {name!r}",
                    file=file,
                    line=_line_of(tree, ("actions", number)),
                )
