"""Playbook files: the shipped ones hold their examples; a wrong one is refused with its line."""

from pathlib import Path

import pytest

from playbooks.loader import load_library, parse
from playbooks.registry import shipped_actions
from playbooks.trial import problems, try_out
from recoup.domain.errors import PlaybookInvalid

GOOD = """\
name: own
title: "Own {{ change.ref }}"
when: "change.kind == 'flag'"
actions:
  - action: flag_rollback
    params:
      project: shop
      environment: live
      flag: "{{ change.ref }}"
"""


@pytest.mark.parametrize("name", sorted(load_library()))
def test_a_shipped_playbook_carries_examples_that_hold(name: str) -> None:
    playbook = load_library()[name]
    assert playbook.examples
    assert list(problems(playbook, shipped_actions())) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "text"),
    [
        ("when:", "wenn:", 3, "did you mean 'when'?"),
        ("title:", "titel:", 2, "did you mean 'title'?"),
        ("\"change.kind == 'flag'\"", '"change.kind == "', 3, "not valid YAML|not YAML|expression"),
        ("change.kind == 'flag'", "change.kind ==", 3, "not an expression"),
        ("flag_rollback", "flag_rolback", 5, "did you mean 'flag_rollback'?"),
        ("environment:", "enviroment:", 8, "did you mean 'environment'?"),
        ("      environment: live\n", "", 5, "needs the parameter 'environment'"),
        ('{{ change.ref }}"\nwhen', '{{ change.ref "\nwhen', 2, "not a template"),
        ("name: own", "name: Own!", 1, "should match pattern"),
        ("name: own\n", "", 1, "is missing"),
        ("name: own", "name: own\nrisk: huge", 2, "one of low, medium, high"),
        ("name: own", "name: own\napproval:\n  quorum: 0", 3, "greater than or equal to 1"),
        ("name: own", "name: [own", 2, "not YAML"),
        ("change.kind ==", "chnge.kind ==", 3, "no 'chnge' .did you mean 'change'?"),
        ("change.kind ==", "change.knd ==", 3, "no 'change.knd' .did you mean 'kind'?"),
        ("change.kind ==", "incident.sevrity ==", 3, "did you mean 'severity'?"),
        ("Own {{ change.ref", "Own {{ change.reff", 2, "did you mean 'ref'?"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_suggestion(
    old: str, new: str, line: int, text: str
) -> None:
    broken = GOOD.replace(old, new, 1)
    assert broken != GOOD
    with pytest.raises(PlaybookInvalid, match=text) as caught:
        parse(broken, "own.yaml", shipped_actions())
    assert caught.value.file == "own.yaml"
    assert caught.value.line == line


def test_what_is_not_a_mapping_is_refused() -> None:
    with pytest.raises(PlaybookInvalid, match="mapping"):
        parse("- a\n- b\n", "own.yaml", shipped_actions())


def test_own_playbooks_join_the_shipped_ones_and_win(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(GOOD)
    (tmp_path / "notify.yml").write_text("name: notify_only\ntitle: Look\nwhen: 'true'\n")
    library = load_library(tmp_path)
    assert library["own"].actions[0].action == "flag_rollback"
    assert library["notify_only"].title == "Look"
    assert "flag_rollback" in library


def test_two_own_playbooks_with_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "b.yaml").write_text(GOOD)
    with pytest.raises(PlaybookInvalid, match="taken by .*a.yaml"):
        load_library(tmp_path)


def test_an_example_that_does_not_hold_is_said() -> None:
    text = GOOD + "examples:\n  - name: wrong\n    change: {kind: deploy}\n"
    playbook = parse(text, "own.yaml", shipped_actions())
    assert list(problems(playbook, shipped_actions())) == [
        "own: example 'wrong': applies is False, expected True"
    ]


def test_parameters_keep_their_type() -> None:
    text = GOOD + '      "on": "{{ change.undo.on }}"\n'
    playbook = parse(text, "own.yaml", shipped_actions())
    trial = try_out(playbook, shipped_actions(), {"kind": "flag", "ref": "x", "undo": {"on": True}})
    assert trial.calls[0].params["on"] is True
