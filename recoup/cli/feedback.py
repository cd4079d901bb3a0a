"""``recoup feedback``: what was said of incidents, what that changes, and taking it back."""

from typing import TYPE_CHECKING, Annotated

import typer

from recoup.cli._shared import AsJson, Config, Data, opened, settings_of, show_json, show_table
from recoup.domain.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from detectors.sensitivity import Sensitivity
    from store.opening import Store

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
    app.add_typer(feedback, name="feedback")


def list_feedback(config: Config = None, data: Data = None, as_json: AsJson = False) -> None:
    """List the labels that are in force: what people called normal, and what was confirmed.

    Example: recoup feedback list
    """
    with opened(settings_of(config, data)) as store:
        known = _learned(store)
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
    from detectors.sensitivity import preview

    with opened(settings_of(config, data)) as store:
        known = _learned(store)
    _require(known, incident_id)
    found = preview(known, incident_id)
    if as_json:
        show_json(found._asdict())
        return
    print(f"Of {found.past} past incidents, this label would have")
    print(f"  kept {len(found.removed)} from opening: {', '.join(found.removed) or 'none'}")
    print(f"  hidden {len(found.hidden)} that were confirmed: {', '.join(found.hidden) or 'none'}")
    if not found.removed:
        print("One label alone rarely silences a pattern: about two that are alike do.")


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
    from recoup.domain.facts import FeedbackWithdrawn, NewFact

    settings = settings_of(config, data)
    with opened(settings) as store:
        known = _learned(store)
        _require(known, incident_id)
        if not known.benign.get(incident_id, False):
            raise InvalidInput(f"nobody calls {incident_id} normal; see `recoup feedback list`")
        taken_back = FeedbackWithdrawn(incident_id=incident_id, by=f"cli:{by}", reason=reason)
        entries = store.read_stream(incident_id)
        new = NewFact(
            fact_id=f"{incident_id}:withdrawn:{entries[-1].version}",
            fact=taken_back,
            occurred_at=settings.clock.clock().now(),
            actor=f"cli:{by}",
            correlation_id=incident_id,
        )
        store.append(incident_id, [new])
    print(f"Taken back: {incident_id} is no longer called normal.")


def _require(known: "Sensitivity", incident_id: str) -> None:
    if incident_id not in known.seen:
        raise NotFound(f"no incident {incident_id!r}; see `recoup incidents list`")


def _learned(store: "Store") -> "Sensitivity":
    """Return what the detector has learned from labels, from the same facts."""
    from detectors.sensitivity import TELLING, Sensitivity

    known, position = Sensitivity(), 0
    while entries := store.read_facts(position, PAGE, TELLING):
        for entry in entries:
            known.take(entry.fact)
        position = entries[-1].position
    return known
