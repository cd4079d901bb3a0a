"""What several commands share: their options, the open store, and how a table or JSON is shown."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recoup.settings import Settings, load

if TYPE_CHECKING:
    from store.opening import Store

Config = Annotated[
    Path | None,
    typer.Option(envvar="RECOUP_CONFIG", help="TOML file with settings.", dir_okay=False),
]
Data = Annotated[Path | None, typer.Option(help="Folder that holds everything. [.recoup]")]
HERE = "http://127.0.0.1:8787"
Url = Annotated[str, typer.Option(envvar="RECOUP_URL", help="Where Recoup is.")]
ApiKey = Annotated[str, typer.Option("--key", envvar="RECOUP_KEY", help="Your API key.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def settings_of(config: Path | None, data: Path | None, **more: Any) -> Settings:
    """Return the settings in force for a command."""
    return load(config, data_dir=data, **more)


@contextmanager
def opened(settings: Settings) -> Iterator["Store"]:
    """Open the store of these settings for the length of a command."""
    from store.opening import open_from

    store = open_from(settings)
    try:
        yield store
    finally:
        store.close()


def show_json(value: Any) -> None:
    """Print a value as JSON; models are dumped by pydantic's rules."""
    from pydantic_core import to_jsonable_python

    json.dump(to_jsonable_python(value), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def show_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str
) -> None:
    """Print a table, or one line that says why there is none and what to do."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    if not rows:
        console.print(escape(empty))
        return
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    console.print(table)


def show_fields(fields: Mapping[str, str]) -> None:
    """Print names and values, one a line, aligned."""
    width = max((len(name) for name in fields), default=0)
    for name, value in fields.items():
        print(f"{name:<{width}}  {value}")
