"""``recoup report``: what happened in an incident, from the log, to read or to send on."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from recoup.cli._shared import Config, Data, opened, settings_of


class ReportForm(StrEnum):
    """How a report is written."""

    MARKDOWN = "markdown"
    HTML = "html"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(report)


def report(
    incident: Annotated[str, typer.Argument(help="As `recoup incidents list` shows it.")],
    form: Annotated[ReportForm, typer.Option("--format", help="How.")] = ReportForm.MARKDOWN,
    out: Annotated[Path | None, typer.Option(help="A file instead of the terminal.")] = None,
    config: Config = None,
    data: Data = None,
) -> None:
    """Write the post-incident report of an incident, at any moment, from its facts alone.

    Example: recoup report inc_0d5939c655b4e0df76e0 --format html --out report.html
    """
    from recoup.reporting import document, incident_report

    with opened(settings_of(config, data)) as store:
        text = incident_report(store, incident)
    if form is ReportForm.HTML:
        text = document(f"Incident {incident}", text)
    if out is None:
        print(text)
        return
    out.write_text(text)
    print(f"wrote {out}")
