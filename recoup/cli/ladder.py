"""``recoup ladder``: how far each playbook is trusted, and by which outcomes."""

import typer

from recoup.cli._shared import AsJson, Config, Data, opened, settings_of, show_json, show_table


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(ladder)


def ladder(config: Config = None, data: Data = None, as_json: AsJson = False) -> None:
    """Show where each playbook stands on the ladder of trust, from its record in the log.

    Example: recoup ladder --json
    """
    from activities.trust import Trust
    from playbooks.loader import load_library
    from playbooks.registry import shipped_actions

    settings = settings_of(config, data)
    library = load_library(settings.response.playbook_dir, shipped_actions())
    with opened(settings) as store:
        found = Trust(store, library).standings()
    if as_json:
        show_json(found)
        return
    show_table(
        "Trust",
        ("playbook", "rung", "good", "bad", "declined", "in a row", "last"),
        [
            (
                name,
                each.rung.value,
                str(each.good),
                str(each.bad),
                str(each.declined),
                f"{each.in_a_row} of {library[name].approval.promote_after}",
                each.last,
            )
            for name, each in sorted(found.items())
        ],
        empty="No playbooks.",
    )
