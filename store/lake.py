"""The lake: the log as Parquet files that DuckDB, pandas or any warehouse can query."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from recoup.domain.changes import Change
from recoup.domain.incident import Incident
from store import tables as t
from store.blocks import all_blocks
from store.database import Database
from store.sealing import event_row, files_of, sealed_rows, write_events


def export_parquet(database: Database, folder: Path) -> dict[str, int]:
    """Write events, incidents, changes and facts to a folder; return how many rows of each."""
    folder.mkdir(parents=True, exist_ok=True)
    with database.reading() as connection:
        counts = {"events": write_events(folder / "events.parquet", _events(connection))}
        for name, rows in (
            ("incidents", _incidents(connection)),
            ("changes", _changes(connection)),
            ("facts", _facts(connection)),
        ):
            counts[name] = _write_rows(folder / f"{name}.parquet", rows, _SCHEMAS[name])
    return counts


def _events(connection: Connection) -> Iterator[list[dict[str, Any]]]:
    for file in files_of(connection):
        yield from sealed_rows(file)
    for block in all_blocks(connection):
        yield [
            event_row(position, block.received_at_ms, line)
            for position, line in enumerate(block.data.splitlines(), block.first_position)
        ]


_SCHEMAS = {
    "incidents": {
        "id": "string",
        "kind": "string",
        "severity": "string",
        "status": "string",
        "resolution": "string",
        "metric": "string",
        "cohort": "string",
        "onset_at": "moment",
        "opened_at": "moment",
        "closed_at": "moment",
        "expected": "float64",
        "observed": "float64",
        "cause": "string",
        "state": "string",
    },
    "changes": {
        "id": "string",
        "kind": "string",
        "time": "moment",
        "title": "string",
        "ref": "string",
        "body": "string",
    },
    "facts": {
        "position": "int64",
        "stream": "string",
        "version": "int64",
        "type": "string",
        "occurred_at": "string",
        "recorded_at": "string",
        "actor": "string",
        "payload": "string",
    },
}


def _incidents(connection: Connection) -> list[dict[str, Any]]:
    found = []
    for text in connection.execute(select(t.incidents.c.state)).scalars():
        state = Incident.model_validate_json(text)
        causes = state.attribution.hypotheses if state.attribution else ()
        row = {name: getattr(state, name, None) for name in _SCHEMAS["incidents"]}
        found.append(
            {
                **row,
                "cohort": state.cohort.label,
                "cause": causes[0].change_id if causes else None,
                "state": text,
            }
        )
    return found


def _changes(connection: Connection) -> list[dict[str, Any]]:
    texts = connection.execute(select(t.changes.c.body)).scalars()
    changes = [(Change.model_validate_json(text), text) for text in texts]
    names = ("id", "kind", "time", "title", "ref")
    return [{**{n: getattr(c, n) for n in names}, "body": text} for c, text in changes]


def _facts(connection: Connection) -> list[dict[str, Any]]:
    columns = [t.facts.c[name] for name in _SCHEMAS["facts"]]
    wanted = select(*columns).order_by(t.facts.c.position)
    return [dict(row._mapping) for row in connection.execute(wanted)]


def _write_rows(file: Path, rows: list[dict[str, Any]], kinds: dict[str, str]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        "string": pa.string(),
        "float64": pa.float64(),
        "int64": pa.int64(),
        "moment": pa.timestamp("us", tz="UTC"),
    }
    schema = pa.schema([(name, types[kind]) for name, kind in kinds.items()])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), file, compression="zstd")
    return len(rows)
