"""Incidents made by hand: a small shop of known chances, broken as a test wants it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import numpy as np
import pytest

from detectors.evidence import IncidentEvidence, Signal
from recoup.domain.base import to_ms
from recoup.domain.changes import Change, ChangeKind
from recoup.domain.cohort import Cohort

ONSET = datetime(2025, 3, 4, 12, 0, tzinfo=UTC)
DIMS = {
    "country": ("DE", "FR", "GB", "NL"),
    "os": ("Android 14", "Windows 11", "iOS 17"),
    "release": ("7.1", "7.2"),
}
METRICS = (
    "product_viewed->product_added",
    "product_added->checkout_started",
    "checkout_started->payment_attempted",
    "payment_attempted->order_completed",
    "checkout_started->order_completed",
    "script_error",
)
CHANCES = (0.25, 0.5, 0.8, 0.9, 0.72, 0.01)
REACH = (1.0, 0.25, 0.125, 0.1, 0.125, 2.0)

MakeEvidence = Callable[..., IncidentEvidence]
MakeChange = Callable[..., Change]


@pytest.fixture
def onset() -> datetime:
    return ONSET


@pytest.fixture
def make_change() -> MakeChange:
    def make(change_id: str, minutes: float, scope: dict[str, Any] | None = None, **more: Any):
        plain: dict[str, Any] = {"kind": ChangeKind.DEPLOY, "title": f"change {change_id}"}
        moment = ONSET + timedelta(minutes=minutes)
        return Change(id=change_id, time=moment, scope=scope or {}, **(plain | more))

    return make


@pytest.fixture
def make_evidence() -> MakeEvidence:
    return build


def build(
    broken: dict[str, str],
    *,
    metric: str = "checkout_started->payment_attempted",
    drop: float = 0.6,
    minutes: int = 30,
    per_minute: float = 12.0,
    released_at: int | None = None,
    signals: tuple[Signal, ...] = (),
    seed: int = 1,
) -> IncidentEvidence:
    """Return tallies from two hours before the onset; ``released_at`` is when 7.2 begins."""
    rng = np.random.default_rng(seed)
    leaves = np.array(list(product(*(range(1, len(v) + 1) for v in DIMS.values()))))
    names = tuple(DIMS)
    values = tuple(("", *known) for known in DIMS.values())
    hit = np.ones(len(leaves), dtype=bool)
    for name, value in broken.items():
        hit &= leaves[:, names.index(name)] == values[names.index(name)].index(value)
    number = METRICS.index(metric)
    rows = []
    for minute in range(-120, minutes):
        share = np.where(leaves[:, 2] == 2, 0.3, 0.7)
        if released_at is not None and minute < released_at:
            share = np.where(leaves[:, 2] == 2, 0.0, 1.0)
        for m, (chance, reach) in enumerate(zip(CHANCES, REACH, strict=True)):
            n = rng.poisson(per_minute * reach * 8 * share / (share.sum()))
            is_hit = hit & (minute >= 0) & (m == number)
            k = rng.binomial(n, np.where(is_hit, chance * (1 - drop), chance))
            for leaf in np.flatnonzero(n):
                expected = n[leaf] * chance
                spread = expected * (1 - chance)
                rows.append((minute, leaf, m, n[leaf], k[leaf], expected, spread))
    table = np.array(rows, dtype=float)
    start = to_ms(ONSET)
    return IncidentEvidence(
        incident_id="inc_test",
        metric_name=metric,
        direction="drop",
        cohort=Cohort(broken),
        onset_ms=start,
        opened_ms=start + (minutes - 5) * 60_000,
        until_ms=start + minutes * 60_000,
        tick_size_ms=60_000,
        currency="GBP",
        dimensions=names,
        values=values,
        leaves=leaves,
        metrics=METRICS,
        tick_ms=(start + table[:, 0] * 60_000).astype(np.int64),
        leaf=table[:, 1].astype(np.int64),
        metric=table[:, 2].astype(np.int64),
        trials=table[:, 3],
        observed=table[:, 4],
        expected=table[:, 5],
        variance=table[:, 6],
        order_value=np.full(len(leaves), 50.0),
        order_rate=np.full(len(leaves), 0.9),
        signals=signals,
    )
