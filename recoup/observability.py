"""Logs that machines and people can read, and the metrics that operators collect."""

import logging
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
)

from recoup import __version__
from recoup.settings import Settings, is_secret_name

HIDDEN = "(redacted)"


def set_up_logging(settings: Settings) -> None:
    """Log to standard error, as lines for people or as JSON, without secrets."""
    level = getattr(logging, settings.log_level.upper())
    hiding = Hiding(settings.secret_values())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(HidingFormatter(hiding))
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            redact,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            hiding.process,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def redact(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the values of fields whose name says that they are secret, however deep."""
    for name, value in entry.items():
        entry[name] = HIDDEN if is_secret_name(name) else _redacted(value)
    return entry


def _redacted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            name: HIDDEN if is_secret_name(str(name)) else _redacted(part)
            for name, part in value.items()
        }
    if isinstance(value, list | tuple):
        return [_redacted(part) for part in value]
    return value


class Hiding:
    """Replaces the installation's own secrets wherever they show: in texts, errors, traces."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = tuple(secrets)

    def hide(self, text: str) -> str:
        """Return a text without any secret in it."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text

    def process(
        self, _logger: Any, _method: str, entry: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Hide secrets in every field of a line that is about to be written."""
        for name, value in entry.items():
            entry[name] = self._hidden(value)
        return entry

    def _hidden(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: self._hidden(part) for name, part in value.items()}
        if isinstance(value, list | tuple):
            return [self._hidden(part) for part in value]
        if isinstance(value, bool | int | float | None):
            return value
        return self.hide(str(value))


class HidingFormatter(logging.Formatter):
    """What libraries log by themselves, traces included, without secrets."""

    def __init__(self, hiding: Hiding) -> None:
        super().__init__("%(message)s")
        self._hiding = hiding

    def format(self, record: logging.LogRecord) -> str:
        """Return the line as it is written."""
        return self._hiding.hide(super().format(record))


class Metrics:
    """What the api role counts; one registry an instance, so that tests do not share."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.events = Counter(
            "recoup_events",
            "Storefront events by what became of them",
            ["outcome"],
            registry=self.registry,
        )
        self.count()  # Else a feed that is dead from the start would look like none at all.
        self.ingest_seconds = Histogram(
            "recoup_ingest_seconds",
            "From the body's arrival until it is durable",
            registry=self.registry,
        )
        self.changes = Counter("recoup_changes", "Changes recorded", registry=self.registry)
        self.lag = Gauge(
            "recoup_detector_lag_events",
            "Events the detector has not seen yet",
            registry=self.registry,
        )
        self.open_incidents = Gauge(
            "recoup_open_incidents", "Incidents that are not closed", registry=self.registry
        )
        self.build = Info("recoup_build", "What is running", registry=self.registry)
        self.build.info({"version": __version__})
        ProcessCollector(registry=self.registry)
        self._add_state()

    def count(
        self, *, accepted: int = 0, duplicate: int = 0, rejected: int = 0, conflict: int = 0
    ) -> None:
        """Count storefront events by what became of them."""
        self.events.labels("accepted").inc(accepted)
        self.events.labels("duplicate").inc(duplicate)
        self.events.labels("rejected").inc(rejected)
        self.events.labels("conflict").inc(conflict)

    def _add_state(self) -> None:
        """Add what is not counted but looked up at each scrape."""
        self.last_change = Gauge(
            "recoup_last_change_timestamp_seconds",
            "When the latest change was made that Recoup was told of, 0 while there is none",
            registry=self.registry,
        )
        self.incidents = Gauge(
            "recoup_incidents",
            "Incidents that are not closed, by what they are and how they stand",
            ["kind", "severity", "status"],
            registry=self.registry,
        )
        self.at_risk = Gauge(
            "recoup_at_risk_per_hour",
            "Money that open business incidents cost an hour, best estimate",
            ["currency"],
            registry=self.registry,
        )
        self.log_position = Gauge(
            "recoup_log_position", "Last position of the log", registry=self.registry
        )
        self.history_age = Gauge(
            "recoup_history_age_seconds",
            "Since when a vendor's history was not read",
            ["vendor"],
            registry=self.registry,
        )
