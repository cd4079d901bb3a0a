"""``recoup digest``: what a week cost, what was won back, and what is still open."""

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from recoup.cli._shared import Config, Data, opened, settings_of, show_json
from recoup.domain.errors import ConfigurationError
from recoup.settings import Settings


class DigestForm(StrEnum):
    """Where the digest is going."""

    MARKDOWN = "markdown"
    HTML = "html"
    SLACK = "slack"
    EMAIL = "email"
    JSON = "json"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(digest)


def digest(
    week: Annotated[str, typer.Option(help="2026-W47, this, or last.")] = "last",
    form: Annotated[DigestForm, typer.Option("--format", help="How.")] = DigestForm.MARKDOWN,
    sender: Annotated[str, typer.Option(help="From, of a mail.")] = "recoup@localhost",
    to: Annotated[list[str] | None, typer.Option(help="To, of a mail; repeatable.")] = None,
    send: Annotated[
        bool, typer.Option("--send", help="Send it by Slack and mail, as RECOUP_DIGEST__ says.")
    ] = False,
    config: Config = None,
    data: Data = None,
) -> None:
    """Write the digest of a week: money, times, false positives, what is still open.

    ``--send`` sends it now; RECOUP_DIGEST__SCHEDULE has it sent every week. Without, it is
    printed: ``slack`` is a message for chat.postMessage, ``email`` a mail to pipe into sendmail.

    Example: recoup digest --week last --send
    """
    from recoup.reporting import Digest, document, week_from

    settings = settings_of(config, data)
    if send:
        _send(settings, week)
        return
    with opened(settings) as store:
        now = store.clock.now()
        incidents = store.incidents.list(limit=5000)
    made = Digest(incidents, week_from(week, now), now, settings.currency, settings.public_url)
    if form is DigestForm.SLACK:
        show_json(made.slack())
    elif form is DigestForm.JSON:
        show_json({"figures": made.figures, "follow_ups": made.follow_ups})
    elif form is DigestForm.EMAIL:
        print(made.email(sender, to or []).as_string())
    elif form is DigestForm.HTML:
        print(document(made.title, made.markdown()))
    else:
        print(made.markdown())


def _send(settings: Settings, week: str) -> None:
    from recoup.app import build

    app = build(settings)
    try:
        if not app.digests.ways:
            raise ConfigurationError(
                "the digest has no way to go: set up Slack (RECOUP_SLACK_...), or a mail server "
                "(RECOUP_EMAIL_HOST, RECOUP_EMAIL_SENDER) and RECOUP_DIGEST__EMAIL_TO"
            )
        for way in app.digests.ways:
            print(f"Sent: {asyncio.run(app.digests.send(way, week))}.")
    finally:
        app.store.close()
