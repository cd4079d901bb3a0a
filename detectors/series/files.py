"""Series as CSV files: timestamp and value in; the same with score and alarm out."""

import csv
import math
from datetime import UTC, datetime
from pathlib import Path

from detectors.series.scorer import Scored, score_rows
from recoup.domain.errors import InvalidInput

COLUMNS = ("timestamp", "value")


def score_file(source: Path, target: Path | None) -> tuple[int, int, float]:
    """Score a file; return rows, alarms and the highest score.

    Raises InvalidInput that names the line when a column is missing or a time cannot be read. A
    value that is empty or no number is scored 0.
    """
    header, rows = _read(source)
    numbers = [(_seconds(row[0], source, line), _number(row[1])) for line, row in rows]
    scored = list(score_rows(numbers))
    if target is not None:
        _write(target, header, [row for _, row in rows], scored)
    highest = max((each.anomaly_score for each in scored), default=0.0)
    return len(scored), sum(each.alarm for each in scored), highest


def _read(source: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    with source.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.reader(lines)
        header = [name.strip() for name in next(reader, [])]
        missing = [name for name in COLUMNS if name not in header]
        if missing:
            raise InvalidInput(f"{source.name}:1: needs the columns timestamp,value")
        places = [header.index(name) for name in COLUMNS]
        rows = []
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise InvalidInput(
                    f"{source.name}:{reader.line_num}: has {len(row)} fields, not {len(header)}"
                )
            rows.append((reader.line_num, [row[place] for place in places]))
    return list(COLUMNS), rows


def _seconds(text: str, source: Path, line: int) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidInput(f"{source.name}:{line}: {text!r} is not a time") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _write(target: Path, header: list[str], rows: list[list[str]], scored: list[Scored]) -> None:
    with target.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow([*header, "anomaly_score", "alarm"])
        for row, each in zip(rows, scored, strict=True):
            writer.writerow([*row, f"{each.anomaly_score:.6f}", int(each.alarm)])
