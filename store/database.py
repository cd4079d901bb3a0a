"""One database, two kinds: how to reach it, how to write it, and how its failures are named."""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, CursorResult, Engine, Table, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from recoup.domain.errors import ConfigurationError, LogDamaged, StorageUnavailable

SQLITE_BUSY_MS = 60_000
_WRITES = "recoup_writes"
_DAMAGED = ("malformed", "not a database")
_WAYS_ON = {
    "free some space, or mend the disk; whoever was not acknowledged comes again": (
        "is full",
        "disk I/O error",
        "No space left",
    ),
    "let the user of this process write the data folder and the files in it": (
        "readonly",
        "unable to open",
        "Permission denied",
        "Read-only",
    ),
    "is the database server up? the next call connects anew": ("connect", "timeout expired"),
}
"""What to do about a failure, by the words of it."""
_DIRECT = "sqlite:// and sqlite:///:memory: are not kept; use sqlite:///FILE or postgresql://..."


def parse_url(text: str) -> URL:
    """Return the URL with the driver that is used. Raises ConfigurationError."""
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise ConfigurationError(f"the database URL cannot be read: {error}") from error
    backend = url.get_backend_name()
    if backend == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise ConfigurationError(f"the database must be SQLite or PostgreSQL, not {backend}")
    if not url.database or url.database == ":memory:":
        raise ConfigurationError(_DIRECT)
    return url


class Database:
    """A connection pool with one writer at a time; the writers of other processes queue up too."""

    def __init__(self, url: str) -> None:
        self.url = parse_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _engine(self.url, self.is_sqlite)
        self._mutex = threading.RLock()
        self._turn = _Turn(Path(f"{self.url.database}.turn")) if self.is_sqlite else None

    @property
    def path(self) -> Path | None:
        """The file of an SQLite database."""
        return Path(str(self.url.database)) if self.is_sqlite else None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection whose every statement sees what is committed by then."""
        with translated(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a transaction that is the only writing one; durable once the block has ended.

        Raises StorageUnavailable when it cannot be made durable; then nothing of it counts.
        """
        with translated(), self._mutex, self._turn or _no_turn(), self.engine.connect() as raw:
            connection = raw.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep the other SQLite writers of all processes out, without a transaction."""
        with translated(), self._mutex, self._turn or _no_turn():
            yield

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()
        if self._turn:
            self._turn.close()


@contextmanager
def translated() -> Iterator[None]:
    """Name the failures of the driver and the disk in the words of the domain."""
    try:
        yield
    except (DBAPIError, PoolTimeout) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise _named(str(cause).strip(), error) from error
    except (sqlite3.Error, OSError) as error:
        raise _named(str(error), error) from error


def _named(text: str, error: BaseException) -> Exception:
    if any(word in text for word in _DAMAGED):
        return LogDamaged(f"the database file is damaged ({text}); restore a backup")
    if isinstance(error, OSError | PoolTimeout | DBAPIError | sqlite3.Error):
        ways = (way for way, words in _WAYS_ON.items() if any(word in text for word in words))
        way_on = next(ways, "nothing was stored by this call, and it may be repeated")
        return StorageUnavailable(f"the store cannot be used now: {text}; {way_on}")
    return RuntimeError(text)


def upsert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, replacing those with the same primary key."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects.sqlite import insert
    else:
        from sqlalchemy.dialects.postgresql import insert  # type: ignore[assignment] # same API

    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    rest = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if column.name not in keys
    }
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=rest), list(rows))


def directly(
    connection: Connection, statement: str, values: tuple[Any, ...] | list[tuple[Any, ...]]
) -> CursorResult[Any]:
    """Run SQL that has a "?" for each value; a list of tuples runs it for each of them.

    For many values of simple types only: what SQLAlchemy does with each of them takes longer than
    the database takes.
    """
    if connection.dialect.name != "sqlite":
        statement = statement.replace("?", "%s")
    return connection.exec_driver_sql(statement, values)


def _engine(url: URL, is_sqlite: bool) -> Engine:
    if not is_sqlite:
        # A dropped connection is noticed when it is taken from the pool, not by its first user.
        return create_engine(url, pool_pre_ping=True, pool_size=8, max_overflow=8)
    engine = create_engine(url, pool_size=8, max_overflow=24)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by _begin alone
    for pragma in (
        f"busy_timeout={SQLITE_BUSY_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",  # an acknowledgement must outlive a power cut
        # 16 MB: a page that changes with every commit is copied to the database that much less.
        "wal_autocheckpoint=4000",
        "cache_size=-32000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # A plain BEGIN takes no lock before the first statement and then lasts until the connection
    # goes back; readers need none of it, as they bound themselves by the head they read first.
    if connection.get_execution_options().get(_WRITES):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


class _Turn:
    """A lock file in which writers of several processes queue up.

    SQLite's own waiting is polling with growing pauses, in which a busy writer starves the rest.
    The kernel's queue wakes the next one at once, and a dead holder lets go by dying.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None
        self._depth = 0

    def __enter__(self) -> None:
        self._depth += 1
        if self._depth > 1 or os.name == "nt":
            return
        import fcntl

        try:
            if self._handle is None:
                self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._handle, fcntl.LOCK_EX)
        except OSError:
            self._depth -= 1
            raise

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth or self._handle is None:
            return
        import fcntl

        fcntl.flock(self._handle, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


@contextmanager
def _no_turn() -> Iterator[None]:
    yield
