"""Cutting an incident's evidence out of the trial tables."""

import numpy as np

from detectors.evidence import IncidentEvidence, Signal
from detectors.incidents import OpenIncident
from detectors.trials import Floats, Ints, TrialTable

BEFORE_MS = 2 * 3600 * 1000


def cut(  # noqa: PLR0913 - everything that the evidence is made of
    incident: OpenIncident,
    tables: dict[str, TrialTable],
    all_dims: list[dict[str, str]],
    signals: list[tuple[str, str, int, int]],
    now_ms: int,
    tick_ms: int,
    currency: str,
    order_value: float,
    order_rate: float,
) -> IncidentEvidence:
    """Return the tallies of every metric from two hours before the onset until now."""
    since = incident.onset_ms - BEFORE_MS
    parts = [
        _rows(number, table, since, now_ms, tick_ms) for number, table in enumerate(tables.values())
    ]
    rows = np.concatenate(parts) if parts else np.zeros((0, 7))
    used, place = np.unique(rows[:, 1].astype(np.int64), return_inverse=True)
    number_of = {int(leaf): number for number, leaf in enumerate(used)}
    dimensions, values, leaves = _coded([all_dims[leaf] for leaf in used])
    count = len(used)
    return IncidentEvidence(
        incident_id=incident.incident_id,
        metric_name=incident.metric,
        direction=incident.direction,
        cohort=incident.cohort,
        onset_ms=incident.onset_ms,
        opened_ms=incident.opened_ms,
        until_ms=now_ms,
        tick_size_ms=tick_ms,
        currency=currency,
        dimensions=dimensions,
        values=values,
        leaves=leaves,
        metrics=tuple(tables),
        tick_ms=rows[:, 0].astype(np.int64),
        leaf=place.astype(np.int64),
        metric=rows[:, 2].astype(np.int64),
        trials=rows[:, 3],
        observed=rows[:, 4],
        expected=rows[:, 5],
        variance=rows[:, 6],
        order_value=np.full(count, order_value),
        order_rate=np.full(count, order_rate),
        signals=_signals(signals, number_of, since, tick_ms),
    )


def _coded(
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


def _rows(number: int, table: TrialTable, since: int, now_ms: int, tick_ms: int) -> Floats:
    start = int(np.searchsorted(table.exposed_ms, since))
    exposed, leaf = table.exposed_ms[start:], table.leaf[start:]
    if len(leaf) == 0:
        return np.zeros((0, 7))
    share = table.lags.share_by((now_ms - exposed).astype(np.float64))
    p = table.predicted[start:] * share
    key = (exposed // tick_ms) * 10_000_000 + leaf
    groups, place = np.unique(key, return_inverse=True)
    count = len(groups)
    columns = [
        (groups // 10_000_000) * tick_ms,
        groups % 10_000_000,
        np.full(count, number),
        np.bincount(place, share, count),
        np.bincount(place, (table.success_ms[start:] >= 0).astype(float), count),
        np.bincount(place, p, count),
        np.bincount(place, p * (1 - p), count),
    ]
    return np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)


def _signals(
    signals: list[tuple[str, str, int, int]], number_of: dict[int, int], since: int, tick_ms: int
) -> tuple[Signal, ...]:
    counts: dict[tuple[str, str, int, int], int] = {}
    for kind, detail, time_ms, leaf in signals:
        if time_ms >= since and leaf in number_of:
            key = (kind, detail, time_ms // tick_ms * tick_ms, number_of[leaf])
            counts[key] = counts.get(key, 0) + 1
    return tuple(Signal(*key, count=count) for key, count in sorted(counts.items()))
