"""Expressions of playbooks: what they can say, and what they cannot reach."""

import pytest

from playbooks.expressions import check_expression, holds, render
from recoup.domain.errors import InvalidInput

NAMES = {"change": {"kind": "flag", "undo": {"n": 3, "list": ["a"]}}, "incident": {"kind": "x"}}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("change.kind == 'flag'", True),
        ("change.undo.n > 2 and change.undo.n < 4", True),
        ("change.nothing", False),
        ("change.nothing.below.that == 'x'", False),
        ("nothing_at_all", False),
        ("'a' in change.undo.list", True),
        ("change.undo.missing is defined", False),
    ],
)
def test_conditions(expression: str, expected: bool) -> None:
    assert holds(expression, NAMES) is expected


@pytest.mark.parametrize(
    "hostile",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ change.__class__ }}",
        "{{ change.undo.list.append('b') }}",
        "{{ change.update({'kind': 'deploy'}) }}",
        "{{ range(10) }}",
        "{{ cycler('a').__init__.__globals__ }}",
        "{{ ''.__class__.__mro__ }} text",
    ],
)
def test_nothing_outside_can_be_reached_or_changed(hostile: str) -> None:
    with pytest.raises(InvalidInput):
        render(hostile, NAMES)
    assert NAMES["change"]["undo"]["list"] == ["a"]
    assert NAMES["change"]["kind"] == "flag"


def test_a_missing_name_in_a_parameter_is_an_error_and_not_an_empty_text() -> None:
    with pytest.raises(InvalidInput):
        render("flag {{ change.undo.flag }}", NAMES)
    with pytest.raises(InvalidInput):
        render("{{ change.undo.flag }}", NAMES)


def test_structures_are_filled_in_throughout() -> None:
    value = {"a": ["{{ change.undo.n }}", "n={{ change.undo.n }}", 7], "b": {"c": True}}
    assert render(value, NAMES) == {"a": [3, "n=3", 7], "b": {"c": True}}


def test_a_broken_expression_is_found_before_it_is_used() -> None:
    with pytest.raises(InvalidInput):
        check_expression("change.kind ==")
