"""Logs that machines and people can read, and the metrics that operators collect."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from recoup.settings import Settings

_SECRET_WORDS = ("token", "secret", "password", "authorization", "api_key", "signature")


def set_up_logging(settings: Settings) -> None:
    """Log to standard error, as lines for people or as JSON, without secrets."""
    level = getattr(logging, settings.log_level.upper())
    logging.basicConfig(stream=sys.stderr, level=max(level, logging.WARNING), format="%(message)s")
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
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def redact(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the values of fields whose name says that they are secret."""
    for name in entry:
        if any(word in name.lower() for word in _SECRET_WORDS):
            entry[name] = "(redacted)"
    return entry


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
