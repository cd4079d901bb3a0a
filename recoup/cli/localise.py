"""``recoup localise``: which cohorts explain why a table departs from its forecast."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from recoup.cli._shared import AsJson, show_json, show_table
from recoup.domain.errors import InvalidInput


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(localise)


def localise(
    leaves: Annotated[
        Path, typer.Argument(exists=True, help="CSV of leaves, or a folder of such files.")
    ],
    out: Annotated[Path | None, typer.Option(help="JSON file, or folder, for the roots.")] = None,
    as_json: AsJson = False,
) -> None:
    """Find the root cohorts of a deviation in a table of leaves.

    The CSV has one column a dimension, then real,predict (for ratios real_num,real_den,
    predict_num,predict_den). No root at all is a possible answer.

    Example: recoup localise leaves.csv --out roots.json
    """
    files = sorted(leaves.glob("*.csv")) if leaves.is_dir() else [leaves]
    if leaves.is_dir() and not files:
        raise InvalidInput(f"{leaves} has no .csv files")
    if leaves.is_dir() and out:
        out.mkdir(parents=True, exist_ok=True)
    answers: dict[str, list[dict[str, str]]] = {}
    for file in _with_progress(files):
        answers[file.name] = roots = _roots_of(file)
        if out:
            target = out / f"{file.stem}.json" if leaves.is_dir() else out
            text = json.dumps({"root_causes": roots}, indent=1, ensure_ascii=False)
            target.write_text(text + "\n")
    if as_json:
        plain = {name: {"root_causes": roots} for name, roots in answers.items()}
        show_json(plain if leaves.is_dir() else plain[leaves.name])
    else:
        _show(answers)


def _roots_of(file: Path) -> list[dict[str, str]]:
    from detectors.attribution.leaf_files import read_leaves
    from detectors.attribution.localisation import localise as search

    with file.open(newline="", encoding="utf-8-sig") as lines:
        return search(read_leaves(lines, file.name))


def _with_progress(files: list[Path]) -> Any:
    from rich.console import Console
    from rich.progress import track

    if len(files) < 2:
        return files
    return track(files, "localising", console=Console(stderr=True), transient=True)


def _show(answers: dict[str, list[dict[str, str]]]) -> None:
    rows = [
        [name, ", ".join(f"{key}={value}" for key, value in root.items()) or "everyone"]
        for name, roots in answers.items()
        for root in roots
    ]
    empty = "No cohort departs from its forecast more than the rest."
    show_table("Root cohorts", ["table", "cohort"], rows, empty=empty)
