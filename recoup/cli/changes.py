"""``recoup changes``: what was altered, and ``recoup change record`` for CI."""

import json
from datetime import timedelta
from typing import Annotated, Any

import typer

from recoup.cli._shared import AsJson, Config, Data, opened, settings_of, show_json, show_table
from recoup.domain.changes import Change, ChangeKind
from recoup.domain.errors import InvalidInput


def register(app: typer.Typer) -> None:
    """Add the commands."""
    changes = typer.Typer(help="Record and list changes.", no_args_is_help=True)
    changes.command(name="list")(list_changes)
    changes.command(name="record")(record)
    app.add_typer(changes, name="changes")


def list_changes(
    config: Config = None,
    data: Data = None,
    hours: Annotated[float, typer.Option(help="How far back.")] = 24.0,
    as_json: AsJson = False,
) -> None:
    """List the changes of the last hours, the earliest first.

    Example: recoup changes list --hours 6
    """
    settings = settings_of(config, data)
    now = settings.clock.clock().now()
    with opened(settings) as store:
        found = store.changes.between(now - timedelta(hours=hours), now)
    if as_json:
        show_json(found)
        return
    show_table(
        f"Changes of the last {hours:g} h",
        ("time", "kind", "title", "scope", "id"),
        [(f"{c.time:%F %T}", c.kind, c.title, _scope(c), c.id) for c in found],
        empty="No changes. CI posts them with `recoup changes record` or POST /v1/changes.",
    )


def record(
    kind: Annotated[ChangeKind, typer.Argument(help="What sort of thing was altered.")],
    title: Annotated[str, typer.Argument(help="One line that people will read.")],
    ref: Annotated[str, typer.Option(help="Its name in its own system: commit, flag key ...")] = "",
    scope: Annotated[
        list[str] | None, typer.Option(help="Who is touched, as dimension=value; repeatable.")
    ] = None,
    undo: Annotated[str, typer.Option(help="JSON with what an action needs to undo it.")] = "{}",
    change_id: Annotated[str, typer.Option("--id", help="Idempotency key; else from --ref.")] = "",
    url: Annotated[
        str, typer.Option(envvar="RECOUP_URL", help="Address of Recoup.")
    ] = "http://127.0.0.1:8787",
    key: Annotated[
        str, typer.Option(envvar="RECOUP_KEY", help="API key.", show_default=False)
    ] = "",
) -> None:
    """Tell Recoup, over HTTP, that the shop was changed; for CI.

    With --id or --ref it is safe to repeat: the same change counts once.

    Example: recoup changes record deploy "checkout 4.18" --ref 4f2a9c1 --scope release=4.18
    """
    from integrations.recoup_api import post_change
    from recoup.domain.clock import SystemClock
    from recoup.domain.ids import RandomIds, derive_id

    scopes = scope or []
    natural = derive_id("chg", kind, title, ref, *scopes) if ref else RandomIds().new("chg")
    change = Change(
        id=change_id or natural,
        kind=kind,
        time=SystemClock().now(),
        title=title,
        ref=ref,
        scope=_parse_scope(scopes),
        undo=_parse_undo(undo),
    )
    post_change(url, key, change)
    print(f"recorded {change.id}")


def _parse_scope(pairs: list[str]) -> dict[str, str | list[str]]:
    """Turn ``["os=iOS 16", "os=iOS 17"]`` into ``{"os": ["iOS 16", "iOS 17"]}``."""
    found: dict[str, list[str]] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name or not value:
            raise InvalidInput(f"--scope {pair!r} is not dimension=value")
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _parse_undo(text: str) -> dict[str, Any]:
    try:
        undo = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"--undo is not JSON: {error}") from error
    if not isinstance(undo, dict):
        raise InvalidInput("--undo must be a JSON object")
    return undo


def _scope(change: Change) -> str:
    parts = (
        f"{name}={value if isinstance(value, str) else '|'.join(value)}"
        for name, value in sorted(change.scope.items())
    )
    return ", ".join(parts) or "everyone"
