"""``recoup feedback``: what was said of incidents, what that changes, and taking it back."""

from typing import TYPE_CHECKING, Annotated

import typer

from recoup.cli._shared import (
    HERE,
    ApiKey,
    AsJson,
    Config,
    Data,
    Url,
    opened,
    settings_of,
    show_json,
    show_table,
)
from recoup.domain.learning_facts import Label

if TYPE_CHECKING:
    from recoup.domain.proposals import DecisionAnswer

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
    feedback.command(name="give")(give)
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


def give(
    incident_id: IncidentId,
    label: Annotated[Label, typer.Argument(help="What it was.")],
    reason: Annotated[str, typer.Option(help="Why; Recoup and people learn from it.")],
    url: Url = HERE,
    key: ApiKey = "",
) -> None:
    """Say what an incident was: false_positive, expected, new_trend or confirmed.

    An open incident that is a false positive is closed, and what was done is taken back. As for
    every decision your key needs the scope `decide`. Exit code 1 when it was refused.

    Example: recoup feedback give inc_0123456789abcdef0123 expected --reason "the weekly sale"
    """
    from integrations.recoup_decisions import DecisionClient

    _show(DecisionClient(url, key).say(incident_id, label, reason))


def undo(
    incident_id: IncidentId,
    reason: Annotated[str, typer.Option(help="Why, for the audit.")] = "",
    url: Url = HERE,
    key: ApiKey = "",
) -> None:
    """Take back what was said of an incident; what was learned from it is unlearned.

    Whoever may say it may take it back: your key needs the scope `decide`.

    Example: recoup feedback undo inc_0123456789abcdef0123 --reason "it was real"
    """
    from integrations.recoup_decisions import DecisionClient

    _show(DecisionClient(url, key).take_back(incident_id, reason))


def _show(answer: "DecisionAnswer") -> None:
    print(answer.text)
    if not answer.accepted:
        raise typer.Exit(1)


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
