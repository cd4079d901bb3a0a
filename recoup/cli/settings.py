"""``recoup settings``: every setting, its default, and what is in force."""

from typing import Annotated

import typer

from recoup.cli._shared import AsJson, Config, Data, settings_of, show_json, show_table
from recoup.inforce import rows
from recoup.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="settings")(show_settings)


def show_settings(
    config: Config = None,
    data: Data = None,
    markdown: Annotated[bool, typer.Option(help="Print the reference page.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show every setting with its value in force; secrets are never shown.

    Example: recoup settings --config recoup.toml --json
    """
    if markdown:
        print(reference(), end="")
        return
    settings = settings_of(config, data)
    found = list(rows(settings))
    if as_json:
        show_json([row._asdict() for row in found])
        return
    show_table("Settings", ("variable", "in force", "default", "what for"), found, empty="")


def reference() -> str:
    """Return docs/settings.md: the settings with their defaults, from the code."""
    lines = [
        "# Settings",
        "",
        "<!-- Made by `recoup settings --markdown`; a test keeps it true. -->",
        "",
        "Each is an environment variable, or a key of the TOML file named by `--config` or",
        "`RECOUP_CONFIG`: `RECOUP_DETECT__TICK_S` is `tick_s` under `[detect]`. The environment",
        "wins over the file, the command line over both. Paths in the file are relative to it.",
        "`recoup init` writes a file with every setting and its default.",
        "",
        "| variable | default | what for |",
        "|---|---|---|",
    ]
    found = rows(Settings.model_construct())
    lines += [f"| `{row.name}` | {row.default} | {row.description} |" for row in found]
    return "\n".join(lines) + "\n"
