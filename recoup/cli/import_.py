"""``recoup import``: past events from files, in the contract's shape or as Google exports them."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from recoup.cli._shared import AsJson, Config, Data, opened, settings_of, show_fields, show_json
from recoup.domain.errors import InvalidInput
from recoup.domain.series import LineProblem

AT_ONCE = 2000
SOURCE = "import"


class Format(StrEnum):
    """What the files hold."""

    EVENTS = "events"
    GA4 = "ga4"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="import")(import_files)


def import_files(
    files: Annotated[list[Path], typer.Argument(help="NDJSON (also .gz) or Parquet.")],
    format_: Annotated[Format, typer.Option("--format", help="What they hold.")] = Format.EVENTS,
    config: Config = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Take past events into the log; each counts once, so an import can be repeated.

    Example: recoup import events_20210131.parquet --format ga4
    """
    counts = {"read": 0, "accepted": 0, "duplicates": 0, "rejected": 0}
    with opened(settings_of(config, data)) as store:
        for rows in _batches(files):
            events, problems = _mapped(rows, format_)
            report = store.ingest(_lines(events))
            refused = (*problems, *report.rejected)
            store.note_rejected(SOURCE, refused)
            counts["read"] += len(rows)
            counts["accepted"] += report.accepted
            counts["duplicates"] += report.duplicates
            counts["rejected"] += len(refused)
    if as_json:
        show_json(counts)
        return
    show_fields({name: str(count) for name, count in counts.items()})
    if counts["rejected"]:
        print("`recoup log rejected` shows why.")


def _lines(events: list[Any]) -> bytes:
    from integrations.eventing import lines

    return lines(events)


def _mapped(rows: list[Any], kind: Format) -> tuple[list[Any], list[LineProblem]]:
    """Return the events of rows, and why other rows are none."""
    if kind is Format.GA4:
        from integrations.ga4.export import events_of

        mapped = events_of(rows)
        return mapped.events, mapped.problems
    return rows, []


def _batches(files: list[Path]) -> Iterator[list[Any]]:
    from integrations.files import rows_of

    for file in files:
        if not file.is_file():
            raise InvalidInput(f"{file} is no file")
        batch: list[Any] = []
        for row in rows_of(file):
            batch.append(row)
            if len(batch) == AT_ONCE:
                yield batch
                batch = []
        if batch:
            yield batch
