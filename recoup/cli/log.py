"""``recoup log``: what is in the log, and what becomes of its old blocks."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from recoup.cli._shared import (
    AsJson,
    Config,
    Data,
    opened,
    settings_of,
    show_fields,
    show_json,
    show_table,
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    log = typer.Typer(help="Look into the log and keep it small.", no_args_is_help=True)
    for command in (stats, rejected, contract, seal, drop, heal):
        log.command()(command)
    app.add_typer(log, name="log")


def stats(config: Config = None, data: Data = None, as_json: AsJson = False) -> None:
    """Count events, duplicates, refused lines, blocks and bytes.

    Example: recoup log stats --json
    """
    with opened(settings_of(config, data)) as store:
        found = store.stats()
    if as_json:
        show_json(found)
    else:
        show_fields({name: str(value) for name, value in vars(found).items()})


def rejected(config: Config = None, data: Data = None, as_json: AsJson = False) -> None:
    """Show what was refused at the door, by source and reason, the most frequent first.

    Example: recoup log rejected --json
    """
    with opened(settings_of(config, data)) as store:
        found = store.rejected()
    if as_json:
        show_json(found)
        return
    show_table(
        "Refused events",
        ("count", "source", "field", "reason", "first", "last"),
        [
            (
                f"{r.count:,}",
                r.source,
                r.field,
                r.reason,
                f"{r.first_at:%F %T}",
                f"{r.last_at:%F %T}",
            )
            for r in found
        ],
        empty="Nothing was refused.",
    )


def contract() -> None:
    """Print the page that documents the storefront event, as Markdown.

    Example: recoup log contract > docs/events.md
    """
    from store.contract_page import events_page

    print(events_page(), end="")


def seal(
    config: Config = None,
    data: Data = None,
    older_than_days: Annotated[float, typer.Option(help="Age of the youngest event.")] = 90.0,
    folder: Annotated[
        Path | None, typer.Option("--to", help="Where the Parquet files go. [DATA/sealed]")
    ] = None,
) -> None:
    """Move old blocks to Parquet files; repeats of their events are still known for repeats.

    Example: recoup log seal --older-than-days 90
    """
    from store.sealing import seal as seal_blocks

    settings = settings_of(config, data)
    with opened(settings) as store:
        before = store.clock.now() - timedelta(days=older_than_days)
        count = seal_blocks(store.database, folder or settings.data_dir / "sealed", before)
    print(f"sealed {count} blocks")


def drop(
    config: Config = None,
    data: Data = None,
    older_than_days: Annotated[float, typer.Option(help="Age of the youngest event.")] = 400.0,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete sealed files beyond the horizon; their events, and the memory of their ids, go.

    Example: recoup log drop --older-than-days 400 --yes
    """
    from store.sealing import drop as drop_files

    if not yes:
        typer.confirm(f"Delete sealed events older than {older_than_days:g} days?", abort=True)
    with opened(settings_of(config, data)) as store:
        before = store.clock.now() - timedelta(days=older_than_days)
        count = drop_files(store.database, before)
    print(f"dropped {count} blocks")


def heal(
    backup: Annotated[Path, typer.Argument(help="A file made by `recoup backup`.")],
    config: Config = None,
    data: Data = None,
) -> None:
    """Replace blocks that do not verify by those of a backup.

    Example: recoup log heal backups/monday.db
    """
    from store.backup import heal as heal_blocks

    with opened(settings_of(config, data)) as store:
        healed = heal_blocks(store.database, backup)
    print(f"healed {len(healed)} blocks" if healed else "every block verifies; nothing to heal")
