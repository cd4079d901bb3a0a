"""``recoup serve`` and the roles it is made of: ``api``, ``detect``, ``work``."""

import sys
from typing import Annotated, Any

import typer

from recoup.cli._shared import Config, Data, settings_of

Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one. [8787]")]
Host = Annotated[str | None, typer.Option(help="Address to listen on. [127.0.0.1]")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(serve)
    app.command()(api)
    app.command()(detect)
    app.command()(work)


def serve(config: Config = None, data: Data = None, port: Port = None, host: Host = None) -> None:
    """Run all of Recoup on this machine; prints its URL once it is ready.

    Example: recoup serve --data ./recoup-data --port 8787
    """
    from recoup.serving.together import serve as run

    settings = settings_of(config, data, port=port, host=host)

    if sys.stdout.isatty():
        print(f"Starting; its logs are in {settings.data_dir / 'logs'}", file=sys.stderr)

    def announce(message: dict[str, Any]) -> None:
        print(message["url"], flush=True)

    run(settings, announce)


def api(config: Config = None, data: Data = None, port: Port = None, host: Host = None) -> None:
    """Run the HTTP role: ingest, webhooks, pages.

    Example: recoup api --config recoup.toml --host 0.0.0.0
    """
    from recoup.serving.roles import run_api

    run_api(settings_of(config, data, port=port, host=host))


def detect(config: Config = None, data: Data = None) -> None:
    """Run the detecting role: follows the log, opens incidents. One at a time per database.

    Example: recoup detect --config recoup.toml
    """
    from recoup.serving.roles import run_detect

    run_detect(settings_of(config, data))


def work(config: Config = None, data: Data = None) -> None:
    """Run the working role: the Temporal worker that responds to incidents.

    Example: RECOUP_TEMPORAL__ADDRESS=temporal:7233 recoup work --config recoup.toml
    """
    from recoup.serving.roles import run_work

    run_work(settings_of(config, data))
