"""``recoup incidents``: what was found, and how each incident stands."""

from typing import Annotated

import typer

from recoup.cli._shared import AsJson, Config, Data, opened, settings_of, show_json, show_table
from recoup.cli.explain import show_state
from recoup.domain.errors import NotFound
from recoup.domain.incident import Incident


def register(app: typer.Typer) -> None:
    """Add the commands."""
    incidents = typer.Typer(help="List and show incidents.", no_args_is_help=True)
    incidents.command(name="list")(list_incidents)
    incidents.command(name="show")(show_incident)
    app.add_typer(incidents, name="incidents")


def list_incidents(
    config: Config = None,
    data: Data = None,
    open_only: Annotated[bool, typer.Option("--open", help="Only those not closed.")] = False,
    limit: Annotated[int, typer.Option(help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List incidents, the latest first.

    Example: recoup incidents list --open --json
    """
    with opened(settings_of(config, data)) as store:
        found = store.incidents.list(open_only=open_only, limit=limit)
    if as_json:
        show_json(found)
        return
    show_table(
        "Incidents",
        ("id", "opened", "status", "kind", "metric", "cohort", "at risk per hour"),
        [_row(incident) for incident in found],
        empty="No incidents yet. Is `recoup serve` running and getting events?",
    )


def show_incident(
    incident_id: Annotated[str, typer.Argument(help="The incident's id, inc_...")],
    config: Config = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show one incident: its state and every fact, in order.

    Example: recoup incidents show inc_0123456789abcdef0123
    """
    with opened(settings_of(config, data)) as store:
        incident = _get(store.incidents.get(incident_id), incident_id)
        facts = store.read_stream(incident_id)
    if as_json:
        timeline = [
            {
                "position": entry.position,
                "type": entry.fact.type_name,
                "occurred_at": entry.occurred_at,
                "actor": entry.actor,
                "fact": entry.fact.model_dump(mode="json"),
            }
            for entry in facts
        ]
        show_json({"incident": incident, "timeline": timeline})
        return
    show_state(incident)
    show_table(
        "Timeline",
        ("time", "what", "by"),
        [(f"{entry.occurred_at:%F %T}", entry.fact.type_name, entry.actor) for entry in facts],
        empty="No facts.",
    )


def _get(incident: Incident | None, incident_id: str) -> Incident:
    if incident is None:
        raise NotFound(f"no incident {incident_id!r}; see `recoup incidents list`")
    return incident


def _row(incident: Incident) -> tuple[str, ...]:
    status = incident.resolution or incident.status
    return (
        incident.id,
        f"{incident.opened_at:%F %T}",
        str(status),
        str(incident.kind),
        incident.metric,
        incident.cohort.label,
        incident.at_risk_per_hour.text(),
    )
