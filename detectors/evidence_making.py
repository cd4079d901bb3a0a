"""Cutting an incident's evidence out of the trial table."""

from typing import NamedTuple

import numpy as np

from detectors.evidence import IncidentEvidence, Signal
from detectors.incidents import OpenIncident
from detectors.trials import Floats, Ints, TrialTable

BEFORE_MS = 2 * 3600 * 1000
LEAF_BITS = 32


class RawSignal(NamedTuple):
    """One telling detail: its kind, its text, when, and from which leaf."""

    kind: str
    detail: str
    time_ms: int
    leaf: int


class VolumeTick(NamedTuple):
    """How many events of a type a tick had, and how many were expected, with their variance."""

    metric: str
    tick_ms: int
    observed: float
    expected: float
    variance: float


class Surroundings(NamedTuple):
    """What the evidence of every incident is cut out of."""

    names: tuple[str, ...]
    table: TrialTable
    dims: list[dict[str, str]]
    signals: list[RawSignal]
    volumes: list[VolumeTick]
    tick_ms: int
    currency: str
    order_value: float


def cut(
    incident: OpenIncident, around: Surroundings, order_rate: float, now_ms: int
) -> IncidentEvidence:
    """Return the tallies of every metric from two hours before the onset until now."""
    since = incident.onset_ms - BEFORE_MS
    volume_names = sorted({row.metric for row in around.volumes})
    rows = _rows(around.table, since, now_ms, around.tick_ms)
    used, place = np.unique(rows[:, 1].astype(np.int64), return_inverse=True)
    number_of = {int(leaf): number for number, leaf in enumerate(used)}
    dimensions, values, leaves = coded([around.dims[leaf] for leaf in used])
    rows[:, 1] = place
    more = _volume_rows(around.volumes, volume_names, len(around.names), since)
    if len(used):
        rows = np.concatenate([rows, more])
    count = len(used)
    return IncidentEvidence(
        incident_id=incident.incident_id,
        metric_name=incident.metric,
        direction=incident.direction,
        cohort=incident.cohort,
        onset_ms=incident.onset_ms,
        opened_ms=incident.opened_ms,
        until_ms=now_ms,
        tick_size_ms=around.tick_ms,
        currency=around.currency,
        dimensions=dimensions,
        values=values,
        leaves=leaves,
        metrics=(*around.names, *volume_names),
        tick_ms=rows[:, 0].astype(np.int64),
        leaf=rows[:, 1].astype(np.int64),
        metric=rows[:, 2].astype(np.int64),
        trials=rows[:, 3],
        observed=rows[:, 4],
        expected=rows[:, 5],
        variance=rows[:, 6],
        order_value=np.full(count, around.order_value),
        order_rate=np.full(count, order_rate),
        signals=_signals(around.signals, number_of, since, around.tick_ms),
    )


def coded(
    dims: list[dict[str, str]],
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...], Ints]:
    """Return dimension names, their values by code, and the codes of each leaf."""
    dimensions = tuple(sorted({name for leaf in dims for name in leaf}))
    values: list[list[str]] = [[""] for _ in dimensions]
    codes: list[dict[str, int]] = [{"": 0} for _ in dimensions]
    leaves = np.zeros((len(dims), len(dimensions)), dtype=np.int64)
    for i, leaf in enumerate(dims):
        for d, name in enumerate(dimensions):
            value = leaf.get(name, "")
            if value not in codes[d]:
                codes[d][value] = len(values[d])
                values[d].append(value)
            leaves[i, d] = codes[d][value]
    return dimensions, tuple(tuple(known) for known in values), leaves


def _rows(table: TrialTable, since: int, now_ms: int, tick_ms: int) -> Floats:
    """Return one row for each tick, leaf and metric: these three, then the four sums."""
    part = table.since(since)
    exposed, leaf, metric = table.exposed_ms[part], table.leaf[part], table.metric[part]
    if len(leaf) == 0:
        return np.zeros((0, 7))
    share = table.due_share(part, now_ms)
    p = table.p[part] * share
    first = int(exposed[0]) // tick_ms
    key = ((exposed // tick_ms - first) << 8 | metric) << LEAF_BITS | leaf
    groups, place = np.unique(key, return_inverse=True)
    count = len(groups)
    columns = [
        ((groups >> LEAF_BITS >> 8) + first) * tick_ms,
        groups & ((1 << LEAF_BITS) - 1),
        groups >> LEAF_BITS & 255,
        np.bincount(place, share, count),
        np.bincount(place, (table.success_ms[part] >= 0).astype(float), count),
        np.bincount(place, p, count),
        np.bincount(place, p * (1 - p), count),
    ]
    return np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)


def _volume_rows(
    volumes: list[VolumeTick], names: list[str], first_number: int, since: int
) -> Floats:
    # A volume is everybody's: any leaf stands for it.
    rows = [
        (row.tick_ms, 0, first_number + names.index(row.metric), row.expected, *row[2:])
        for row in volumes
        if row.tick_ms >= since
    ]
    return np.array(rows, dtype=np.float64).reshape(len(rows), 7)


def _signals(
    signals: list[RawSignal], number_of: dict[int, int], since: int, tick_ms: int
) -> tuple[Signal, ...]:
    counts: dict[tuple[str, str, int, int], int] = {}
    for kind, detail, time_ms, leaf in signals:
        if time_ms >= since and leaf in number_of:
            key = (kind, detail, time_ms // tick_ms * tick_ms, number_of[leaf])
            counts[key] = counts.get(key, 0) + 1
    return tuple(Signal(*key, count=count) for key, count in sorted(counts.items()))
