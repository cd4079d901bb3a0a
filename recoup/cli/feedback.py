"""``recoup feedback``: what was said of incidents, what that changes, and taking it back."""

from typing import Annotated

import typer

from recoup.cli._shared import AsJson, Config, Data, opened, settings_of, show_json, show_table

PAGE = 1000
IncidentId = Annotated[str, typer.Argument(help="The incident's id, inc_...")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    feedback = typer.Typer(
        help="What was said of incidents, what it changes, and taking it back.",
        no_args_is_help=True,
    )
    feedback.command(name="list")(list_feedback)
    feedback.command(name="preview")(show_preview)
    feedback.command(name="undo")(undo)
    feedback.command(name="tolerated")(list_tolerated)
    app.add_typer(feedback, name="feedback")


def list_feedback(config: Config = None, data: Data = None, as_json: AsJson = False) -> None:
    """List the labels that are in force: what people called normal, and what was confirmed.

    Example: recoup feedback list
    """
    from recoup.labels import Labels

    with opened(settings_of(config, data)) as store:
        known = Labels(store).in_force()
    rows = [
        {
            "incident_id": incident_id,
            "label": "normal" if benign else "confirmed",
            "metric": known.seen[incident_id].metric,
            "cohort": known.seen[incident_id].cohort.label,
        }
        for incident_id, benign in known.benign.items()
    ]
    if as_json:
        show_json(rows)
        return
    show_table(
        "Feedback in force",
        ("incident", "label", "metric", "cohort"),
        [tuple(row.values()) for row in rows],
        empty="Nothing was said of any incident yet.",
    )


def show_preview(
    incident_id: IncidentId, config: Config = None, data: Data = None, as_json: AsJson = False
) -> None:
    """Say what calling an incident a false positive would have changed in the past; change nothing.

    Example: recoup feedback preview inc_0123456789abcdef0123
    """
    from recoup.labels import Labels, said_of

    with opened(settings_of(config, data)) as store:
        found = Labels(store).preview(incident_id)
    if as_json:
        show_json(found._asdict())
        return
    print(said_of(found))
    for name, ids in (("kept from opening", found.removed), ("hidden", found.hidden)):
        if ids:
            print(f"  {name}: {', '.join(ids)}")


def undo(
    incident_id: IncidentId,
    reason: Annotated[str, typer.Option(help="Why, for the audit.")] = "",
    by: Annotated[str, typer.Option(help="Who takes it back.")] = "operator",
    config: Config = None,
    data: Data = None,
) -> None:
    """Take back what was said of an incident; what was learned from it is unlearned.

    Example: recoup feedback undo inc_0123456789abcdef0123 --reason "it was real"
    """
    from recoup.domain.proposals import Person
    from recoup.labels import Labels

    settings = settings_of(config, data)
    with opened(settings) as store:
        person = Person(id=f"cli:{by}", name=by)
        Labels(store).withdraw(incident_id, person, reason, settings.clock.clock())
    print(f"Taken back: {incident_id} is no longer called normal.")


def list_tolerated(config: Config = None, data: Data = None, as_json: AsJson = False) -> None:
    """List the alarms that opened no incident because people had called others like them normal.

    Example: recoup feedback tolerated
    """
    from recoup.domain.facts import AlarmTolerated

    rows: list[AlarmTolerated] = []
    with opened(settings_of(config, data)) as store:
        position = 0
        while entries := store.read_facts(position, PAGE, (AlarmTolerated.type_name,)):
            rows += [entry.fact for entry in entries if isinstance(entry.fact, AlarmTolerated)]
            position = entries[-1].position
    if as_json:
        show_json(rows)
        return
    show_table(
        "Alarms that were let pass",
        ("at", "metric", "cohort", "observed", "expected", "like"),
        [
            (
                f"{row.at:%F %H:%M}",
                row.metric,
                row.cohort.label,
                f"{row.observed:.1%}",
                f"{row.expected:.1%}",
                ", ".join(row.like),
            )
            for row in rows
        ],
        empty="No alarm was let pass.",
    )
