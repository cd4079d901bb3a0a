"""``recoup.env``: the keys and secrets of a new shop, for a shell to read; kept when it exists.

Secrets that Recoup may choose (the one that signs GitHub's webhooks, say) are made here; those that
a vendor gives stand as empty lines to fill in.
"""

import re
import secrets
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

from recoup.inforce import sections
from recoup.settings import PREFIX
from recoup.starting.answers import ENVIRONMENT_FILE, WITH_WRITE_KEY, Answers
from recoup.starting.configuration import secret_names

OURS_TO_CHOOSE = {
    "github": "webhook_secret",
    "gitlab": "webhook_token",
    "launchdarkly": "webhook_secret",
    "argo": "webhook_token",
    "cdevents": "webhook_token",
}
"""Secrets that are given to the vendor, not by it."""

_LINE = re.compile(r"^export ([A-Z0-9_]+)=(.*)$")
_HEAD = """\
# Keys and secrets of Recoup for {shop}. Read it into a shell: . {here}
# Nobody else may read this file; it is not to be committed.
"""
MakeKey = Callable[[str, str, str], str]
"""Makes the API key of a variable, with a name and a scope, or keeps the old one."""


def read_environment(text: str) -> dict[str, str]:
    """Return the variables that an earlier ``recoup.env`` sets."""
    found = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        if match and (words := shlex.split(match[2], comments=True)):
            found[match[1]] = words[0]
    return found


def environment(answers: Answers, before: Mapping[str, str], make_key: MakeKey) -> str:
    """Return the text of ``recoup.env``; what stood there before is kept."""
    fixed = {
        "RECOUP_CONFIG": str(answers.folder.resolve() / "recoup.toml"),
        "RECOUP_URL": answers.local_url,
    }
    lines = [_HEAD.format(shop=repr(answers.shop), here=_path(answers.folder))]
    lines += [_export(name, value) for name, value in fixed.items()]
    written = set(fixed)
    for variable, name, scope, purpose in _keys(answers):
        lines += [f"# {purpose}", _export(variable, make_key(variable, name, scope))]
        written.add(variable)
    for name, value, purpose in _secrets(answers):
        value = before.get(name) or value
        lines.append(f"# {purpose}")
        lines.append(_export(name, value) if value else f"# export {name}=")
        written.add(name)
    kept = [_export(name, value) for name, value in before.items() if name not in written]
    if kept:
        lines += ["# from before", *kept]
    return "\n".join(lines) + "\n"


def _keys(answers: Answers) -> list[tuple[str, str, str, str]]:
    """Return variable, name, scope and purpose of the API keys that this shop begins with."""
    found = [
        ("RECOUP_KEY", "first admin", "admin", "your own API key: opens everything, the pages too"),
        ("RECOUP_CI_KEY", "CI", "changes:write", "for CI, as its secret RECOUP_KEY: only changes"),
    ]
    if "api" in answers.sources:
        purpose = "for your servers: adds events and nothing else"
        found.append(("RECOUP_EVENTS_KEY", "servers", "events:write", purpose))
    return found


def _secrets(answers: Answers) -> list[tuple[str, str, str]]:
    """Return name, value and purpose of what the chosen integrations need; empty to fill in."""
    found = []
    if WITH_WRITE_KEY & set(answers.sources):
        purpose = "the write key of the tracker and its like; anybody may read it"
        found.append(("RECOUP_TRACKER_WRITE_KEYS", secrets.token_urlsafe(18), purpose))
    known = {section.section_name: section for section in sections()}
    for name in answers.sections:
        section = known[name]
        for field in secret_names(section):
            variable = f"{PREFIX}{name}_{field}".upper()
            ours = OURS_TO_CHOOSE.get(name) == field
            if variable not in {each[0] for each in found}:
                purpose = section.model_fields[field].description or ""
                found.append((variable, secrets.token_urlsafe(24) if ours else "", purpose))
    return found


def _export(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}"


def _path(folder: Path) -> str:
    return shlex.quote(str(folder / ENVIRONMENT_FILE))
