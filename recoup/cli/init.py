"""``recoup init``: five questions, then settings, keys, a Slack manifest and a CI snippet."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recoup.cli._shared import AsJson, opened, settings_of, show_json
from recoup.domain.access import Scope
from recoup.domain.errors import InvalidInput

if TYPE_CHECKING:
    from recoup.starting.answers import Answers
    from recoup.starting.files import NewFile
    from recoup.starting.steps import Steps

BY = "cli:init"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(init)


def init(
    folder: Annotated[Path, typer.Argument(help="Where to write; made if need be.")] = Path(
        "recoup-shop"
    ),
    shop: Annotated[str | None, typer.Option(help="The shop's name.")] = None,
    events: Annotated[
        str | None,
        typer.Option(help="api, tracker, segment, ga4, snowplow, shopify; several by comma."),
    ] = None,
    chat: Annotated[str | None, typer.Option(help="slack or pages.")] = None,
    changes: Annotated[
        str | None,
        typer.Option(
            help="What alters the shop: github, gitlab, launchdarkly ...; none; several by comma."
        ),
    ] = None,
    shadow: Annotated[
        bool | None, typer.Option("--shadow/--no-shadow", help="Do everything but act.")
    ] = None,
    url: Annotated[str, typer.Option(help="How others will reach Recoup, if you know.")] = "",
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 8787,
    currency: Annotated[str, typer.Option(help="Of events that name none.")] = "EUR",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Take defaults, ask nothing.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write anew; keys and secrets are kept.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Set Recoup up for a shop: asks five questions, writes everything to begin with.

    Nothing is overwritten without --force. Each question has an option; --yes takes the defaults.

    Example: recoup init shop --events tracker --changes github,launchdarkly --chat slack
    """
    from recoup.domain.clock import SystemClock
    from recoup.starting.answers import ENVIRONMENT_FILE
    from recoup.starting.environment import read_environment
    from recoup.starting.files import new_files, refuse_existing, write
    from recoup.starting.steps import steps

    asked: dict[str, Any] = {
        "shop": shop,
        "sources": events,
        "chat": chat,
        "vendors": changes,
        "shadow": shadow,
    }
    if not force:
        refuse_existing(folder, ["recoup.toml", ENVIRONMENT_FILE])
    fixed = {"folder": folder, "public_url": url, "port": port, "currency": currency}
    answers = _answers({**asked, **fixed}, ask=not yes)
    files = new_files(answers, SystemClock().now())
    if not force:
        refuse_existing(folder, [file.place for file in files])
    write(folder, files)
    files.append(_with_keys(answers))
    write(folder, files[-1:])
    write_key = read_environment(files[-1].text).get("RECOUP_TRACKER_WRITE_KEYS", "")
    _tell(answers, files, steps(answers, write_key), as_json=as_json)


def _answers(given: dict[str, Any], *, ask: bool) -> "Answers":
    """Return the answers: options first, then what people type, else the defaults."""
    from pydantic import ValidationError

    from recoup.starting.answers import SOURCES, VENDORS, Answers, likely_vendors, several

    def sources(text: str) -> tuple[str, ...]:
        found = several(text, SOURCES)
        if not found:
            raise InvalidInput(f"events come from one of {', '.join(SOURCES)}")
        return found

    def chat(text: str) -> str:
        return several(text, ("slack", "pages"))[0]

    questions: list[tuple[str, str, Any, Callable[[str], Any]]] = [
        ("shop", "What is the shop called?", "My shop", str),
        (
            "sources",
            f"Where do its events come from? (of {', '.join(SOURCES)}; several with commas)",
            "api",
            sources,
        ),
        ("chat", "Where are people asked? (slack, pages)", "pages", chat),
        (
            "vendors",
            f"What alters the shop? (of {', '.join(VENDORS)}; several with commas, or none)",
            likely_vendors(Path()),
            lambda text: several(text, VENDORS),
        ),
    ]
    for name, question, default, read in questions:
        given[name] = _answer(given[name], question, default, read, ask=ask)
    if given["shadow"] is None:
        given["shadow"] = not ask or typer.confirm("Shadow mode: do everything but act?", True)
    try:
        return Answers(**given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise InvalidInput(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _answer(
    given: str | None, question: str, default: str, read: Callable[[str], Any], *, ask: bool
) -> Any:
    if given is not None:
        return read(given)
    if not ask:
        return read(default)

    def proper(text: str) -> Any:
        try:
            return read(text)
        except InvalidInput as error:
            raise typer.BadParameter(str(error)) from error

    return typer.prompt(question, default=default, value_proc=proper)


def _with_keys(answers: "Answers") -> "NewFile":
    """Make the first API keys, or keep those of an earlier time; return the file with them."""
    from recoup.keys import KeyRing
    from recoup.starting.answers import ENVIRONMENT_FILE
    from recoup.starting.environment import environment, read_environment
    from recoup.starting.files import NewFile

    path = answers.folder / ENVIRONMENT_FILE
    before = read_environment(path.read_text()) if path.exists() else {}
    with opened(settings_of(answers.folder / "recoup.toml", None)) as store:
        ring = KeyRing(store, store.clock)

        def make_key(variable: str, name: str, scope: str) -> str:
            known = before.get(variable, "")
            if known and ring.find(known):
                return known
            return ring.create(name, (Scope(scope),), BY)[1]

        text = environment(answers, before, make_key)
    purpose = "API keys and secrets, for your eyes only; read it into a shell"
    return NewFile(place=ENVIRONMENT_FILE, text=text, purpose=purpose)


def _tell(answers: "Answers", files: "list[NewFile]", following: "Steps", *, as_json: bool) -> None:
    if as_json:
        show_json(
            {
                "folder": answers.folder,
                "files": [file.place for file in files],
                "next": following.commands,
                "then": following.further,
            }
        )
        return
    print(f"\nWritten to {answers.folder}/")
    width = max(len(file.place) for file in files)
    for file in files:
        print(f"  {file.place:<{width}}  {file.purpose}")
    print("\nThe next three commands:")
    for number, command in enumerate(following.commands, 1):
        print(f"  {number}. {command}")
    print("\nThen:")
    for text in following.further:
        print(f"  - {text}")
