"""Tables of leaves as CSV files: one column a dimension, then what was and what was expected.

The value columns are ``real,predict``, for a ratio ``real_num,real_den,predict_num,predict_den``;
every other column is a dimension.
"""

import csv
import math
from collections.abc import Iterable, Sequence

import numpy as np

from detectors.attribution.localisation import LeafTable
from recoup.domain.errors import InvalidInput

PLAIN = ("real", "predict")
RATIO = ("real_num", "real_den", "predict_num", "predict_den")


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
    places = [header.index(column) for column in kind]
    dimensions = [column for column in header if column not in kind]
    codes: list[list[int]] = []
    numbers: list[list[float]] = []
    values: list[dict[str, int]] = [{} for _ in dimensions]
    dims_at = [header.index(column) for column in dimensions]
    for row in rows:
        if not row:
            continue
        where = f"{name}:{rows.line_num}"
        if len(row) != len(header):
            raise InvalidInput(f"{where}: has {len(row)} fields where the header has {len(header)}")
        numbers.append([_number(row[place], where) for place in places])
        codes.append(
            [
                known.setdefault(row[at], len(known))
                for known, at in zip(values, dims_at, strict=True)
            ]
        )
    return _table(dimensions, values, codes, numbers)


def _number(text: str, where: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise InvalidInput(f"{where}: {text!r} is not a number") from None
    if not math.isfinite(number):
        raise InvalidInput(f"{where}: {text!r} is not a finite number")
    return number


def _table(
    dimensions: Sequence[str],
    values: Sequence[dict[str, int]],
    codes: list[list[int]],
    numbers: list[list[float]],
) -> LeafTable:
    columns = np.array(numbers, dtype=np.float64).reshape(len(codes), -1).T
    if len(columns) == len(RATIO):
        real, real_den, predict_num, predict_den = columns
        # What the forecast's ratio would have given for as many trials as there were.
        predict = real_den * predict_num / np.where(predict_den > 0, predict_den, np.nan)
        predict = np.nan_to_num(predict)
    elif len(columns) == len(PLAIN):
        real, predict = columns
    else:
        real = predict = np.zeros(0)
    leaves = np.array(codes, dtype=np.int64).reshape(len(codes), len(dimensions))
    return LeafTable(
        tuple(dimensions), tuple(tuple(known) for known in values), leaves, real, predict
    )
