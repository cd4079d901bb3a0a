"""Rows for the charts: what was observed of everyone, tick by tick, beside what was expected."""

import numpy as np

from detectors.trials import TrialTable
from recoup.domain.series import TickRow

UNDER_WAY_TICKS = 3
"""How long after its end a tick is first shown, before all of its outcomes have come."""


def chart_rows(
    table: TrialTable, names: tuple[str, ...], now_ms: int, tick_ms: int
) -> list[TickRow]:
    """Return, for each metric, the tick that has just matured and one that is under way."""
    matured = (now_ms - int(table.horizons.max())) // tick_ms * tick_ms - tick_ms
    rows = []
    for start in sorted({now_ms - tick_ms * UNDER_WAY_TICKS, matured}):
        rows += _rows(table, names, start, now_ms, tick_ms)
    return rows


def _rows(
    table: TrialTable, names: tuple[str, ...], start: int, now_ms: int, tick_ms: int
) -> list[TickRow]:
    low, high = np.searchsorted(table.exposed_ms, [start, start + tick_ms])
    if high <= low:
        return []
    sums = table.sums(slice(int(low), int(high)), now_ms)
    present = np.flatnonzero(sums[0])
    return [
        TickRow(start, names[number], "everyone", *each)
        for number, *each in zip(present.tolist(), *sums[1:, present].tolist(), strict=True)
    ]
