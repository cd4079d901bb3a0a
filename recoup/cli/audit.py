"""``recoup audit verify``: proof that nothing in the log was altered, lost or slipped in."""

import typer

from recoup.cli._shared import AsJson, Config, Data, opened, settings_of, show_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    audit = typer.Typer(help="Prove that the log is whole.", no_args_is_help=True)
    audit.command()(verify)
    app.add_typer(audit, name="audit")


def verify(config: Config = None, data: Data = None, as_json: AsJson = False) -> None:
    """Follow the chain of facts and check every block; name the first broken link.

    Exit code 1 when something is wrong. Keep the last hash elsewhere: with it even somebody who
    can write the whole database cannot rewrite the past unseen.

    Example: recoup audit verify
    """
    from store.audit import verify as verify_log

    with opened(settings_of(config, data)) as store:
        report = verify_log(store.database)
    if as_json:
        show_json({**vars(report), "is_whole": report.is_whole})
    elif report.is_whole:
        print(f"whole: {report.facts} facts, {report.blocks} blocks, chain {report.chain}")
    else:
        print("\n".join(report.problems))
    if not report.is_whole:
        raise typer.Exit(1)
