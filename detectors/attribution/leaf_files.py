"""Tables of leaves as CSV files: one column a dimension, then what was and what was expected.

The value columns are ``real,predict``, for a ratio ``real_num,real_den,predict_num,predict_den``;
every other column is a dimension.
"""

import csv
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

from detectors.attribution.lattice import Floats
from detectors.attribution.localisation import LeafTable
from recoup.domain.errors import InvalidInput

PLAIN = ("real", "predict")
RATIO = ("real_num", "real_den", "predict_num", "predict_den")

AT_A_TIME = 500


def read_leaves(lines: Iterable[str], name: str) -> LeafTable:
    """Return the table of a CSV. Raises InvalidInput that names the line and what is wrong."""
    rows = csv.reader(lines)
    header = [column.strip() for column in next(rows, [])]
    kind = RATIO if set(RATIO) <= set(header) else PLAIN
    if not set(kind) <= set(header):
        raise InvalidInput(
            f"{name}:1: needs the columns real,predict or {','.join(RATIO)}; it has "
            f"{','.join(header) or 'none'}"
        )
    if len(set(header)) != len(header):
        raise InvalidInput(f"{name}:1: a column name comes twice")
    filled = (row for row in rows if row)
    columns, at = _columns(filled, lambda: rows.line_num, header, name)
    numbers = [_numbers(columns[column], at, name) for column in kind]
    dimensions = [column for column in header if column not in kind]
    values = [tuple(dict.fromkeys(columns[column])) for column in dimensions]
    leaves = np.empty((len(at), len(dimensions)), dtype=np.int64)
    for d, column in enumerate(dimensions):
        codes = {value: code for code, value in enumerate(values[d])}
        leaves[:, d] = [codes[value] for value in columns[column]]
    return LeafTable(tuple(dimensions), tuple(values), leaves, *_real_and_predict(numbers))


def _columns(
    rows: Iterator[list[str]], line: Callable[[], int], header: Sequence[str], name: str
) -> tuple[dict[str, list[str]], list[int]]:
    """Return the columns and the line of each row; some rows at a time, which is the quickest."""
    columns: list[list[str]] = [[] for _ in header]
    at: list[int] = []
    while True:
        some = []
        for row in islice(rows, AT_A_TIME):
            some.append(row)
            at.append(line())
            if len(row) != len(header):
                says = f"has {len(row)} fields where the header has {len(header)}"
                raise InvalidInput(f"{name}:{at[-1]}: {says}")
        if not some:
            return dict(zip(header, columns, strict=True)), at
        for column, part in zip(columns, zip(*some, strict=True), strict=True):
            column.extend(part)


def _numbers(column: Sequence[str], at: Sequence[int], name: str) -> Floats:
    try:
        found = np.array([float(text) for text in column], dtype=np.float64)
    except ValueError:
        found = np.array([_number(text) for text in column], dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(found))
    if len(wrong):
        text = column[wrong[0]]
        says = "a finite number" if _is_number(text) else "a number"
        raise InvalidInput(f"{name}:{at[wrong[0]]}: {text!r} is not {says}")
    return found


def _number(text: str) -> float:
    return float(text) if _is_number(text) else math.nan


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _real_and_predict(numbers: Sequence[Floats]) -> tuple[Floats, Floats]:
    if len(numbers) == len(PLAIN):
        return numbers[0], numbers[1]
    real, real_den, predict_num, predict_den = numbers
    # What the forecast's ratio would have given for as many trials as there were.
    predict = real_den * predict_num / np.where(predict_den > 0, predict_den, np.nan)
    return real, np.nan_to_num(predict)
