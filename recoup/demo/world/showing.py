"""The figures as text: one table for all, one by kind, and what went wrong case by case."""

from collections.abc import Sequence
from typing import Any

from recoup.demo.world.matching import BUSINESS, Claim, Pair
from recoup.demo.world.scoring import (
    Figures,
    Judged,
    by_kind,
    delay_minutes,
    figures,
    impact_error,
    named,
    over_bound,
    reliability,
)

_COLUMNS = (
    ("recall_business", "recall"),
    ("recall_noticeable", "bounded"),
    ("recall_data_quality", "dq"),
    ("recall_traffic", "traffic"),
    ("delay_minutes_median", "minutes"),
    ("delay_over_bound_median", "/bound"),
    ("false_business_a_day", "false/d"),
    ("false_other_a_day", "other/d"),
    ("duplicates_per_fault", "dupl"),
    ("root_exact", "exact"),
    ("root_jaccard", "jacc"),
    ("onset_error_minutes_median", "onset"),
    ("cause_first", "first"),
    ("cause_in_three", "in 3"),
    ("none_right", "none"),
    ("brier", "brier"),
    ("impact_error_median", "impact"),
)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def table(judged: Sequence[Judged]) -> str:
    """Return one line per kind, and the figures of all."""
    kinds = by_kind(judged)
    rows = [("kind", "n", *(short for _, short in _COLUMNS))]
    rows += [_row(kind, one) for kind, one in kinds.items()]
    rows.append(_row("all", figures(judged)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) if not i else cell.rjust(width)
                  for i, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]  # fmt: skip
    return "\n".join(lines)


def told(found: dict[str, Any]) -> str:
    """Return the figures of attribution as tables: by habit, reliability, ablation, impact."""
    lines: list[str] = []
    for title in ("figures", "ablation"):
        rows = found[title]
        lines.append("  ".join([f"{title:24}", *next(iter(rows.values()))]))
        for name, row in rows.items():
            cells = [_number(value).rjust(len(key)) for key, value in row.items()]
            lines.append("  ".join([f"{name:24}", *cells]))
        lines.append("")
    for name, rows in found["reliability"].items():
        said = "  ".join(f"{row['said']:.2f}:{row['right']:.2f} ({row['cases']})" for row in rows)
        lines.append(f"reliability of {name:10} {said}")
    lines += ["", "  ".join(f"{key} {_number(value)}" for key, value in found["impact"].items())]
    return "\n".join(lines)


def _row(kind: str, found: Figures) -> tuple[str, ...]:
    return (kind, _number(found["periods"]), *(_number(found[name]) for name, _ in _COLUMNS))


def summary(judged: Sequence[Judged]) -> str:
    """Return every figure over all periods, one a line."""
    lines = [f"{name:28} {_number(value)}" for name, value in figures(judged).items()]
    lines += [
        f"first cause given {row['said']:.2f}: right {row['right']:.2f} of {row['cases']:.0f}"
        for row in reliability(judged)
    ]
    return "\n".join(lines)


def cases(judged: Sequence[Judged], only_bad: bool = True) -> str:
    """Return the cases one by one: faults missed or misjudged, and false incidents."""
    lines: list[str] = []
    for one in judged:
        where = f"{one.period.seed}-{one.period.fault}"
        for pair in one.matched.pairs:
            trouble = _trouble(pair)
            if not pair.truth.innocent and (trouble or not only_bad):
                lines.append(f"{where}: {_of(pair)}{'; ' if trouble else ''}{'; '.join(trouble)}")
        lines += [f"{where}: false {_claim(claim)}" for claim in one.matched.false]
    return "\n".join(lines)


def _claim(claim: Claim) -> str:
    return f"{claim.kind} {claim.metric} {claim.cohort} at {claim.opened_at:%d %H:%M}"


def _of(pair: Pair) -> str:
    truth = pair.truth
    bound = "none" if truth.bound_minutes is None else f"{truth.bound_minutes:.0f} min"
    found = f"{truth.fault} {truth.metric_hint} {truth.cohort} {truth.effect:.0%}, bound {bound}"
    delay, share = delay_minutes(pair), over_bound(pair)
    if delay is None:
        return found
    return f"{found}, found after {delay:.0f} min" + (f" = {share:.2f} bounds" if share else "")


def _trouble(pair: Pair) -> list[str]:
    truth, claim = pair.truth, pair.claim
    if claim is None:
        return ["MISSED"]
    found = []
    if (over_bound(pair) or 0) > 3:
        found.append("late")
    if claim.cohort != truth.cohort:
        found.append(f"root {claim.cohort}")
    if pair.others:
        found.append("also " + ", ".join(_claim(other) for other in pair.others[:3]))
    if truth.kind == BUSINESS and not named(truth, claim, 1):
        first = claim.ranked[0] if claim.causes else None
        found.append(f"cause {first.change_id if first else '-'} for {truth.change_id}")
    error = impact_error(truth, claim)
    if error is not None and error > 0.5:
        found.append(f"impact off by {error:.0%}")
    return found
