"""Every setting, typed, in one place; nothing else reads the environment.

A value comes from the environment (``RECOUP_PORT``, ``RECOUP_DETECT__TICK_S``), else from the
TOML file named by ``--config``, else from the default here. An integration keeps its own section
beside its client and gets it with ``Settings.section``: ``RECOUP_SLACK_BOT_TOKEN`` or
``[slack] bot_token``.
"""

import os
import tomllib
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from recoup.detect_settings import DEFAULT_FUNNEL as DEFAULT_FUNNEL
from recoup.detect_settings import DetectSettings as DetectSettings
from recoup.detect_settings import Names as Names
from recoup.detect_settings import Part
from recoup.detect_settings import split_commas as split_commas
from recoup.domain.clock import Clock, PacedClock, SystemClock
from recoup.domain.errors import ConfigurationError
from recoup.domain.limits import Limits, parse_windows

PREFIX = "RECOUP_"
SECRET_WORDS = ("token", "secret", "password", "authorization", "_key", "signature", "apikey")
LEAST_SECRET = 6
"""Anything shorter would be found in innocent words."""


def is_secret_name(name: str) -> bool:
    """Tell whether what goes by this name is not to be shown."""
    return any(word in name.lower() for word in SECRET_WORDS)


class TemporalSettings(Part):
    """Where the Temporal server is; ``embedded`` starts a dev server from its PyPI wheel."""

    embedded: bool = Field(
        default=True, description="`recoup serve` starts a dev server from its wheel"
    )
    address: str = Field(default="127.0.0.1:7233", description="the Temporal frontend")
    namespace: str = Field(default="default", description="the Temporal namespace")
    task_queue: str = Field(default="recoup", description="where `recoup work` polls")
    payload_key: SecretStr | None = Field(
        default=None, description="base64 of 32 bytes; payloads are encrypted with it when set"
    )


class ResponseSettings(Part):
    """How people are asked and how a recovery is proven. Times are in shop time."""

    approval_expires_s: int = Field(
        default=1800, description="a proposal nobody answers ends safely after this"
    )
    verify_every_s: int = Field(default=60, description="how often the recovery is tested")
    verify_within_s: int = Field(default=7200, description="after this the verdict is inconclusive")
    recovery_margin: float = Field(
        default=0.03, description="back means within this share of the baseline"
    )
    settle_s: int = Field(default=60, description="time an action needs to reach everybody")
    shadow: bool = Field(default=False, description="do everything but act")
    playbook_dir: Path | None = Field(
        default=None, description="your own playbooks, beside the shipped ones"
    )
    remind_before_s: int = Field(
        default=600, ge=0, description="people are reminded this long before the end; 0 does not"
    )
    office_hours: str = Field(
        default="", description="such as Mon-Fri 09:00-18:00, Sat 10:00-14:00; empty: always"
    )
    time_zone: str = Field(default="UTC", description="of the office hours, as Europe/Berlin")
    holidays: tuple[date, ...] = Field(default=(), description="days without office hours")
    automatic: Literal["always", "office_hours", "out_of_hours", "never"] = Field(
        default="always", description="when a trusted playbook may act without being asked"
    )


class GuardSettings(Part):
    """What no action may overstep, whoever approved it. Times are in shop time."""

    change_windows: Names = Field(
        default=(),
        description="when Recoup may act, as `Mon-Fri 08:00-18:00 Europe/Berlin`; outside it only "
        "suggests; empty: always",
    )
    protected: Names = Field(
        default=(), description="targets never touched, as `flag:shop/production/kill-*`"
    )
    cool_down_s: int = Field(
        default=600, ge=0, description="a target is not acted upon again within this time"
    )
    most_per_hour: int = Field(
        default=10, ge=1, description="actions within an hour, of all incidents together"
    )
    most_reach: int = Field(
        default=20, ge=1, description="things one proposal may change, dependent flags included"
    )

    @field_validator("change_windows")
    @classmethod
    def _readable(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        parse_windows(value)
        return value

    def limits(self) -> Limits:
        """Return the limits these settings describe."""
        return Limits(
            windows=parse_windows(self.change_windows),
            protected=self.protected,
            cool_down_s=self.cool_down_s,
            most_per_hour=self.most_per_hour,
            most_reach=self.most_reach,
        )


class PrivacySettings(Part):
    """What is kept of people beside ``user``, which is always replaced by a pseudonym."""

    pseudonymised_props: tuple[str, ...] = Field(
        default=(), description="props that identify a person and are replaced like `user`"
    )
    kept_props: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="by event type the props that are kept; a type not named keeps all",
    )


class WebSettings(Part):
    """How people come in to the pages, and how often anybody may call."""

    session_h: float = Field(default=12.0, description="a session on the pages ends after this")
    sign_ins_per_minute: int = Field(
        default=10, description="attempts to sign in, and wrong keys, from one address"
    )
    requests_per_minute: int = Field(
        default=1200, description="API calls and forms of one caller, events excepted"
    )
    event_requests_per_minute: int = Field(
        default=0, description="batches of events of one caller; 0 sets no limit"
    )
    chart_link_days: float = Field(
        default=30.0, description="a signed link to an incident's chart is good for this long"
    )
    metrics: Literal["open", "key", "off"] = Field(
        default="open",
        description="`GET /metrics`: for everybody who reaches it, with an API key, or not at all",
    )


class DigestSettings(Part):
    """When the digest of the last week is sent, and to whom."""

    schedule: str = Field(
        default="", description="a cron line such as `0 8 * * MON`; empty: only by command"
    )
    time_zone: str = Field(default="UTC", description="of the schedule, as Europe/Berlin")
    slack: bool = Field(default=True, description="to Slack, where Slack is set up")
    slack_channel: str = Field(
        default="", description="id of the channel; empty: the channel for incidents"
    )
    email_to: Names = Field(default=(), description="who gets it by mail, through the SMTP server")


