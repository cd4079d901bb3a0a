"""The house rules that no linter knows."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = (
    "recoup",
    "workflows",
    "activities",
    "detectors",
    "playbooks",
    "integrations",
    "store",
)
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
LONGEST_MODULE = 400
LONGEST_FUNCTION = 40
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc", "manager"}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_all_packages_come_from_one_place() -> None:
    roots = {Path(str(import_module(name).__file__)).parents[1] for name in PACKAGES}
    assert roots == {ROOT}


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_modules_are_short_and_say_what_they_are(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_MODULE
    if "migrations/versions" not in relative(path):
        assert ast.get_docstring(ast.parse(text)), "no module docstring"
    assert path.stem not in FORBIDDEN_NAMES


def test_functions_are_short() -> None:
    too_long = [
        f"{relative(path)}:{node.lineno} {node.name}: {length} lines"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (length := _code_lines(node)) > LONGEST_FUNCTION
    ]
    assert too_long == []


def _code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function without its docstring."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_ignored_type_errors_name_a_code_and_a_reason() -> None:
    bare = [
        f"{relative(path)}:{number}"
        for path in SOURCES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if "type: ignore" in line and ("[" not in line or line.count("#") < 2)
    ]
    assert bare == []


def test_only_settings_reads_the_environment() -> None:
    readers = [
        relative(path)
        for path in SOURCES
        if path.name != "settings.py"
        if any(word in path.read_text() for word in ("os.getenv", "os.environ.get"))
    ]
    # A child process gets its parent's environment, and loopback must bypass a proxy there.
    assert set(readers) <= {"recoup/serving/together.py"}


def test_the_command_line_starts_fast() -> None:
    """Heavy libraries are imported by the commands that need them, not by ``recoup --help``."""
    code = (
        "import sys, recoup.cli; recoup.cli.build();"
        "heavy = {'shap', 'sklearn', 'river', 'matplotlib', 'pyarrow', 'alembic', 'temporalio',"
        " 'sqlmodel', 'pandas', 'slack_bolt'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
