"""The settings in force, one row each, with secrets masked: for the command and for the page."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from integrations.discovery import modules
from recoup.settings import PREFIX, Section, Settings

_INTERNAL = {"sections", "config_file"}
_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@\s]+@")


class Row(NamedTuple):
    """One setting: its environment variable, its value now, its default, and what it is for."""

    name: str
    value: str
    default: str
    description: str
    group: str = ""
    """The integration it belongs to, or the part of Recoup; empty for the rest."""


def rows(settings: Settings) -> Iterator[Row]:
    """Return every setting; the integrations' sections follow Recoup's own."""
    yield from _walk(Settings, settings, PREFIX)
    for section in sections():
        for row in _walk(section, _section_in_force(settings, section), _prefix(section)):
            yield row._replace(group=section.section_name)


def _prefix(section: type[Section]) -> str:
    return f"{PREFIX}{section.section_name.upper()}_"


def _section_in_force(settings: Settings, section: type[Section]) -> Section:
    if settings.model_fields_set:
        return settings.section(section)
    return section.model_construct()


def _walk(model: type[BaseModel], values: BaseModel, prefix: str) -> Iterator[Row]:
    for name, info in model.model_fields.items():
        if name in _INTERNAL:
            continue
        value, kind = getattr(values, name, None), info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            inner = _walk(kind, value or kind.model_construct(), f"{prefix}{name.upper()}__")
            yield from (row._replace(group=name) for row in inner)
            continue
        default = _text(None if info.is_required() else info.get_default(call_default_factory=True))
        yield Row(f"{prefix}{name.upper()}", _text(value), default, _purpose(info))


def _purpose(info: FieldInfo) -> str:
    return info.description or ""


def _text(value: Any) -> str:
    if value is None or value in ("", (), {}):
        return ""
    if isinstance(value, SecretStr):
        return "(set)"
    if isinstance(value, tuple | list):
        return ", ".join(_text(item) for item in value)
    return _PASSWORD.sub(r"\1(set)@", str(value))


def sections() -> list[type[Section]]:
    """Return the settings of every integration, in the order of their folders."""
    return [
        item
        for module in modules("settings")
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, Section) and item is not Section
    ]
