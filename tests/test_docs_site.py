"""The documentation as a site: it builds, every link leads somewhere, and it loads nothing."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOADED = re.compile(r'<(?:script|link|img|iframe)[^>]+(?:src|href)="(https?:[^"]+)"')
ANCHOR = re.compile(r"\]\(([^)#\s]*\.md)?#([^)\s]+)\)")


def built(folder: Path, config: Path = ROOT / "mkdocs.yml") -> subprocess.CompletedProcess[str]:
    # Not --quiet: what is not logged does not count as a warning.
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    return subprocess.run(
        [*command, "--config-file", str(config), "--site-dir", str(folder)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = built(folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_and_file_is_on_it(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    assert [page for page in pages if not (site / page.with_suffix(".html")).exists()] == []
    assert (site / "slack-manifest.yaml").exists()


def test_it_loads_nothing_from_elsewhere(site: Path) -> None:
    loaded = {url for path in site.rglob("*.html") for url in LOADED.findall(path.read_text())}
    assert loaded == set()


def test_a_link_that_leads_nowhere_stops_the_build(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Here\n[there](#nowhere) [gone](gone.md)\n")
    config = (ROOT / "mkdocs.yml").read_text().partition("nav:\n  - Home")[0]
    (tmp_path / "mkdocs.yml").write_text(config)
    done = built(tmp_path / "out", tmp_path / "mkdocs.yml")
    assert done.returncode != 0
    assert "#nowhere" in done.stderr
    assert "gone.md" in done.stderr


def test_anchors_of_the_readme_exist() -> None:
    for page in ROOT.glob("*.md"):
        for target, anchor in ANCHOR.findall(page.read_text()):
            text = (ROOT / target if target else page).read_text()
            assert anchor in slugs(text), f"{page.name}: {target}#{anchor}"


def slugs(text: str) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}
