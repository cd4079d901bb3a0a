"""The command line of the test world: generate, score, table."""

from pathlib import Path
from typing import Annotated

import typer

from recoup.demo.world.generating import QUIET, generate
from recoup.demo.world.kinds import KINDS

app = typer.Typer(
    help="Recorded periods of shops never seen before, with the truth, and their scoring.",
    no_args_is_help=True,
)

Days = Annotated[float, typer.Option(help="Length of the period.")]
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
