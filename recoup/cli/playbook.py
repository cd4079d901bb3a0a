"""``recoup playbook``: list, check and try the playbooks without doing anything."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recoup.cli._shared import AsJson, Config, Data, settings_of, show_json, show_table
from recoup.domain.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from playbooks.model import Playbook
    from playbooks.trial import Trial

Folder = Annotated[
    Path | None,
    typer.Option("--dir", help="Your own playbooks. [response.playbook_dir]", file_okay=False),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Playbooks: list, check and try them.", no_args_is_help=True)
    group.command("list")(list_playbooks)
    group.command()(lint)
    group.command("dry-run")(dry_run)
    group.command("test")(run_examples)
    group.command()(schema)
    app.add_typer(group, name="playbook")


def list_playbooks(
    config: Config = None, data: Data = None, folder: Folder = None, as_json: AsJson = False
) -> None:
    """List the playbooks in force, the shipped ones and your own.

    Example: recoup playbook list --dir ./playbooks
    """
    library = _library(config, data, folder)
    ordered = sorted(library.values(), key=lambda each: (-each.priority, each.name))
    if as_json:
        show_json(ordered)
        return
    show_table(
        "Playbooks",
        ("name", "priority", "risk", "when", "actions"),
        [
            (
                each.name,
                str(each.priority),
                each.risk,
                each.when,
                ", ".join(spec.action for spec in each.actions) or "none",
            )
            for each in ordered
        ],
        empty="No playbooks.",
    )


def lint(files: Annotated[list[Path], typer.Argument(help="Playbook files.", exists=True)]) -> None:
    """Check playbook files; every problem names file, line and, where it can, what is meant.

    Example: recoup playbook lint ./playbooks/*.yaml
    """
    from playbooks.loader import check, parse
    from playbooks.registry import shipped_actions
    from playbooks.trial import problems

    wrong = 0
    for file in files:
        text = file.read_text()
        found = list(check(text, str(file), shipped_actions()))
        for error in found:
            print(error, file=sys.stderr)
        wrong += len(found)
        if found:
            continue
        playbook = parse(text, str(file), shipped_actions())
        for problem in problems(playbook, shipped_actions()):
            print(f"{file}: {problem}", file=sys.stderr)
            wrong += 1
    if wrong:
        raise typer.Exit(1)
    print(f"{len(files)} playbook(s) are in order.")


def dry_run(
    change: Annotated[Path, typer.Argument(help="A change as JSON, as CI/CD would post it.")],
    config: Config = None,
    data: Data = None,
    folder: Folder = None,
    live: Annotated[
        bool, typer.Option(help="Also ask the vendors what each action would find and change.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show which playbook would be proposed for a change, and with which actions.

    Nothing is done. Without --live nothing is read from a vendor either; with it, targets are read
    and the vendors validate the change where they can.

    Example: recoup playbook dry-run change.json --live
    """
    from playbooks.registry import shipped_actions
    from playbooks.trial import try_out

    library = _library(config, data, folder)
    body = _read_change(change)
    trials = [
        try_out(each, shipped_actions(), body)
        for each in sorted(library.values(), key=lambda each: (-each.priority, each.name))
    ]
    fitting = [trial for trial in trials if trial.applies]
    if live:
        from recoup.cli._rehearsing import rehearsed

        fitting = rehearsed(settings_of(config, data), fitting)
    if as_json:
        show_json(fitting)
        return
    show_table(
        "The first would be proposed, the others offered",
        ("playbook", "title", "risk", "actions"),
        [
            (
                trial.playbook,
                trial.title,
                trial.risk,
                _actions_of(trial),
            )
            for trial in fitting
        ],
        empty="No playbook applies to this change.",
    )


def _actions_of(trial: "Trial") -> str:
    lines = [f"{call.action} {json.dumps(call.params)}" for call in trial.calls]
    lines += [f"-> {preview.summary} (now {preview.before})" for preview in trial.previews]
    lines += [f"-> cannot be done: {trial.refused}"] if trial.refused else []
    return "\n".join(lines) or "none: people mend it, Recoup proves it"


def run_examples(
    name: Annotated[str | None, typer.Argument(help="One playbook; all without it.")] = None,
    config: Config = None,
    data: Data = None,
    folder: Folder = None,
) -> None:
    """Run the examples that the playbooks carry.

    Example: recoup playbook test flag_rollback
    """
    from playbooks.registry import shipped_actions
    from playbooks.trial import problems

    library = _library(config, data, folder)
    if name is not None and name not in library:
        raise NotFound(f"no playbook {name!r}; see `recoup playbook list`")
    chosen = [library[name]] if name else list(library.values())
    found = [problem for each in chosen for problem in problems(each, shipped_actions())]
    for problem in found:
        print(problem, file=sys.stderr)
    if found:
        raise typer.Exit(1)
    print(f"{sum(len(each.examples) for each in chosen)} example(s) of {len(chosen)} hold.")


def schema() -> None:
    """Print the JSON Schema of a playbook, for editors.

    The shipped one is playbooks/playbook.schema.json; a first line like
    `# yaml-language-server: $schema=playbook.schema.json` lets an editor use it.

    Example: recoup playbook schema > playbook.schema.json
    """
    from playbooks.registry import shipped_actions
    from playbooks.schema import playbook_schema

    show_json(playbook_schema(shipped_actions()))


def _library(config: Path | None, data: Path | None, folder: Path | None) -> "dict[str, Playbook]":
    from playbooks.loader import load_library

    return load_library(folder or settings_of(config, data).response.playbook_dir)


def _read_change(path: Path) -> dict[str, Any]:
    try:
        body = json.loads(path.read_text())
    except OSError as error:
        raise NotFound(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise InvalidInput(f"{path} is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise InvalidInput(f"{path} must hold one JSON object, a change")
    return body
