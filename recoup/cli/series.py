"""``recoup series``: anomaly scores for aggregated series in CSV files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from recoup.cli._shared import AsJson, show_json, show_table
from recoup.domain.errors import InvalidInput


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(series)


def series(
    source: Annotated[
        Path, typer.Argument(exists=True, help="CSV with timestamp,value, or a folder of them.")
    ],
    out: Annotated[Path | None, typer.Option(help="CSV file, or folder, for the scores.")] = None,
    as_json: AsJson = False,
) -> None:
    """Score every row of a series by the rows before it.

    The output repeats timestamp,value and adds anomaly_score (0 to 1, higher is worse) and alarm.

    Example: recoup series visits.csv --out scores.csv
    """
    from detectors.series.files import score_file

    files = sorted(source.rglob("*.csv")) if source.is_dir() else [source]
    if not files:
        raise InvalidInput(f"{source} has no .csv files")
    done: list[dict[str, Any]] = []
    for file in _with_progress(files):
        target = None
        if out:
            target = out / file.relative_to(source) if source.is_dir() else out
            target.parent.mkdir(parents=True, exist_ok=True)
        rows, alarms, highest = score_file(file, target)
        name = str(file.relative_to(source)) if source.is_dir() else file.name
        done.append({"series": name, "rows": rows, "alarms": alarms, "highest": round(highest, 4)})
    if as_json:
        show_json(done)
        return
    columns = ["series", "rows", "alarms", "highest"]
    rows_shown = [[str(each[column]) for column in columns] for each in done]
    show_table("Series", columns, rows_shown, empty="No series.")


def _with_progress(files: list[Path]) -> Iterator[Path]:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(files, "scoring", console=console, transient=True, disable=len(files) < 2)
