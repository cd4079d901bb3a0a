"""``recoup backup`` and ``recoup restore``: one command each, also while everything runs."""

from pathlib import Path
from typing import Annotated

import typer

from recoup.cli._shared import Config, Data, opened, settings_of


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(backup)
    app.command()(restore)


def backup(
    target: Annotated[Path, typer.Argument(help="The file to make.", dir_okay=False)],
    config: Config = None,
    data: Data = None,
) -> None:
    """Copy the store, as of one moment, into one file; nothing has to stop.

    The master key is not in it: keep RECOUP_MASTER_KEY, or the .key file beside the database,
    in another place.

    Example: recoup backup backups/monday.db
    """
    from store.backup import back_up

    with opened(settings_of(config, data)) as store:
        back_up(store.database, target)
        key_file = store.key_file
    print(f"backed up to {target}")
    if key_file is not None and key_file.exists():
        print(f"not included: the master key in {key_file}; keep a copy of it elsewhere")


def restore(
    source: Annotated[Path, typer.Argument(help="A file made by `recoup backup`.")],
    config: Config = None,
    data: Data = None,
) -> None:
    """Fill a new, empty store from a backup, be it SQLite or PostgreSQL.

    Example: recoup restore backups/monday.db --data /srv/recoup
    """
    from store.backup import restore as fill

    with opened(settings_of(config, data)) as store:
        fill(source, store.database)
        head = store.head()
    print(f"restored up to position {head}; `recoup audit verify` proves it")
