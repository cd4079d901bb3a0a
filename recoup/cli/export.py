"""``recoup export``: the log as files for DuckDB, pandas or a warehouse."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from recoup.cli._shared import Config, Data, opened, settings_of


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(export)


def export(
    out: Annotated[Path, typer.Option(help="The folder to write to.", file_okay=False)],
    config: Config = None,
    data: Data = None,
    form: Annotated[Literal["parquet"], typer.Option("--format", help="Kind of file.")] = "parquet",
) -> None:
    """Write events, incidents, changes and facts as Parquet files.

    Example: recoup export --format parquet --out lake
    """
    from store.lake import export_parquet

    del form  # there is one so far
    with opened(settings_of(config, data)) as store:
        counts = export_parquet(store.database, out)
    for name, count in counts.items():
        print(f"{out / name}.parquet  {count}")
