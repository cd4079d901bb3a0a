"""From read models to what the pages show; no HTML here."""

from datetime import timedelta
from typing import Any

from recoup.app import App
from recoup.domain.base import to_ms
from recoup.domain.series import TickRow

SHOWN_HOURS = 3
WIDTH, HEIGHT = 220, 40


def overview_of(app: App) -> dict[str, Any]:
    """Return what the overview shows: metrics with sparklines, open incidents, recent changes."""
    now = app.clock.now()
    start, end = to_ms(now - timedelta(hours=SHOWN_HOURS)), to_ms(now)
    metrics = []
    for metric, cohort in app.store.tick_metrics():
        if cohort != "everyone":
            continue
        rows = app.store.ticks(metric, cohort, start, end)
        if rows:
            metrics.append(_metric(metric, rows))
    return {
        "metrics": metrics,
        "incidents": app.store.incidents.list(open_only=True),
        "changes": list(reversed(app.store.changes.between(now - timedelta(hours=24), now)))[:20],
        "stats": app.store.stats(),
        "lag": app.store.head() - app.store.checkpoint("detector"),
        "hours": SHOWN_HOURS,
    }


def _metric(name: str, rows: list[TickRow]) -> dict[str, Any]:
    trials = max(sum(row.trials for row in rows), 1e-9)
    observed = sum(row.observed for row in rows) / trials
    expected = sum(row.expected for row in rows) / trials
    return {
        "name": name,
        "observed": observed,
        "expected": expected,
        "gap": observed / expected - 1 if expected else 0.0,
        "trials": round(trials),
        "line": _line([row.observed / max(row.trials, 1e-9) for row in _merged(rows)]),
        "baseline": _line([row.expected / max(row.trials, 1e-9) for row in _merged(rows)]),
    }


def _merged(rows: list[TickRow], parts: int = 30) -> list[TickRow]:
    size = max(1, len(rows) // parts)
    groups = [rows[i : i + size] for i in range(0, len(rows), size)]
    return [
        group[0]._replace(
            trials=sum(r.trials for r in group),
            observed=sum(r.observed for r in group),
            expected=sum(r.expected for r in group),
        )
        for group in groups
    ]


def _line(values: list[float]) -> str:
    """Return the points of a sparkline, from 0 at the bottom to twice the mean at the top."""
    top = max(2 * sum(values) / max(len(values), 1), 1e-9)
    step = WIDTH / max(len(values) - 1, 1)
    return " ".join(
        f"{i * step:.1f},{HEIGHT - min(value / top, 1) * HEIGHT:.1f}"
        for i, value in enumerate(values)
    )
