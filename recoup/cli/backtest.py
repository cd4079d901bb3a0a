"""``recoup backtest``: what Recoup would have found in a recorded period."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recoup.cli._shared import AsJson, Config, settings_of, show_json, show_table

if TYPE_CHECKING:
    from detectors.backtest import Backtest, FoundIncident
    from recoup.recording import EventFile


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(backtest)


def backtest(
    events: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="NDJSON of events, plain or .gz.")
    ],
    changes: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="NDJSON of changes of that period."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where the incidents go, as JSON.")] = None,
    report: Annotated[Path | None, typer.Option(help="Where to write an HTML report.")] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Run the production detectors over recorded events, in event time, and list what they find.

    Nothing is stored and nothing is sent. An incident opens when production would have opened it,
    from events up to then; its causes are those believed within five minutes of that.

    Example: recoup backtest events.ndjson.gz --changes changes.ndjson \
        --out incidents.json --report report.html
    """
    from dataclasses import replace

    from detectors.backtest import Backtest
    from detectors.configuration import DetectionConfig
    from recoup.recording import EventFile, read_changes

    settings = settings_of(config, None)
    detection = DetectionConfig.from_settings(settings.detect, currency=settings.currency)
    known = read_changes(changes) if changes else []
    source = EventFile(events)
    run = Backtest(replace(detection, charts=False), known)
    seconds = _play(run, source)
    found = run.result()
    if out:
        from pydantic_core import to_json

        out.write_bytes(to_json(found, indent=2) + b"\n")
    if report:
        from recoup.web.backtest_report import render

        report.write_text(render(run, events.name, settings.currency), encoding="utf-8")
    summary = {
        "events": source.taken,
        "duplicates": source.duplicates,
        "rejected": source.rejected,
        "incidents": len(found),
        "seconds": round(seconds, 1),
        "events_per_second": round(source.taken / max(seconds, 1e-9)),
    }
    if as_json:
        show_json({**summary, "found": found})
    else:
        _show(found, summary, source)


def _play(run: "Backtest", source: "EventFile") -> float:
    import time

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    start = time.perf_counter()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=1.0)
        for taken in run.run(source.blocks()):
            done = f"{taken:,} events, {len(run.result())} incidents"
            bar.update(task, completed=source.share_read, description=done)
    return time.perf_counter() - start


def _show(
    found: "list[FoundIncident]", summary: dict[str, int | float], source: "EventFile"
) -> None:
    rows = [
        [
            f"{each.opened_at:%a %d %b %H:%M}",
            f"{(each.opened_at - each.onset_at).total_seconds() / 60:.0f} min",
            each.kind,
            each.metric,
            each.cohort.label,
            f"{each.revenue_at_risk_per_hour:,.0f}",
            f"{each.causes[0].change_id or 'none known'} {each.causes[0].probability:.0%}"
            if each.causes
            else "",
        ]
        for each in found
    ]
    columns = ["opened", "after", "kind", "metric", "cohort", "per hour", "cause"]
    text = "No incident: nothing left its baseline in this period."
    show_table("Incidents", columns, rows, empty=text)
    typer.echo(
        f"{summary['events']:,} events in {summary['seconds']} s "
        f"({summary['events_per_second']:,} a second); {source.duplicates:,} were repeats, "
        f"{source.rejected:,} were refused."
    )
    for problem in source.problems[:3]:
        typer.echo(f"  line {problem.line}: {problem.reason}", err=True)
