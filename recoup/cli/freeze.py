"""``recoup freeze``: forbid every action at once, allow it again, or see how it stands."""

from typing import Annotated

import typer

from recoup.cli._shared import AsJson, Config, Data, opened, settings_of, show_fields, show_json
from recoup.domain.facts import FreezeSet
from recoup.domain.freezing import last_turn, turn
from recoup.domain.ids import RandomIds

By = Annotated[str, typer.Option(help="Who orders it; stands in the log.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="The switch that forbids every action.", no_args_is_help=True)
    group.command()(on)
    group.command()(off)
    group.command()(status)
    app.add_typer(group, name="freeze")


def on(
    config: Config = None,
    data: Data = None,
    reason: Annotated[str, typer.Option(help="Why; people see it in every proposal.")] = "",
    by: By = "operator",
) -> None:
    """Forbid every action from now on; proposals then say what to do by hand.

    Example: recoup freeze on --reason "sale until midnight"
    """
    _set(config, data, FreezeSet(frozen=True, by=by, reason=reason))
    print("Frozen: Recoup does nothing by itself until `recoup freeze off`.")


def off(config: Config = None, data: Data = None, by: By = "operator") -> None:
    """Allow actions again; proposals made meanwhile are made anew when they expire.

    Example: recoup freeze off
    """
    _set(config, data, FreezeSet(frozen=False, by=by))
    print("Not frozen: approved actions are carried out again.")


def status(config: Config = None, data: Data = None, as_json: AsJson = False) -> None:
    """Show whether actions are forbidden, by whom and since when.

    Example: recoup freeze status --json
    """
    with opened(settings_of(config, data)) as store:
        last = last_turn(store)
    fact = last.fact if last else None
    frozen = isinstance(fact, FreezeSet) and fact.frozen
    found = {"frozen": frozen, "by": "", "reason": "", "since": None}
    if last is not None and isinstance(fact, FreezeSet):
        found |= {"by": fact.by, "reason": fact.reason, "since": last.occurred_at}
    if as_json:
        show_json(found)
        return
    show_fields({name: "" if value is None else str(value) for name, value in found.items()})


def _set(config: "Config", data: "Data", fact: FreezeSet) -> None:
    with opened(settings_of(config, data)) as store:
        turn(store, RandomIds().new("freeze"), fact, store.clock.now())
