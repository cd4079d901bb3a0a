"""The page on attribution says what the code does."""

import math
import re
from pathlib import Path

from detectors.attribution import causes, learning
from recoup.demo.world.habits import HABITS
from workflows import beliefs
from workflows.messages import ResponsePolicy

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "attribution.md").read_text()
EVIDENCE = {"signals": "touches", "names": "named"}
"""What the page calls in plain words."""


def test_every_kind_of_evidence_is_told_with_its_module() -> None:
    rows = re.findall(r"^\| (\w+) \| .* \| `(\w+\.py)` \|$", PAGE, re.MULTILINE)
    assert {EVIDENCE.get(kind, kind) for kind, _ in rows} == set(causes.KINDS)
    assert all((ROOT / "detectors" / "attribution" / name).exists() for _, name in rows)


def test_the_constants_told_are_those_of_the_code() -> None:
    said = f"{learning.LEAST_SHARE:g} to {learning.MOST_SHARE:g} times"
    assert said in PAGE.replace("\n", " ")
    assert f"differ by less than {math.exp(causes.ALIKE):.1f} share the probability" in PAGE
    assert "of the three days before" in PAGE


def test_when_the_causes_are_ranked_again_is_told_as_it_is() -> None:
    text = PAGE.replace("\n", " ")
    assert f"as long as the first hypothesis is below {beliefs.SURE:.0%}".replace("%", " %") in text
    minutes = ResponsePolicy().reconsider_every_s // 60
    assert f"after {minutes} minutes, then {2 * minutes}, {3 * minutes} and so on" in text
    assert math.isclose(beliefs.ALIKE, math.exp(-causes.ALIKE), abs_tol=0.01)


def test_the_habits_told_are_those_of_the_bench() -> None:
    text = PAGE.replace("\n", " ")
    for name, habit in HABITS.items():
        told = text.partition(f"**{name.replace('_', ' ')}** (")[2].partition(")")[0]
        assert told, name
        if not habit.any_kind:
            assert f"{habit.lead:g} minutes" in told
            assert f"{habit.unrecorded:.0%}".replace("%", " %") in told
