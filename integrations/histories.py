"""Vendors that send nothing when something is altered, but keep a history: read now and then.

A vendor's history is one module, ``integrations/<vendor>/history.py``, that holds a ``HISTORY``; it
is found by itself. The working role reads what was altered since it last looked.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from integrations.discovery import modules
from integrations.http import VendorHttp
from recoup.domain.changes import Change
from recoup.domain.errors import ConfigurationError
from recoup.settings import Section, Settings


class Window(NamedTuple):
    """The stretch of time that is asked for."""

    since: datetime
    until: datetime


Read = Callable[[Any, VendorHttp, Window], Awaitable[list[Change]]]
"""Returns what was altered in a window, the same each time: ids and words come from the vendor.

Raises TransientVendorError or VendorRefused.
"""


@dataclass(frozen=True)
class History:
    """How one vendor's history is read. ``poll_s`` says how often by its settings; 0 is never."""

    name: str
    section: type[Section]
    poll_s: Callable[[Any], int]
    read: Read


class Followed(NamedTuple):
    """A history that is configured, bound to its settings."""

    name: str
    poll_s: int
    read: Callable[[VendorHttp, Window], Awaitable[list[Change]]]


def histories() -> dict[str, History]:
    """Return every history of this package by name.

    Raises ConfigurationError when two modules claim one name.
    """
    found: dict[str, History] = {}
    for module in modules("history"):
        history: History = module.HISTORY
        if history.name in found:
            raise ConfigurationError(
                f"two histories are named {history.name!r}; one is in {module.__name__}"
            )
        found[history.name] = history
    return found


def followed(settings: Settings) -> list[Followed]:
    """Return the histories that these settings ask to be read."""
    found = []
    for history in histories().values():
        section = settings.section(history.section)
        poll_s = history.poll_s(section)
        if poll_s > 0:
            found.append(Followed(history.name, poll_s, _bound(history, section)))
    return found


def _bound(
    history: History, section: Section
) -> Callable[[VendorHttp, Window], Awaitable[list[Change]]]:
    async def read(http: VendorHttp, window: Window) -> list[Change]:
        return await history.read(section, http, window)

    return read
