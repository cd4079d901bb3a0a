"""``recoup settings``: every setting, its default, and what is in force."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple

import typer
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from recoup.cli._shared import AsJson, Config, Data, settings_of, show_json, show_table
from recoup.settings import PREFIX, Section, Settings

_INTERNAL = {"sections", "config_file"}


class Row(NamedTuple):
    """One setting: its environment variable, its value now, its default, and what it is for."""

    name: str
    value: str
    default: str
    description: str


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="settings")(show_settings)


def show_settings(
    config: Config = None,
    data: Data = None,
    markdown: Annotated[bool, typer.Option(help="Print the reference page.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show every setting with its value in force; secrets are never shown.

    Example: recoup settings --config recoup.toml --json
    """
    if markdown:
        print(reference(), end="")
        return
    settings = settings_of(config, data)
    rows = list(_rows(settings))
    if as_json:
        show_json([row._asdict() for row in rows])
        return
    show_table("Settings", ("variable", "in force", "default", "what for"), rows, empty="")


def reference() -> str:
    """Return docs/settings.md: the settings with their defaults, from the code."""
    lines = [
        "# Settings",
        "",
        "<!-- Made by `recoup settings --markdown`; a test keeps it true. -->",
        "",
        "Each is an environment variable, or a key of the TOML file named by `--config` or",
        "`RECOUP_CONFIG`: `RECOUP_DETECT__TICK_S` is `tick_s` under `[detect]`. The environment",
        "wins over the file, the command line over both.",
        "",
        "| variable | default | what for |",
        "|---|---|---|",
    ]
    rows = _rows(Settings.model_construct())
    lines += [f"| `{row.name}` | {row.default} | {row.description} |" for row in rows]
    return "\n".join(lines) + "\n"


def _rows(settings: Settings) -> Iterator[Row]:
    yield from _walk(Settings, settings, PREFIX)
    for section in _sections():
        yield from _walk(section, _section_in_force(settings, section), _prefix(section))


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
            yield from _walk(kind, value or kind.model_construct(), f"{prefix}{name.upper()}__")
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
    return str(value)


def _sections() -> list[type[Section]]:
    import integrations

    found = []
    for package in sorted(pkgutil.iter_modules(integrations.__path__), key=lambda item: item.name):
        if not package.ispkg:
            continue
        try:
            module = importlib.import_module(f"integrations.{package.name}.settings")
        except ModuleNotFoundError:
            continue
        found += [
            item
            for item in vars(module).values()
            if isinstance(item, type) and issubclass(item, Section) and item is not Section
        ]
    return found
