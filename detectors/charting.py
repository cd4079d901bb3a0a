"""Rows for the charts: what was observed of everyone, tick by tick, beside what was expected."""

from collections.abc import Mapping

import numpy as np

from detectors.trials import TrialTable
from recoup.domain.series import TickRow

UNDER_WAY_TICKS = 3
"""How long after its end a tick is first shown, before all of its outcomes have come."""


def chart_rows(tables: Mapping[str, TrialTable], now_ms: int, tick_ms: int) -> list[TickRow]:
    """Return, for each metric, the tick that has just matured and one that is under way."""
    rows = []
    for name, table in tables.items():
        matured = (now_ms - table.horizon_ms) // tick_ms * tick_ms - tick_ms
        for start in sorted({now_ms - tick_ms * UNDER_WAY_TICKS, matured}):
            row = _row(name, table, start, now_ms, tick_ms)
            if row is not None:
                rows.append(row)
    return rows


def _row(name: str, table: TrialTable, start: int, now_ms: int, tick_ms: int) -> TickRow | None:
    low, high = np.searchsorted(table.exposed_ms, [start, start + tick_ms])
    if high <= low:
        return None
    part = slice(int(low), int(high))
    share = table.lags.share_by((now_ms - table.exposed_ms[part]).astype(np.float64))
    p = table.predicted[part] * share
    return TickRow(
        start,
        name,
        "everyone",
        float(share.sum()),
        float((table.success_ms[part] >= 0).sum()),
        float(p.sum()),
        float((p * (1 - p)).sum()),
    )
