"""Rows of exported files: NDJSON, gzipped or not, and Parquet."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from recoup.domain.errors import InvalidInput

ROWS_AT_ONCE = 2000


def rows_of(file: Path) -> Iterator[Any]:
    """Yield the rows of a file, told by its first bytes. Raises InvalidInput with the place."""
    with file.open("rb") as opened:
        start = opened.read(4)
    if start == b"PAR1":
        yield from _parquet(file)
    elif start[:2] == b"\x1f\x8b":
        with gzip.open(file, "rb") as stream:
            yield from _ndjson(file.name, stream)
    else:
        with file.open("rb") as stream:
            yield from _ndjson(file.name, stream)


def _ndjson(name: str, stream: Any) -> Iterator[Any]:
    try:
        for number, line in enumerate(stream, 1):
            if line.strip():
                yield _row(name, number, line)
    except (OSError, EOFError) as error:
        raise InvalidInput(f"{name} cannot be unpacked: {error}") from error


def _row(name: str, number: int, line: bytes) -> Any:
    try:
        return from_json(line)
    except ValueError as error:
        raise InvalidInput(f"{name}:{number}: not JSON: {error}") from error


def _parquet(file: Path) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        for batch in pq.ParquetFile(file).iter_batches(ROWS_AT_ONCE):
            yield from batch.to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise InvalidInput(f"{file.name} is not valid Parquet: {error}") from error
