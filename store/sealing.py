"""Retention: old blocks leave the database for Parquet files, and later altogether.

A sealed block keeps its place and its id hashes, so positions have no hole and a repeat is still
known for one; the events are in the file. Beyond the horizon the file goes, and the hashes with it.
"""

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, select, update

from recoup.domain.base import from_ms, to_ms
from recoup.domain.errors import LogDamaged
from store import tables as t
from store.blocks import SEALED, read_block
from store.database import Database
from store.decoding import EventLine
from store.projections.detection import MOMENTS

DROPPED = "dropped"
BLOCKS_A_FILE = 200
READERS = ~t.checkpoints.c.name.startswith(MOMENTS)


def seal(database: Database, folder: Path, before: datetime) -> int:
    """Move blocks whose events all lie before a moment to Parquet files; return how many.

    Only what every projection has passed goes, and lies before the snapshots from which one would
    start again. A crash between file and database leaves a file too many and loses nothing.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    sealed = 0
    while part := _sealable(database, before):
        file = folder / f"events-{part[0]:016d}-{part[-1]:016d}.parquet"
        with database.reading() as connection:
            write_events(file, _rows_of(connection, part))
        with database.writing() as connection:
            connection.execute(
                update(t.blocks)
                .where(t.blocks.c.first_position.in_(part))
                .values(sealed_in=str(file), data=b"")
            )
        sealed += len(part)
    return sealed


def _sealable(database: Database, before: datetime) -> list[int]:
    c = t.blocks.c
    with database.reading() as connection:
        passed = [
            *connection.execute(select(t.checkpoints.c.position).where(READERS)).scalars(),
            *connection.execute(select(t.snapshots.c.position)).scalars(),
        ]
        wanted = select(c.first_position).where(~SEALED, c.last_ms < to_ms(before))
        if passed:
            wanted = wanted.where(c.first_position + c.count - 1 <= min(passed))
        rows = connection.execute(wanted.order_by(c.first_position).limit(BLOCKS_A_FILE))
        return [row.first_position for row in rows]


def drop(database: Database, before: datetime) -> int:
    """Delete sealed files whose events all lie before a moment; return how many blocks went."""
    c = t.blocks.c
    dropped = 0
    with database.reading() as connection:
        files = files_of(connection)
    for file in files:
        with database.writing() as connection:
            inside = c.sealed_in == file
            ends = connection.execute(select(c.last_ms).where(inside)).scalars().all()
            if max(ends) >= to_ms(before):
                continue
            connection.execute(
                update(t.blocks).where(inside).values(sealed_in=DROPPED, id_hashes=b"")
            )
        Path(file).unlink(missing_ok=True)
        dropped += len(ends)
    return dropped


def files_of(connection: Connection) -> list[str]:
    """Return the files that hold sealed blocks, the oldest first."""
    c = t.blocks.c
    wanted = select(c.sealed_in).where(SEALED, c.sealed_in != DROPPED).distinct()
    return sorted(connection.execute(wanted).scalars())


def sealed_rows(file: str) -> Iterator[list[dict[str, Any]]]:
    """Return the events of a sealed file, some thousand at a time."""
    import pyarrow.parquet as pq

    try:
        for batch in pq.ParquetFile(file).iter_batches(batch_size=5_000):
            yield batch.to_pylist()
    except (OSError, ValueError) as error:
        raise LogDamaged(f"the sealed file {file} cannot be read: {error}") from error


def sealed_lines(file: str) -> Iterator[tuple[int, bytes]]:
    """Return position and canonical line of every event of a sealed file."""
    for rows in sealed_rows(file):
        for row in rows:
            yield row["position"], _line(row)


def lines_of_sealed(file: str, first_position: int, count: int) -> list[bytes]:
    """Return the lines of one sealed block; none when it was dropped beyond the horizon."""
    if file == DROPPED:
        return []
    wanted = range(first_position, first_position + count)
    return [line for position, line in sealed_lines(file) if position in wanted]


def _line(row: dict[str, Any]) -> bytes:
    return msgspec.json.encode(
        EventLine(
            id=row["id"],
            type=row["type"],
            time=row["time"],
            session=row["session"],
            user=row["user"],
            dims=msgspec.Raw(msgspec.json.encode(dict(row["dims"]))),
            props=msgspec.json.decode(row["props"]),
        )
    )


def _rows_of(connection: Connection, first_positions: list[int]) -> Iterator[list[dict[str, Any]]]:
    for first in first_positions:
        block = read_block(connection, first)
        yield [
            event_row(position, block.received_at_ms, line)
            for position, line in enumerate(block.data.splitlines(), first)
        ]


_decode = msgspec.json.Decoder(EventLine).decode


def event_row(position: int, received_at_ms: int, line: bytes) -> dict[str, Any]:
    """Return one event as a row of the lake."""
    event = _decode(line)
    return {
        "position": position,
        "received_at": from_ms(received_at_ms),
        "id": event.id,
        "type": event.type,
        "time": event.time,
        "session": event.session,
        "user": event.user,
        "dims": list(msgspec.json.decode(event.dims, type=dict[str, str]).items()),
        "props": msgspec.json.encode(event.props).decode(),
    }


def write_events(file: Path, blocks: Iterator[list[dict[str, Any]]]) -> int:
    """Write events as Parquet, whole or not at all; return how many."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    moment = pa.timestamp("us", tz="UTC")
    schema = pa.schema(
        [
            ("position", pa.int64()),
            ("received_at", moment),
            ("id", pa.string()),
            ("type", pa.string()),
            ("time", moment),
            ("session", pa.string()),
            ("user", pa.string()),
            ("dims", pa.map_(pa.string(), pa.string())),
            ("props", pa.string()),
        ]
    )
    made = file.with_name(f".{file.name}.{os.getpid()}")
    count = 0
    try:
        with pq.ParquetWriter(made, schema, compression="zstd") as writer:
            for rows in blocks:
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                count += len(rows)
        with made.open("rb") as handle:
            os.fsync(handle.fileno())
        made.replace(file)
    finally:
        made.unlink(missing_ok=True)
    return count
