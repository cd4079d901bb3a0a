"""Every setting, typed, in one place; nothing else reads the environment.

A value comes from the environment (``RECOUP_PORT``, ``RECOUP_DETECT__TICK_S``), else from the
TOML file named by ``--config``, else from the default here. An integration keeps its own section
beside its client and gets it with ``Settings.section``: ``RECOUP_SLACK_BOT_TOKEN`` or
``[slack] bot_token``.
"""

import tomllib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import (
    BaseModel,
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

from recoup.domain.clock import Clock, PacedClock, SystemClock
from recoup.domain.errors import ConfigurationError

PREFIX = "RECOUP_"
DEFAULT_FUNNEL = (
    "page_viewed",
    "product_viewed",
    "product_added",
    "checkout_started",
    "payment_attempted",
    "order_completed",
)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TemporalSettings(_Part):
    """Where the Temporal server is; ``embedded`` starts a dev server from its PyPI wheel."""

    embedded: bool = True
    address: str = "127.0.0.1:7233"
    namespace: str = "default"
    task_queue: str = "recoup"
    payload_key: SecretStr | None = Field(
        default=None, description="base64 of 32 bytes; payloads are encrypted with it when set"
    )


class DetectSettings(_Part):
    """What is watched and how eagerly."""

    tick_s: int = Field(default=60, description="seconds of event time between decisions")
    grace_s: int = Field(default=10, description="how long a tick waits for stragglers")
    funnel: tuple[str, ...] = DEFAULT_FUNNEL
    horizon_s: int = Field(default=1800, description="longest wait for a step's outcome")
    false_alarms_per_month: float = 1.0
    warm_up_h: float = Field(default=48.0, description="event time before anything may alarm")
    max_cohort_dims: int = 3
    max_values_per_dimension: int = 500
    snapshot_every_s: int = Field(default=900, description="event time between snapshots")


class ResponseSettings(_Part):
    """How people are asked and how a recovery is proven. Times are in shop time."""

    approval_expires_s: int = 1800
    verify_every_s: int = 60
    verify_within_s: int = 7200
    recovery_margin: float = Field(
        default=0.03, description="back means within this share of the baseline"
    )
    settle_s: int = Field(default=60, description="time an action needs to reach everybody")
    shadow: bool = Field(default=False, description="do everything but act")
    playbook_dir: Path | None = None


class ClockSettings(_Part):
    """For rehearsals only: a shop whose time runs ``pace`` times as fast as the machine's."""

    pace: float = 1.0
    origin: datetime | None = None
    wall_origin: float = 0.0

    def clock(self) -> Clock:
        """Return the clock these settings describe."""
        if self.origin is None:
            return SystemClock()
        return PacedClock(self.origin, self.wall_origin, self.pace)


class Section(_Part):
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

    data_dir: Path = Path(".recoup")
    database_url: str = Field(default="", description="empty: SQLite in data_dir")
    host: str = "127.0.0.1"
    port: int = Field(default=8787, description="0 takes a free port")
    public_url: str = Field(default="", description="how people reach the pages; default host:port")
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="comma-separated keys with every scope; without keys only loopback is served",
    )
    master_key: SecretStr | None = Field(
        default=None, description="base64 of 32 bytes; encrypts subject keys at rest"
    )
    currency: str = "EUR"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"
    temporal: TemporalSettings = TemporalSettings()
    detect: DetectSettings = DetectSettings()
    response: ResponseSettings = ResponseSettings()
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
    values = _read(config) if config else {}
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


def _explain(error: ValidationError, where: str) -> str:
    first = error.errors(include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return f"{where}: {field}: {first['msg']}"
