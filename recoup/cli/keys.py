"""``recoup keys``: API keys made, listed, rotated and revoked; and links that sign in once."""

import getpass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from recoup.cli._shared import AsJson, Config, Data, opened, settings_of, show_json, show_table
from recoup.domain.access import ROLES, Key, Scope
from recoup.domain.errors import InvalidInput

if TYPE_CHECKING:
    from recoup.keys import KeyRing
    from store.opening import Store

KeyId = Annotated[str, typer.Argument(help="As `recoup keys list` shows it.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    keys = typer.Typer(help="Make, list, rotate and revoke API keys.", no_args_is_help=True)
    for name, command in (
        ("create", create),
        ("list", list_keys),
        ("rotate", rotate),
        ("revoke", revoke),
        ("link", link),
    ):
        keys.command(name=name)(command)
    app.add_typer(keys, name="keys")


def create(
    name: Annotated[str, typer.Argument(help="Who or what will use it.")],
    scope: Annotated[list[Scope], typer.Option(help="What it opens; repeatable.")],
    days: Annotated[int, typer.Option(help="It ends after so many days; 0: never.")] = 0,
    config: Config = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make a key; it is shown this once and kept only as a hash.

    Example: recoup keys create "GitHub Actions" --scope changes:write --days 365
    """
    with opened(settings_of(config, data)) as store:
        valid = timedelta(days=days) if days else None
        key, text = _ring(store).create(name, tuple(scope), _who(), valid)
    _show_new(key, text, as_json)


def list_keys(config: Config = None, data: Data = None, as_json: AsJson = False) -> None:
    """List the keys there ever were, with what they open and whether they still do.

    Example: recoup keys list --json
    """
    with opened(settings_of(config, data)) as store:
        now = store.clock.now()
        keys = _ring(store).all()
    if as_json:
        hidden = [key.model_dump(mode="json", exclude={"digest"}) for key in keys]
        show_json(
            [{**row, "valid": key.is_valid(now)} for row, key in zip(hidden, keys, strict=True)]
        )
        return
    show_table(
        "API keys",
        ("id", "name", "scopes", "made", "valid"),
        [
            (
                key.key_id,
                key.name,
                ", ".join(key.scopes),
                f"{key.created_at:%F %R}",
                _validity(key, is_valid=key.is_valid(now)),
            )
            for key in keys
        ],
        empty="No keys: only this machine is served. `recoup keys create NAME --scope admin`.",
    )


def rotate(
    key_id: KeyId,
    grace_hours: Annotated[float, typer.Option(help="The old key still works so long.")] = 24.0,
    config: Config = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make a successor with the same name and scopes; the old key ends after the grace.

    Example: recoup keys rotate 1a2b3c4d --grace-hours 2
    """
    with opened(settings_of(config, data)) as store:
        key, text = _ring(store).rotate(key_id, _who(), timedelta(hours=grace_hours))
    _show_new(key, text, as_json)


def revoke(
    key_id: KeyId,
    reason: Annotated[str, typer.Option(help="Kept in the audit log.")] = "",
    config: Config = None,
    data: Data = None,
) -> None:
    """End a key at once; sessions that were begun with it end too.

    Example: recoup keys revoke 1a2b3c4d --reason "was in a screenshot"
    """
    with opened(settings_of(config, data)) as store:
        key = _ring(store).revoke(key_id, _who(), reason)
    print(f"revoked {key.key_id} ({key.name})")


def link(
    name: Annotated[str, typer.Argument(help="Who is to be signed in.")],
    role: Annotated[list[str], typer.Option(help="viewer, responder, approver, admin.")],
    config: Config = None,
    data: Data = None,
) -> None:
    """Print a link that signs somebody in to the pages, once, within a quarter of an hour.

    Example: recoup keys link anna --role approver
    """
    from recoup.domain.proposals import Person
    from recoup.web.sessions import make_link, secret_of

    unknown = sorted(set(role) - set(ROLES))
    if unknown:
        raise InvalidInput(f"--role {unknown[0]!r} is not one of {', '.join(ROLES)}")
    settings = settings_of(config, data)
    person = Person(id=f"link:{name}", name=name, roles=tuple(role))
    with opened(settings) as store:
        token = make_link(secret_of(store.master_key), person)
    base = settings.public_url or f"http://{settings.host}:{settings.port}"
    print(f"{base.rstrip('/')}/signin/link?token={token}")


def _ring(store: "Store") -> "KeyRing":
    from recoup.keys import KeyRing

    return KeyRing(store, store.clock)


def _who() -> str:
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # no entry for this user in a container
        return "cli"


def _show_new(key: Key, text: str, as_json: bool) -> None:
    if as_json:
        show_json({"key_id": key.key_id, "name": key.name, "scopes": key.scopes, "key": text})
        return
    print(text)
    typer.echo(f"Key {key.key_id} ({key.name}). It is not shown again.", err=True)


def _validity(key: Key, *, is_valid: bool) -> str:
    if not is_valid:
        return "no"
    ends = [at for at in (key.expires_at, key.revoked_at) if at]
    return f"until {min(ends):%F %R}" if ends else "yes"
