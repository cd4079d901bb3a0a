"""Stores to test with: the same tests run on SQLite and on a real PostgreSQL from its wheel."""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from recoup.domain.clock import FixedClock
from store.opening import Store, open_store
from store.pseudonyms import Privacy

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
KEY = SecretStr(base64.b64encode(b"k" * 32).decode())


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'recoup.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'recoup.db'}"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


Opening = Callable[..., Store]


@pytest.fixture
def opening(clock: FixedClock) -> Iterator[Opening]:
    """Opens stores and closes them at the end."""
    opened: list[Store] = []

    def open_one(url: str, **privacy: Any) -> Store:
        privacy = {"master_key": KEY, **privacy}
        opened.append(open_store(url, clock, privacy=Privacy(**privacy)))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(url: str, opening: Opening) -> Store:
    return opening(url)


Event = Callable[..., bytes]


@pytest.fixture
def event() -> Event:
    """Makes one event as a line of JSON."""

    def make(number: object, *, at: float = 0, **fields: Any) -> bytes:
        moment = NOW - timedelta(hours=1) + timedelta(seconds=at)
        whole = {
            "id": f"e{number}",
            "type": "page_viewed",
            "time": moment.isoformat(),
            "session": f"s{number}",
            "dims": {"os": "iOS 16", "browser": "Safari"},
            "props": {"path": "/"},
        }
        return json.dumps({**whole, **fields}).encode()

    return make
