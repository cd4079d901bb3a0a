"""The command line of the test world: generate, score, table."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from recoup.demo.world.bench import EACH, TURNS, Case, Size, cases_of, done, run, seeds_of
from recoup.demo.world.generating import QUIET, generate
from recoup.demo.world.kinds import KINDS
from recoup.demo.world.scoring import Judged, by_kind, figures, judge, reliability
from recoup.demo.world.showing import cases, summary, table, told

app = typer.Typer(
    help="Recorded periods of shops never seen before, with the truth, and their scoring.",
    no_args_is_help=True,
)

Days = Annotated[float, typer.Option(help="Length of the period.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ShowCases = Annotated[bool, typer.Option("--cases", help="Also list the cases with trouble.")]
Sessions = Annotated[float, typer.Option(help="Sessions a day, on average.")]


@app.command("generate")
def generate_command(
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    seed: Annotated[int, typer.Option(help="Which shop.")] = 1,
    days: Days = 8,
    sessions_per_day: Sessions = 13_000,
    fault: Annotated[str, typer.Option(help="A kind, none, or random.")] = "random",
) -> None:
    """Write one recorded period with its truth.

    Example: python -m recoup.demo.world generate --seed 3 --fault fraud_rule --out out/3
    """
    if fault not in (*KINDS, QUIET, "random"):
        raise typer.BadParameter(f"one of {', '.join((*KINDS, QUIET, 'random'))}")
    found = generate(seed, fault, out, days, sessions_per_day)
    typer.echo(f"{found.events} events of {found.sessions} sessions, {found.fault}, in {out}")


@app.command("kinds")
def kinds_command() -> None:
    """List the kinds of fault and of innocent disturbance.

    Example: python -m recoup.demo.world kinds
    """
    typer.echo("\n".join((*KINDS, QUIET)))


def _show(judged: Sequence[Judged], as_json: bool, show_cases: bool) -> None:
    if as_json:
        plain = {
            "all": figures(judged),
            "by_kind": by_kind(judged),
            "reliability": reliability(judged),
        }
        typer.echo(json.dumps(plain, indent=1))
        return
    parts = [table(judged), summary(judged), *([cases(judged)] if show_cases else [])]
    typer.echo("\n\n".join(parts))


@app.command("score")
def score_command(
    folders: Annotated[list[Path], typer.Argument(help="Generated folders with incidents.json.")],
    as_json: AsJson = False,
    show_cases: ShowCases = False,
) -> None:
    """Compare the incidents of backtests with the truth.

    Example: python -m recoup.demo.world score out/1 out/2 --cases
    """
    _show([judge(folder) for folder in folders], as_json, show_cases)


@app.command("table")
def table_command(  # noqa: PLR0913 - a command has as many parameters as options
    seeds: Annotated[str, typer.Option(help="Such as 1-20 or 3,5,8-9.")] = "1-20",
    fault: Annotated[str, typer.Option(help=f"Kinds, {EACH} for every seed, or {TURNS}.")] = EACH,
    jobs: Annotated[int, typer.Option(help="How many at a time.")] = 2,
    days: Days = 8,
    sessions_per_day: Sessions = 13_000,
    keep: Annotated[Path | None, typer.Option(help="Keep everything in this folder.")] = None,
    backtest: Annotated[str, typer.Option(help="Further words for recoup backtest.")] = "",
    as_json: AsJson = False,
    show_cases: ShowCases = False,
) -> None:
    """Generate, backtest and score many periods, and print one table.

    Example: python -m recoup.demo.world table --seeds 1-20 --fault each --jobs 2
    """

    def said(case: Case, rate: float) -> None:
        typer.echo(f"{case.seed}-{case.fault}: {rate:,.0f} events/s", err=True)

    with tempfile.TemporaryDirectory(prefix="recoup-world-") as scratch:
        wanted = cases_of(seeds_of(seeds), fault, keep or Path(scratch))
        size = Size(days, sessions_per_day)
        judged = run(wanted, size, jobs, backtest.split(), keep is not None, said)
    _show(judged, as_json, show_cases)


@app.command("collect")
def collect_command(
    out: Annotated[Path, typer.Option(help="Folder that keeps what was ranked.")],
    seeds: Annotated[str, typer.Option(help="Such as 1-20 or 3,5,8-9.")] = "1-3",
    fault: Annotated[str, typer.Option(help=f"Kinds, {EACH} for every seed, or {TURNS}.")] = EACH,
    jobs: Annotated[int, typer.Option(help="How many at a time.")] = 2,
    days: Days = 8,
    sessions_per_day: Sessions = 13_000,
) -> None:
    """Keep the evidence that causes were ranked by, for `causes`; goes on where it stopped.

    Example: python -m recoup.demo.world collect --seeds 1-3 --out out/ranked
    """
    from concurrent.futures import ProcessPoolExecutor
    from functools import partial

    from recoup.demo.world.rankings import collect_case

    wanted = [case for case in cases_of(seeds_of(seeds), fault, out) if not done(case)]
    with ProcessPoolExecutor(jobs) as pool:
        one = partial(collect_case, days=days, sessions_per_day=sessions_per_day)
        for case, count in zip(wanted, pool.map(one, wanted), strict=True):
            typer.echo(f"{case.folder.name}: {count} ranked", err=True)


@app.command("causes")
def causes_command(
    folder: Annotated[Path, typer.Argument(help="What `collect` has kept.")],
    plot: Annotated[Path | None, typer.Option(help="Where to draw the reliability.")] = None,
    as_json: AsJson = False,
) -> None:
    """Rank the collected incidents anew and print figures, reliability, ablation and coverage.

    Example: python -m recoup.demo.world causes out/ranked --plot docs/images/reliability.png
    """
    from recoup.demo.world.attributing import draw_reliability, report
    from recoup.demo.world.rankings import read_ranked

    ranked = [each for case in sorted(folder.iterdir()) for each in read_ranked(case)]
    if not ranked:
        raise typer.BadParameter(f"{folder} holds no ranked incident; run `collect` first.")
    found = report(ranked)
    if plot:
        draw_reliability(found["reliability"], plot)
    typer.echo(json.dumps(found, indent=1) if as_json else told(found))


@app.command("layers")
def layers_command(
    folders: Annotated[list[Path], typer.Argument(help="Generated folders.")],
    layers: Annotated[str, typer.Option(help="Names with commas; all installed by default.")] = "",
) -> None:
    """Run the engine and each layer over generated periods; print what each finds, as JSON.

    Example: python -m recoup.demo.world layers out/1 out/2 --layers ewma,robust_pca
    """
    from detectors.layering.registry import is_installed, known_layers
    from recoup.demo.world.layering import measure

    wanted = [part.strip() for part in layers.split(",") if part.strip()]
    installed = [name for name, layer in known_layers().items() if is_installed(layer)]
    for row in measure(folders, wanted or installed):
        typer.echo(json.dumps(row))
