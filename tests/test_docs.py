"""Documents that can be wrong are compared with the code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FORBIDDEN = re.compile(r"/work/|/root/|/home/\w|file:///")


def recoup(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "recoup", *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "100"},
    )
    return done.stdout


def test_the_settings_page_matches_the_code() -> None:
    """Run ``recoup settings --markdown > docs/settings.md`` when this fails."""
    assert (ROOT / "docs" / "settings.md").read_text() == recoup("settings", "--markdown")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_no_place_of_one_machine(page: Path) -> None:
    assert FORBIDDEN.search(page.read_text()) is None


def test_every_command_has_help_with_an_example() -> None:
    from typer.main import get_command

    from recoup.cli import build

    without = [
        path
        for path, command in _commands(get_command(build()), "recoup")
        if "Example:" not in (command.help or "")
    ]
    assert without == []


def _commands(command: object, path: str) -> list[tuple[str, object]]:
    inner = getattr(command, "commands", None)
    if not inner:
        return [(path, command)]
    return [found for name, sub in inner.items() for found in _commands(sub, f"{path} {name}")]


def test_commands_named_in_the_pages_exist() -> None:
    from typer.main import get_command

    from recoup.cli import build

    known = {path for path, _ in _commands(get_command(build()), "recoup")}
    words = {path.split()[1] for path in known}
    used = {
        match
        for page in PAGES
        for match in re.findall(r"(?:^|`)recoup ([a-z]+)", page.read_text(), flags=re.MULTILINE)
    }
    assert used - words == set()
    shown = {
        match
        for page in (ROOT / "recoup" / "web" / "templates").glob("*.html")
        for match in re.findall(r"<code>(recoup [a-z ]+[a-z])", page.read_text())
    }
    assert len(shown) > 4
    assert {
        name for name in shown if not any(f"{path} ".startswith(f"{name} ") for path in known)
    } == set()
