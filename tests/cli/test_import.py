"""``recoup import`` and ``recoup log rejected``, as a person types them."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recoup.cli import main

EXPORT = Path(__file__).parents[1] / "samples" / "ga4" / "bigquery.ndjson"


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    code = main([*words, "--json"])
    out = capsys.readouterr().out
    return code, json.loads(out) if out else None


def test_an_export_counts_once_as_ndjson_gzip_or_parquet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [json.loads(line) for line in EXPORT.read_text().splitlines()]
    for row in rows:
        row["event_timestamp"] = int(row["event_timestamp"])
        for param in row["event_params"]:  # Parquet keeps numbers, `bq extract` writes texts
            number = param["value"].get("int_value")
            param["value"]["int_value"] = int(number) if number else None
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "day.parquet")
    (tmp_path / "day.ndjson.gz").write_bytes(gzip.compress(EXPORT.read_bytes()))
    data = ("--data", str(tmp_path / "data"))
    told = [
        run(capsys, "import", str(file), "--format", "ga4", *data)
        for file in (EXPORT, tmp_path / "day.ndjson.gz", tmp_path / "day.parquet")
    ]
    assert [code for code, _ in told] == [0, 0, 0]
    assert [counts["accepted"] for _, counts in told] == [2, 0, 0]
    assert [counts["duplicates"] for _, counts in told] == [0, 2, 2]
    assert told[2][1]["rejected"] == 0
    _, stats = run(capsys, "log", "stats", *data)
    assert stats["events"] == 2


def test_rows_that_are_no_events_are_counted_by_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "past.ndjson"
    good = {"id": "1", "type": "page_viewed", "time": "2026-11-01T10:00:00Z", "session": "s"}
    file.write_text("\n".join(json.dumps(row) for row in (good, {**good, "id": "2", "time": 7})))
    data = ("--data", str(tmp_path / "data"))
    assert run(capsys, "import", str(file), *data)[1] == {
        "read": 2,
        "accepted": 1,
        "duplicates": 0,
        "rejected": 1,
    }
    [refused] = run(capsys, "log", "rejected", *data)[1]
    assert (refused["source"], refused["field"], refused["count"]) == ("import", "time", 1)
    assert main(["log", "rejected", *data]) == 0
    assert "import" in capsys.readouterr().out


def test_a_damaged_file_is_named_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "past.ndjson"
    file.write_text('{"id": "1"}\n{"id": ')
    assert main(["import", str(file), "--data", str(tmp_path / "data")]) == 1
    assert "past.ndjson:2" in capsys.readouterr().err
    assert main(["import", str(tmp_path / "none"), "--data", str(tmp_path / "data")]) == 1
