"""What ``recoup backtest --compare`` and ``recoup shadow report`` print of two runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from recoup.cli._shared import show_table
from recoup.settings import DetectSettings

if TYPE_CHECKING:
    from detectors.comparison import Both, Comparison, Sighting


def differences(a: DetectSettings, b: DetectSettings) -> list[tuple[str, str, str]]:
    """Return the settings of detection that differ, with both values."""
    mine, theirs = (each.model_dump(mode="json", exclude={"shadow"}) for each in (a, b))
    return [
        (f"detect.{name}", str(value), str(theirs[name]))
        for name, value in mine.items()
        if value != theirs[name]
    ]


def names_of(files: Sequence[Path]) -> list[str]:
    """Return short names for two settings files: their stems, or A and B where those are equal."""
    stems = [file.stem for file in files]
    return stems if len(set(stems)) == len(stems) else ["A", "B"]


def as_plain(found: "Comparison") -> dict[str, Any]:
    """Return a comparison for ``--json``: totals of either side, then the incidents."""
    sides = found.found()
    return {
        "days": found.days,
        "totals": {name: _totals(side, found) for name, side in zip("ab", sides, strict=True)},
        "both": [
            {
                "a": pair.a,
                "b": pair.b,
                "b_earlier_minutes": pair.earlier_minutes,
                "b_earlier_worth": pair.earlier_worth,
            }
            for pair in found.both
        ],
        "only_a": found.only_a,
        "only_b": found.only_b,
    }


def show(found: "Comparison", a: str, b: str) -> None:
    """Print a comparison as tables: the totals, then incident by incident."""
    sides = found.found()
    totals = [_totals(side, found) for side in sides]
    rows = [[name, *_total_cells(total)] for name, total in zip((a, b), totals, strict=True)]
    columns = ["", "incidents", "business", "a day", "business a day", "at risk an hour, summed"]
    show_table(f"{found.days:.1f} days", columns, rows, empty="")
    lines = [_both_row(pair, a, b) for pair in found.both]
    lines += [_only_row(each, f"{a} only") for each in found.only_a]
    lines += [_only_row(each, f"{b} only") for each in found.only_b]
    lines.sort(key=lambda row: row[0])
    headers = ["", "opened", "found by", f"{b} earlier", "kind", "metric", "cohort", "per hour"]
    text = "Neither found an incident in this period."
    show_table("Incident by incident", headers[1:], [row[1:] for row in lines], empty=text)
    told = sorted(pair.earlier_minutes for pair in found.both)
    if told:
        typer.echo(
            f"Of {len(told)} found by both, {b} was earlier {sum(each > 0 for each in told)} times "
            f"and later {sum(each < 0 for each in told)} times, "
            f"by {told[len(told) // 2]:+.1f} minutes in the median."
        )


def _totals(side: "Sequence[Sighting]", found: "Comparison") -> dict[str, float]:
    business = [each for each in side if each.kind == "business"]
    days = max(found.days, 1e-9)
    return {
        "incidents": len(side),
        "business": len(business),
        "incidents_a_day": round(len(side) / days, 4),
        "business_a_day": round(len(business) / days, 4),
        "at_risk_per_hour": round(sum(each.at_risk_per_hour for each in side), 2),
        "at_risk": round(sum(each.at_risk for each in side), 2),
    }


def _total_cells(total: dict[str, float]) -> list[str]:
    return [
        f"{total['incidents']:.0f}",
        f"{total['business']:.0f}",
        f"{total['incidents_a_day']:.2f}",
        f"{total['business_a_day']:.2f}",
        f"{total['at_risk_per_hour']:,.0f}",
    ]


def _both_row(pair: "Both", a: str, b: str) -> list[str]:
    one, other = pair.a, pair.b
    kind = one.kind if one.kind == other.kind else f"{a}: {one.kind}, {b}: {other.kind}"
    same = one.cohort == other.cohort
    cohort = one.cohort.label if same else f"{one.cohort.label}; {b}: {other.cohort.label}"
    return [
        one.opened_at.isoformat(), f"{one.opened_at:%a %d %b %H:%M}", "both",
        f"{pair.earlier_minutes:+.0f} min", kind, one.metric, cohort,
        f"{one.at_risk_per_hour:,.0f}",
    ]  # fmt: skip


def _only_row(each: "Sighting", label: str) -> list[str]:
    return [
        each.opened_at.isoformat(), f"{each.opened_at:%a %d %b %H:%M}", label, "",
        each.kind, each.metric, each.cohort.label, f"{each.at_risk_per_hour:,.0f}",
    ]  # fmt: skip
