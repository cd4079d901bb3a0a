"""``recoup doctor``: does everything that Recoup needs answer, and what is to be mended?"""

import asyncio
from typing import Annotated

import typer

from recoup.cli._shared import AsJson, Config, Data, settings_of, show_json, show_table


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(
    config: Config = None,
    data: Data = None,
    click: Annotated[
        bool, typer.Option("--click", help="Post a test card in Slack and wait for its click.")
    ] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the click.")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Look at installation, database, Temporal, Slack, LaunchDarkly and SMTP; say what to mend.

    Exit code 1 when something is in trouble. What is not configured is no trouble.

    Example: recoup doctor --click
    """
    from recoup.checkup import check_all, is_well
    from recoup.domain.ids import RandomIds

    settings = settings_of(config, data)
    if click and not as_json:
        print(f"A test card is posted to Slack; press its button within {wait:g} s.")
    check_id = RandomIds().new("check") if click else ""
    checks = asyncio.run(check_all(settings, check_id=check_id, wait_s=wait))
    if as_json:
        show_json({"well": is_well(checks), "checks": checks})
    else:
        rows = [(each.name, each.state, each.detail, each.mend) for each in checks]
        show_table("Doctor", ("what", "state", "how it is", "to mend"), rows, empty="")
    if not is_well(checks):
        raise typer.Exit(1)
