"""``recoup change``: what was altered; ``recoup change record`` is for CI."""

import json
import sys
from datetime import timedelta
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from recoup.cli._shared import AsJson, Config, Data, opened, settings_of, show_json, show_table
from recoup.domain.changes import Change, ChangeKind
from recoup.domain.errors import ContentConflict, InvalidInput, TransientVendorError

HERE = "http://127.0.0.1:8787"
REFS = ["RECOUP_REF", "GITHUB_SHA", "CI_COMMIT_SHA"]
PEOPLE = ["RECOUP_BY", "GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILD_USER_ID"]
RUNS = ["RECOUP_RUN", "GITHUB_RUN_ID", "CI_JOB_ID", "BUILD_TAG"]
"""What CI systems set by themselves: GitHub, GitLab, Jenkins."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    change = typer.Typer(help="Record and list changes of the shop.", no_args_is_help=True)
    change.command(name="record")(record)
    change.command(name="list")(list_changes)
    app.add_typer(change, name="change")
    app.add_typer(change, name="changes", hidden=True)


def list_changes(
    config: Config = None,
    data: Data = None,
    hours: Annotated[float, typer.Option(help="How far back.")] = 24.0,
    as_json: AsJson = False,
) -> None:
    """List the changes of the last hours, the earliest first.

    Example: recoup change list --hours 6
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
        ("time", "kind", "title", "by", "scope", "id"),
        [(f"{c.time:%F %T}", c.kind, c.title, c.by, _scope(c), c.id) for c in found],
        empty="No changes. CI posts them with `recoup change record` or POST /v1/changes.",
    )


def record(
    kind: Annotated[ChangeKind, typer.Option(help="What sort of thing was altered.")],
    title: Annotated[str, typer.Option(help="One line that people will read.")],
    ref: Annotated[
        str, typer.Option(envvar=REFS, help="Its name in its own system: commit, key ...")
    ] = "",
    scope: Annotated[
        list[str] | None, typer.Option(help="Who is touched, as dimension=value; repeatable.")
    ] = None,
    undo: Annotated[str, typer.Option(help="JSON with what an action needs to undo it.")] = "{}",
    by: Annotated[
        str, typer.Option(envvar=PEOPLE, help="Who made it: login or e-mail address.")
    ] = "",
    time: Annotated[
        str, typer.Option(help="When it took effect, as 2026-11-24T10:00:00Z; else now.")
    ] = "",
    change_id: Annotated[str, typer.Option("--id", help="Idempotency key; else made up.")] = "",
    run: Annotated[
        str, typer.Option(envvar=RUNS, help="The run of CI; its repeats count once.")
    ] = "",
    url: Annotated[str, typer.Option(envvar="RECOUP_URL", help="Address of Recoup.")] = HERE,
    key: Annotated[
        str, typer.Option(envvar="RECOUP_KEY", help="API key.", show_default=False)
    ] = "",
    attempts: Annotated[int, typer.Option(min=1, max=20, help="How often to try.")] = 5,
    optional: Annotated[
        bool, typer.Option("--optional", help="Warn, but succeed, when Recoup is away.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tell Recoup, over HTTP, that the shop was changed; for CI.

    It is safe to repeat: the same --id, or the same words in the same run of CI, counts once.

    Example: recoup change record --kind deploy --title "checkout 4.18" --scope release=4.18
    """
    from recoup.domain.clock import SystemClock
    from recoup.domain.ids import RandomIds, derive_id

    scopes = scope or []
    natural = derive_id("chg", kind, title, ref, run, *scopes) if run else RandomIds().new("chg")
    change = _change(
        id=change_id or natural,
        kind=kind,
        time=time or SystemClock().now(),
        title=title[:500],
        ref=ref[:500],
        scope=_parse_scope(scopes),
        undo=_parse_undo(undo),
        by=by[:200],
    )
    outcome = _send(url, key, change, attempts, optional=optional)
    if as_json:
        show_json({"id": change.id, "outcome": outcome})
    else:
        print(f"{outcome}: {change.id}")


def _change(**words: Any) -> Change:
    """Return the change. Raises InvalidInput that names the option."""
    try:
        return Change(**words)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise InvalidInput(f"--{first['loc'][0]}: {first['msg']}") from error


def _send(url: str, key: str, change: Change, attempts: int, *, optional: bool) -> str:
    """Post the change; return what became of it."""
    from integrations.recoup_api import post_change

    try:
        return "recorded" if post_change(url, key, change, attempts=attempts) else "known already"
    except ContentConflict:
        return "known already"
    except TransientVendorError as error:
        if not optional:
            raise
        print(f"recoup: {error}; going on without", file=sys.stderr)
        return "not recorded"


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