class ClockSettings(Part):
    """For rehearsals only: a shop whose time runs ``pace`` times as fast as the machine's."""

    pace: float = Field(default=1.0, description="shop seconds in a second of the machine")
    origin: datetime | None = Field(
        default=None, description="what the clock showed at wall_origin; unset: the real time"
    )
    wall_origin: float = Field(default=0.0, description="Unix time of the machine at origin")

    def clock(self) -> Clock:
        """Return the clock these settings describe."""
        if self.origin is None:
            return SystemClock()
        return PacedClock(self.origin, self.wall_origin, self.pace)


class Section(Part):
    """The settings of one integration; a subclass names its section."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    section_name: ClassVar[str]


S = TypeVar("S", bound=Section)


class _FromEnvironment(BaseSettings):
    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, which arrives as init values."""
        del settings_cls, dotenv_settings, file_secret_settings
        return (env_settings, init_settings)


class Settings(_FromEnvironment):
    """The settings of Recoup itself."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="ignore", frozen=True
    )

    data_dir: Path = Field(default=Path(".recoup"), description="the folder that holds everything")
    database_url: str = Field(default="", description="empty: SQLite in data_dir")
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8787, description="0 takes a free port")
    public_url: str = Field(default="", description="how people reach the pages; default host:port")
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="comma-separated keys with every scope; without keys only loopback is served",
    )
    master_key: SecretStr | None = Field(
        default=None, description="base64 of 32 bytes; encrypts subject keys at rest"
    )
    currency: str = Field(default="EUR", description="for money whose events name none")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="what is logged"
    )
    log_format: Literal["console", "json"] = Field(
        default="console", description="for people or for machines"
    )
    temporal: TemporalSettings = TemporalSettings()
    detect: DetectSettings = DetectSettings()
    response: ResponseSettings = ResponseSettings()
    guard: GuardSettings = GuardSettings()
    privacy: PrivacySettings = PrivacySettings()
    web: WebSettings = WebSettings()
    digest: DigestSettings = DigestSettings()
    clock: ClockSettings = ClockSettings()
    config_file: Path | None = Field(default=None, description="where these settings were read")
    sections: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="the integrations' tables of the configuration file"
    )

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @property
    def store_url(self) -> str:
        """The database URL in force."""
        return self.database_url or f"sqlite:///{self.data_dir / 'recoup.db'}"

    def secret_values(self) -> tuple[str, ...]:
        """Return every secret in force, the longest first, so that no log shows one by accident."""
        keys = [*self.api_keys, self.master_key, self.temporal.payload_key]
        found = {key.get_secret_value() for key in keys if key is not None}
        tables = [os.environ, *self.sections.values()]
        for name, value in ((name, value) for table in tables for name, value in table.items()):
            ours = name.startswith(PREFIX) or name not in os.environ
            if ours and isinstance(value, str) and is_secret_name(name):
                found.add(value)
        found.add(urlsplit(self.database_url).password or "")
        return tuple(sorted((each for each in found if len(each) >= LEAST_SECRET), key=len))[::-1]

    def section(self, model: type[S]) -> S:
        """Return an integration's settings. Raises ConfigurationError that names the field."""
        prefix = f"{PREFIX}{model.section_name.upper()}_"
        settings_model = type(
            model.__name__ + "Environment",
            (_FromEnvironment, model),
            {
                "model_config": SettingsConfigDict(
                    env_prefix=prefix, extra="ignore", frozen=True, env_nested_delimiter="__"
                ),
                "__doc__": model.__doc__,
            },
        )
        values = self.sections.get(model.section_name, {})
        try:
            loaded = settings_model(**values)
        except ValidationError as error:
            raise ConfigurationError(_explain(error, model.section_name)) from error
        return model.model_validate({name: getattr(loaded, name) for name in model.model_fields})


def load(config: Path | None = None, **overrides: Any) -> Settings:
    """Return the settings in force; ``overrides`` (from the command line) win over everything.

    Raises ConfigurationError when the file cannot be read or a value is wrong.
    """
    values = _placed(_read(config), config.parent) if config else {}
    known = {name: value for name, value in values.items() if name in Settings.model_fields}
    sections = {
        name: value
        for name, value in values.items()
        if name not in Settings.model_fields and isinstance(value, dict)
    }
    unknown = sorted(set(values) - set(known) - set(sections))
    if unknown:
        raise ConfigurationError(f"{config}: unknown setting {unknown[0]!r}")
    try:
        settings = Settings(**known, sections=sections)
    except ValidationError as error:
        raise ConfigurationError(_explain(error, str(config or "environment"))) from error
    given = {name: value for name, value in overrides.items() if value is not None}
    return settings.model_copy(update={**given, "config_file": config})


def _read(config: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(config.read_text())
    except OSError as error:
        raise ConfigurationError(f"cannot read {config}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{config} is not valid TOML: {error}") from error


def _placed(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Let relative paths of the file be relative to the file, wherever a command is run."""
    placed = dict(values)
    for table, name in (("", "data_dir"), ("response", "playbook_dir")):
        holder = placed.get(table) if table else placed
        if isinstance(holder, dict) and isinstance(holder.get(name), str):
            path = str(folder / Path(holder[name]).expanduser())
            if table:
                placed[table] = {**holder, name: path}
            else:
                placed[name] = path
    return placed


def _explain(error: ValidationError, where: str) -> str:
    first = error.errors(include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return f"{where}: {field}: {first['msg']}"
