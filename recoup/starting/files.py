"""Everything that ``recoup init`` writes, and the writing: nothing is overwritten unasked."""

import json
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from recoup.domain.base import Frozen
from recoup.domain.errors import InvalidInput
from recoup.starting.answers import ENVIRONMENT_FILE, Answers
from recoup.starting.configuration import DATA, configuration

UNKNOWN_URL = "https://recoup.example.com"
FIRST_EVENT = "first-event.ndjson"
SECRET_MODE = 0o600


class NewFile(Frozen):
    """One file: its place in the folder, its text, and what it is in one line."""

    place: str
    text: str
    purpose: str


def new_files(answers: Answers, now: datetime) -> list[NewFile]:
    """Return the files for these answers but the one with secrets, which needs keys first."""
    found = [
        NewFile(
            place="recoup.toml",
            text=configuration(answers),
            purpose="settings, each with what it is for and its default",
        ),
        NewFile(
            place=".gitignore",
            text=f"{ENVIRONMENT_FILE}\n{DATA}/\n",
            purpose="keeps secrets and data out of git",
        ),
        NewFile(place=FIRST_EVENT, text=_first_event(now), purpose="one event, to try it out"),
    ]
    if answers.chat == "slack":
        text = slack_manifest(_name(answers), answers.public_url or UNKNOWN_URL)
        purpose = "the Slack app: api.slack.com/apps > Create New App > From a manifest"
        found.append(NewFile(place="slack-manifest.yaml", text=text, purpose=purpose))
    return found + _for_ci(answers)


def slack_manifest(name: str, url: str) -> str:
    """Return the manifest of the Slack app for an address of Recoup."""
    return _drawn("slack-manifest.yaml", name=name, url=url)


def _name(answers: Answers) -> str:
    longest = 35  # what Slack allows an app's name
    return f"Recoup {answers.shop}"[:longest].strip()


def _first_event(now: datetime) -> str:
    event = {
        "id": f"hello-{now:%Y%m%d%H%M%S}",
        "type": "page_viewed",
        "time": now.isoformat(timespec="milliseconds"),
        "session": "hello",
        "dims": {"device": "desktop", "country": "DE"},
        "props": {"path": "/"},
    }
    return json.dumps(event) + "\n"


def _for_ci(answers: Answers) -> list[NewFile]:
    url = answers.public_url or UNKNOWN_URL
    values = {"url": url, "placeholder": not answers.public_url}
    found = []
    if "github" in answers.vendors:
        action, step = _raw("github-action.yml"), _drawn("github-step.yml", **values)
        found += [
            NewFile(
                place="ci/recoup-change/action.yml",
                text=action,
                purpose="a GitHub Action; copy the folder into .github/actions/",
            ),
            NewFile(
                place="ci/github-step.yml", text=step, purpose="the step behind your deployment"
            ),
        ]
    if "gitlab" in answers.vendors:
        text = _raw("gitlab.yml") + _drawn("gitlab-job.yml", **values)
        purpose = "a GitLab job; include it in .gitlab-ci.yml"
        found.append(NewFile(place="ci/recoup.gitlab-ci.yml", text=text, purpose=purpose))
    return found


def refuse_existing(folder: Path, places: Iterable[str]) -> None:
    """Raise InvalidInput when one of the files is there already."""
    there = [place for place in places if (folder / place).exists()]
    if there:
        raise InvalidInput(
            f"{folder} has {', '.join(there)} already; choose another folder, or --force to write "
            f"anew (keys and secrets in {ENVIRONMENT_FILE} are kept)"
        )


def write(folder: Path, files: Iterable[NewFile]) -> None:
    """Write the files; the one with secrets is readable by its owner alone, from the start."""
    for file in files:
        path = folder / file.place
        path.parent.mkdir(parents=True, exist_ok=True)
        if file.place != ENVIRONMENT_FILE:
            path.write_text(file.text)
            continue
        part = path.with_name(f"{ENVIRONMENT_FILE}.part")
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, SECRET_MODE), "w") as to:
            to.write(file.text)
        part.replace(path)


def _environment() -> Environment:
    # Nothing here is HTML; what comes from people is written by `tojson`, which YAML can read.
    return Environment(
        loader=PackageLoader("recoup", "templates/init"),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=False,
    )


def _drawn(template: str, **values: object) -> str:
    return _environment().get_template(template).render(values)


def _raw(name: str) -> str:
    loader = _environment().loader
    assert loader is not None
    return loader.get_source(_environment(), name)[0]
