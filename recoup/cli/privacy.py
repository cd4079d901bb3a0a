"""``recoup privacy``: what is kept of a person, and how a person is forgotten."""

import json
from typing import Annotated

import typer

from recoup.cli._shared import Config, Data, opened, settings_of, show_json

Subject = Annotated[str, typer.Argument(help="The `user` as the shop sent it.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    privacy = typer.Typer(help="Export or forget what is kept of a person.", no_args_is_help=True)
    privacy.command()(export)
    privacy.command()(erase)
    app.add_typer(privacy, name="privacy")


def export(subject: Subject, config: Config = None, data: Data = None) -> None:
    """Print every event of a person as NDJSON.

    Example: recoup privacy export customer-1138 > customer-1138.ndjson
    """
    from store.people import export_subject

    with opened(settings_of(config, data)) as store:
        for event in export_subject(store.database, store.pseudonyms, subject):
            print(json.dumps(event, ensure_ascii=False))


def erase(
    subject: Subject,
    config: Config = None,
    data: Data = None,
    by: Annotated[str, typer.Option(help="Who ordered it; stands in the receipt.")] = "operator",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Forget a person for good and print the receipt, which also stands in the chain of facts.

    Backups made before still know the person: erase there too, or let them expire.

    Example: recoup privacy erase customer-1138 --by dpo --yes
    """
    from store.people import erase_subject

    if not yes:
        typer.confirm("Forget this person? It cannot be undone.", abort=True)
    with opened(settings_of(config, data)) as store:
        entry = erase_subject(store.database, store.pseudonyms, store.clock, subject, by)
    show_json(
        {
            **entry.fact.model_dump(),
            "at": entry.recorded_at,
            "position": entry.position,
        }
    )
