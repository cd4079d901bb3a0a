"""Backups of a running system: one SQLite file that any store, of either kind, is restored from."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, func, select, text

from recoup.domain.errors import Conflict, LogDamaged, NotFound, StorageUnavailable
from store import tables as t
from store.blocks import SEALED, checksum
from store.database import Database
from store.migrating import bring_up_to_date

Progress = Callable[[str, int], None]
_ROWS_AT_ONCE = 200


def back_up(
    database: Database, target: Path, progress: Progress = lambda _table, _rows: None
) -> None:
    """Copy a store, as of one moment, into a new file; others may go on reading and writing.

    Raises Conflict when the file exists.
    """
    if target.exists():
        raise Conflict(f"{target} exists; a backup never replaces a file")
    target.parent.mkdir(parents=True, exist_ok=True)
    made = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        if database.path is not None:
            _copy_file(database.path, made)
        else:
            copy = Database(f"sqlite:///{made}")
            try:
                _copy_tables(database, copy, progress)
            finally:
                copy.close()
            _settle(made)
        with made.open("rb") as handle:
            os.fsync(handle.fileno())
        made.replace(target)
    finally:
        for leftover in made.parent.glob(f"{made.name}*"):
            leftover.unlink()


def restore(
    source: Path, database: Database, progress: Progress = lambda _table, _rows: None
) -> None:
    """Fill an empty store from a backup.

    Raises NotFound without a backup, Conflict when the store holds anything, LogDamaged when the
    file is no backup.
    """
    if not source.exists():
        raise NotFound(f"there is no backup at {source}")
    bring_up_to_date(database)
    with database.reading() as connection:
        if connection.execute(select(t.head.c.position)).scalar_one():
            raise Conflict("the store is not empty; restore into a new folder or database")
    backup = Database(f"sqlite:///{source}")
    try:
        bring_up_to_date(backup)
        _copy_tables(backup, database, progress)
    finally:
        backup.close()
        _settle(source)


def heal(database: Database, source: Path) -> list[int]:
    """Replace blocks that do not verify by those of a backup; return their first positions.

    Only a block with the very checksum that the log expects is taken.
    """
    if not source.exists():
        raise NotFound(f"there is no backup at {source}")
    healed = []
    backup = Database(f"sqlite:///{source}")
    try:
        for first, expected in _damaged(database):
            wanted = select(t.blocks).where(t.blocks.c.first_position == first)
            with backup.reading() as connection:
                row = connection.execute(wanted).first()
            if row is None or checksum(first, row.id_hashes, row.data) != expected:
                raise LogDamaged(f"the backup has no whole block at position {first} either")
            with database.writing() as connection:
                values = {"id_hashes": row.id_hashes, "data": row.data}
                mine = t.blocks.c.first_position == first
                connection.execute(t.blocks.update().where(mine).values(values))
            healed.append(first)
    finally:
        backup.close()
        _settle(source)
    return healed


def _damaged(database: Database) -> list[tuple[int, str]]:
    c = t.blocks.c
    wanted = select(c.first_position, c.checksum, c.id_hashes, c.data).where(~SEALED)
    with database.reading() as connection:
        rows = connection.execution_options(yield_per=8).execute(wanted)
        return [
            (row.first_position, row.checksum)
            for row in rows
            if checksum(row.first_position, bytes(row.id_hashes), bytes(row.data)) != row.checksum
        ]


def _copy_file(source: Path, made: Path) -> None:
    """Copy an SQLite database page by page, from one consistent state."""
    try:
        with sqlite3.connect(source) as old, sqlite3.connect(made) as new:
            old.backup(new)
            new.execute("PRAGMA journal_mode=DELETE")
        old.close()
        new.close()
    except sqlite3.Error as error:
        raise StorageUnavailable(f"the backup cannot be written: {error}") from error


def _settle(file: Path) -> None:
    """Fold an SQLite database into its one file."""
    connection = sqlite3.connect(file)
    try:
        connection.execute("PRAGMA journal_mode=DELETE")
    finally:
        connection.close()
    file.with_name(f"{file.name}.turn").unlink(missing_ok=True)


def _copy_tables(source: Database, target: Database, progress: Progress) -> None:
    bring_up_to_date(target)
    with source.reading() as old, target.writing() as new:
        if not source.is_sqlite:
            old.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        else:
            old.exec_driver_sql("BEGIN")
        for table in t.metadata.sorted_tables:
            new.execute(table.delete())
            progress(table.name, _copy_table(old, new, table.name))
        if source.is_sqlite:
            old.exec_driver_sql("COMMIT")


def _copy_table(old: Connection, new: Connection, name: str) -> int:
    table = t.metadata.tables[name]
    rows = old.execution_options(yield_per=_ROWS_AT_ONCE).execute(select(table))
    for part in rows.mappings().partitions(_ROWS_AT_ONCE):
        new.execute(table.insert(), [dict(row) for row in part])
    return int(new.execute(select(func.count()).select_from(table)).scalar_one())
