"""``recoup shadow``: detectors that look on, beside the live one."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recoup.cli._shared import AsJson, Config, Data, opened, settings_of, show_json, show_table
from recoup.domain.errors import InvalidInput
from recoup.domain.facts import (
    Fact,
    IncidentOpened,
    Recorded,
    ShadowIncidentOpened,
    ShadowIncidentUpdated,
)
from recoup.settings import DetectSettings

if TYPE_CHECKING:
    from detectors.shadow_report import ShadowReport
    from store.opening import Store

LIVE = "live"
MOST = 5_000


def register(app: typer.Typer) -> None:
    """Add the commands."""
    shadow = typer.Typer(help="Detectors that look on beside the live one.", no_args_is_help=True)
    shadow.command(name="report")(report)
    shadow.callback()(lambda: None)
    app.add_typer(shadow, name="shadow")


def report(
    candidate: Annotated[
        str, typer.Argument(help="A name under [detect.shadow]; empty for all.")
    ] = "",
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="UTC; default: all."),
    ] = None,
    config: Config = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Compare candidates with the live detector, and with what people said of its incidents.

    A candidate is a name under [detect.shadow] with the settings that differ. It hears the same
    log; what it finds is recorded and starts nothing.

    Example: recoup shadow report eager --since 2026-11-01
    """
    settings = settings_of(config, data)
    known = settings.detect.candidates()
    wanted = {name: each for name, each in known.items() if candidate in ("", name)}
    if not wanted:
        raise InvalidInput(
            f"no candidate {candidate!r} in the settings; name one, as [detect.shadow.{candidate}]"
            if candidate
            else "no candidate in the settings; add [detect.shadow.NAME] with what differs"
        )
    start = since.replace(tzinfo=UTC) if since else None
    with opened(settings) as store:
        made = [
            (*_reported(store, name, each, start), settings.detect, each)
            for name, each in wanted.items()
        ]
    if as_json:
        show_json([_plain(found, behind, live, detect) for found, behind, live, detect in made])
        return
    for found, behind, live, detect in made:
        _show(found, behind, live, detect)


def _reported(
    store: "Store", name: str, detect: DetectSettings, start: datetime | None
) -> tuple["ShadowReport", int]:
    """Return the report, and how far behind the log the candidate is, in positions."""
    from detectors.shadow import projection_of, version_of
    from detectors.shadow_report import report as compared

    version = version_of(detect)
    reached = store.checkpoint(projection_of(name, version))
    stats = store.stats()
    first, last = stats.first_time, stats.last_time
    if first is None or last is None or not reached:
        raise InvalidInput(f"{name} has read nothing yet; `recoup detect` runs it")
    seen = {entry.stream for entry in _facts(store, IncidentOpened) if entry.position <= reached}
    live = [each for each in store.incidents.list(limit=MOST) if each.id in seen]
    facts = [
        entry.fact
        for entry in _facts(store, ShadowIncidentOpened, ShadowIncidentUpdated)
        if isinstance(entry.fact, ShadowIncidentOpened | ShadowIncidentUpdated)
    ]
    found = compared((name, version), live, facts, start or first, last)
    return found, max(0, stats.last_position - reached)


def _facts(store: "Store", *kinds: type[Fact]) -> list[Recorded]:
    found: list[Recorded] = []
    types = [kind.type_name for kind in kinds]
    while more := store.read_facts(found[-1].position if found else 0, 1000, types):
        found += more
    return found


def _plain(
    found: "ShadowReport", behind: int, live: DetectSettings, detect: DetectSettings
) -> dict[str, Any]:
    from recoup.cli._comparing import as_plain, differences

    plain = as_plain(found.comparison)
    return {
        "candidate": found.candidate,
        "settings": found.settings,
        "behind": behind,
        "differences": [
            {"name": name, "live": mine, "candidate": other}
            for name, mine, other in differences(live, detect)
        ],
        "said": found.said,
        "verdicts": found.verdicts,
        "days": plain["days"],
        "totals": {
            "live": plain["totals"]["a"],
            "candidate": plain["totals"]["b"],
        },
        "both": [
            {
                "live": each["a"],
                "candidate": each["b"],
                "earlier_minutes": each["b_earlier_minutes"],
                "earlier_worth": each["b_earlier_worth"],
            }
            for each in plain["both"]
        ],
        "only_live": plain["only_a"],
        "only_candidate": plain["only_b"],
    }


def _show(found: "ShadowReport", behind: int, live: DetectSettings, detect: DetectSettings) -> None:
    from recoup.cli._comparing import differences, show

    name, said = found.candidate, found.said
    rows = [list(row) for row in differences(live, detect)]
    text = f"{name} detects as the live one does."
    show_table(f"Candidate {name} ({found.settings})", ["setting", LIVE, name], rows, empty=text)
    show(found.comparison, LIVE, name)
    show_table(
        "What people said of the live incidents",
        ["", f"{name} found it", f"{name} did not"],
        [
            ["verified", str(said.verified_found), str(said.verified_missed)],
            [
                "false positive",
                str(said.false_positive_repeated),
                str(said.false_positive_avoided),
            ],
            ["nothing yet", str(said.unlabelled_found), str(said.unlabelled_missed)],
        ],
        empty="",
    )
    if behind:
        typer.echo(
            f"{name} is {behind:,} positions behind the log; what it has not read is left out."
        )
