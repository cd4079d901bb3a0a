"""The page on vendors' failures names every case that is tested, and no other."""

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "vendor-failures.md"


def cases() -> set[str]:
    tree = ast.parse((HERE / "test_vendor_failures.py").read_text())
    functions = [each for each in tree.body if isinstance(each, ast.AsyncFunctionDef)]
    return {each.name.removeprefix("test_") for each in functions if each.name.startswith("test_")}


def test_the_table_names_every_case_that_is_tested() -> None:
    named = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), flags=re.MULTILINE)
    assert set(named) == cases()
    assert len(named) == len(set(named))


def test_every_case_says_what_is_done() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert all(len(row.strip("|").split("|")) == 3 for row in rows)
