"""Jinja2 in playbooks, sandboxed: conditions, and parameters that keep their type."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, Undefined, nodes
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment

from recoup.domain.errors import InvalidInput

_WHOLE = re.compile(r"^\s*\{\{(?P<expression>(?:(?!\}\}).)*)\}\}\s*$", re.DOTALL)
LONGEST_RANGE = 1000


class _Missing(Undefined):
    """A name that is not there: false in a condition, and so are the names inside it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    __getitem__ = __getattr__


def _environment(undefined: type[Undefined]) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(undefined=undefined, autoescape=False)
    environment.globals = {}
    return environment


_CONDITIONS = _environment(_Missing)
_VALUES = _environment(StrictUndefined)


def check_expression(text: str) -> None:
    """Raise InvalidInput when ``text`` is not an expression."""
    try:
        _CONDITIONS.compile_expression(text)
    except TemplateSyntaxError as error:
        raise InvalidInput(f"not an expression: {error.message}") from error


def check_template(value: Any) -> None:
    """Raise InvalidInput when a text anywhere in ``value`` is not a template."""
    if isinstance(value, str):
        try:
            _VALUES.parse(value)
        except TemplateSyntaxError as error:
            raise InvalidInput(f"not a template: {error.message}") from error
    elif isinstance(value, Mapping):
        for part in value.values():
            check_template(part)
    elif isinstance(value, list | tuple):
        for part in value:
            check_template(part)


def unknown_names(
    value: Any, visible: Mapping[str, Sequence[str]], *, is_condition: bool = False
) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield the names in an expression or template that nothing stands for, with what there is.

    Below ``change.undo`` and the like anything may be there, so that is not looked at.
    """
    if isinstance(value, Mapping | list | tuple):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from unknown_names(part, visible)
        return
    if not isinstance(value, str):
        return
    tree = _VALUES.parse(f"{{{{ {value} }}}}" if is_condition else value)
    for name in sorted(find_undeclared_variables(tree) - set(visible)):
        yield name, tuple(visible)
    for node in tree.find_all(nodes.Getattr):
        owner = node.node.name if isinstance(node.node, nodes.Name) else ""
        if owner in visible and node.attr not in visible[owner]:
            yield f"{owner}.{node.attr}", visible[owner]


def holds(expression: str, names: Mapping[str, Any]) -> bool:
    """Tell whether a condition is true; what is not there counts as false."""
    try:
        return bool(_CONDITIONS.compile_expression(expression)(**names))
    except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
        raise InvalidInput(f"the condition {expression!r} cannot be decided: {error}") from error


def render(value: Any, names: Mapping[str, Any]) -> Any:
    """Return ``value`` with its templates filled in.

    A text that is one ``{{ expression }}`` becomes that expression's value, with its type; every
    name must be there.
    """
    if isinstance(value, str):
        return _render_text(value, names)
    if isinstance(value, Mapping):
        return {key: render(part, names) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [render(part, names) for part in value]
    return value


def _render_text(text: str, names: Mapping[str, Any]) -> Any:
    whole = _WHOLE.match(text)
    try:
        if whole is None:
            return _VALUES.from_string(text).render(**names)
        compiled = _VALUES.compile_expression(whole["expression"], undefined_to_none=False)
        result = compiled(**names)
        if isinstance(result, Undefined):
            raise InvalidInput(f"{text!r} names something that is not there")
        return result
    except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
        raise InvalidInput(f"{text!r} cannot be filled in: {error}") from error
