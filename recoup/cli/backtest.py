"""``recoup backtest``: what Recoup would have found in a recorded period."""

import gc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recoup.cli._shared import AsJson, Config, settings_of, show_json, show_table

if TYPE_CHECKING:
    from detectors.backtest import Backtest, FoundIncident
    from recoup.domain.changes import Change
    from recoup.recording import EventFile
    from recoup.settings import Settings


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
    out: Annotated[Path | None, typer.Option(help="Where what is found goes, as JSON.")] = None,
    report: Annotated[Path | None, typer.Option(help="Where to write an HTML report.")] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(exists=True, dir_okay=False, help="Two settings files, A and B."),
    ] = None,
    layers: Annotated[str, typer.Option(help="Layers that look on, see docs/layers.md.")] = "",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Run the production detectors over recorded events, in event time, and list what they find.

    Nothing is stored and nothing is sent. An incident opens when production would have opened it,
    from events up to then. Its cohort and causes are those last believed, as nobody acts here:
    they are worked out again while more trials come, as production does until it is answered.
    With --compare both settings see the same events, and what each found is set side by side.

    Example: recoup backtest events.ndjson.gz --changes changes.ndjson \
        --out incidents.json --report report.html
    """
    from recoup.recording import EventFile, read_changes

    known = read_changes(changes) if changes else []
    source = EventFile(events)
    if compare:
        if report or layers:
            raise typer.BadParameter("--report and --layers go without --compare")
        _compare(source, known, compare, out, as_json=as_json)
        return
    settings = settings_of(config, None)
    wanted = tuple(part.strip() for part in layers.split(",") if part.strip())
    run = _backtest_of(settings, known, wanted)
    seconds = _play([run], source)
    found = run.result()
    _write(out, found)
    if report:
        from recoup.web.backtest_report import render

        report.write_text(render(run, events.name, settings.currency), encoding="utf-8")
    summary = {**_effort(source, seconds), "incidents": len(found)}
    if as_json:
        show_json({**summary, "found": found})
    else:
        _show(found)
        _show_effort(summary, source)


def _backtest_of(
    settings: "Settings", changes: "list[Change]", layers: tuple[str, ...] = ()
) -> "Backtest":
    from dataclasses import replace

    from detectors.backtest import Backtest
    from detectors.configuration import DetectionConfig

    detection = DetectionConfig.from_settings(
        settings.detect, currency=settings.currency, charts=False
    )
    detection = replace(detection, layers=layers or detection.layers)
    return Backtest(detection, changes)


def _compare(
    source: "EventFile",
    changes: "list[Change]",
    files: tuple[Path, Path],
    out: Path | None,
    *,
    as_json: bool,
) -> None:
    """Let two settings see the same events, in one reading of the file."""
    from detectors.comparison import compare, sighted
    from recoup.cli._comparing import as_plain, differences, names_of, show
    from recoup.domain.base import from_ms

    both = [settings_of(file, None) for file in files]
    runs = [_backtest_of(settings, changes) for settings in both]
    seconds = _play(runs, source)
    first, last = runs[0].period_ms
    a, b = (sighted(run.result(), from_ms(last)) for run in runs)
    found = compare(a, b, (last - first) / 86_400_000)
    differing = differences(both[0].detect, both[1].detect)
    plain = {
        "settings": {"a": str(files[0]), "b": str(files[1])},
        "differences": [dict(zip(("name", "a", "b"), row, strict=True)) for row in differing],
        **as_plain(found),
        **_effort(source, seconds),
    }
    _write(out, plain)
    if as_json:
        show_json(plain)
        return
    names = names_of(files)
    rows = [list(row) for row in differing]
    text = "The two files say the same about detection."
    show_table("Settings that differ", ["setting", *names], rows, empty=text)
    show(found, *names)
    _show_effort(plain, source)


def _write(out: Path | None, found: object) -> None:
    from pydantic_core import to_json

    if out:
        out.write_bytes(to_json(found, indent=2) + b"\n")


def _play(runs: "Sequence[Backtest]", source: "EventFile") -> float:
    import time

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    # A replay leaves no cycles behind; to look for them takes a twentieth of its time.
    gc.set_threshold(100_000)
    start = time.perf_counter()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=1.0)
        for block in source.blocks():
            for run in runs:
                run.take(block)
            found = " and ".join(str(run.incidents) for run in runs)
            done = f"{source.taken:,} events, {found} incidents"
            bar.update(task, completed=source.share_read, description=done)
        for run in runs:
            run.finish()
    return time.perf_counter() - start


def _effort(source: "EventFile", seconds: float) -> dict[str, int | float]:
    return {
        "events": source.taken,
        "duplicates": source.duplicates,
        "rejected": source.rejected,
        "seconds": round(seconds, 1),
        "events_per_second": round(source.taken / max(seconds, 1e-9)),
    }


def _show(found: "list[FoundIncident]") -> None:
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


def _show_effort(summary: Mapping[str, Any], source: "EventFile") -> None:
    typer.echo(
        f"{summary['events']:,} events in {summary['seconds']} s "
        f"({summary['events_per_second']:,} a second); {source.duplicates:,} were repeats, "
        f"{source.rejected:,} were refused."
    )
    for problem in source.problems[:3]:
        typer.echo(f"  line {problem.line}: {problem.reason}", err=True)
