"""A commented configuration file, made from the settings themselves so that it cannot go stale."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from recoup.inforce import sections
from recoup.settings import PREFIX, Section, Settings
from recoup.starting.answers import Answers

DATA = "data"
_LEFT_OUT = frozenset({"sections", "config_file", "clock"})
_HEAD = """\
# Settings of Recoup for {shop}, written by `recoup init`; yours to edit.
# A line that begins with `# name =` shows a default. `recoup settings` lists what is in force.
# Paths are relative to this file. Secrets stand in recoup.env: the environment wins over this file.
"""


def configuration(answers: Answers) -> str:
    """Return the text of ``recoup.toml``."""
    chosen: dict[str, Any] = {
        "data_dir": DATA,
        "port": answers.port,
        "currency": answers.currency,
        **({"public_url": answers.public_url} if answers.public_url else {}),
    }
    text = [_HEAD.format(shop=json.dumps(answers.shop, ensure_ascii=False))]
    text += _fields(Settings, chosen, PREFIX)
    parts = {"response": {"shadow": answers.shadow}}
    for name, part in _parts(Settings):
        text += ["", *_table(name, part, parts.get(name, {}), f"{PREFIX}{name.upper()}__")]
    known = {section.section_name: section for section in sections()}
    for name in answers.sections:
        text += ["", *_table(name, known[name], {}, f"{PREFIX}{name.upper()}_")]
    return "\n".join(text) + "\n"


def secret_names(section: type[Section]) -> list[str]:
    """Return the fields of a section that are secrets."""
    return [name for name, info in section.model_fields.items() if _is_secret(info)]


def _parts(model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, info in model.model_fields.items():
        kind = info.annotation
        if name not in _LEFT_OUT and isinstance(kind, type) and issubclass(kind, BaseModel):
            yield name, kind


def _table(
    name: str, model: type[BaseModel], chosen: Mapping[str, Any], prefix: str
) -> Iterator[str]:
    purpose = (model.__doc__ or "").strip().splitlines()[0]
    yield from (f"# {purpose}", f"[{name}]")
    yield from _fields(model, chosen, prefix)


def _fields(model: type[BaseModel], chosen: Mapping[str, Any], prefix: str) -> Iterator[str]:
    nested = {name for name, _part in _parts(model)} | _LEFT_OUT
    for name, info in model.model_fields.items():
        if name in nested:
            continue
        if _is_secret(info):
            yield f"## {name}: {info.description} (a secret: {prefix}{name.upper()})"
            continue
        yield f"## {info.description}"
        if name in chosen:
            yield f"{name} = {_toml(chosen[name])}"
            continue
        default = info.get_default(call_default_factory=True)
        if default is None:
            yield f"# {name}: not set"
        else:
            yield f"# {name} = {_toml(default)}"


def _is_secret(info: FieldInfo) -> bool:
    return "SecretStr" in str(info.annotation)


def _toml(value: Any) -> str:
    """Return a value as TOML, whose plain texts, numbers and lists are those of JSON."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, SecretStr):
        raise TypeError("a secret does not belong in the configuration file")
    return json.dumps(value, ensure_ascii=False)
