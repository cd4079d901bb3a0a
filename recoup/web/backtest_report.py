"""The report of a backtest: one file, readable without a server, that a sceptic can check."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from recoup.charts import draw_evidence
from recoup.domain.base import from_ms

if TYPE_CHECKING:
    from detectors.backtest import Backtest, Shown

CAUSES_SHOWN = 4


@dataclass(frozen=True)
class Day:
    """One day of the period, and how many incidents opened on it."""

    on: date
    opened: int


def render(run: "Backtest", source: str, currency: str) -> str:
    """Return the report as HTML."""
    pages = Environment(
        loader=PackageLoader("recoup.web"), autoescape=True, undefined=StrictUndefined
    )
    shown = run.shown()
    first, last = (from_ms(moment) for moment in run.period_ms)
    counts = Counter(each.incident.opened_at.date() for each in shown)
    days = [
        Day(first.date() + timedelta(days=n), counts[first.date() + timedelta(days=n)])
        for n in range((last.date() - first.date()).days + 1)
    ]
    return pages.get_template("backtest.html").render(
        source=source,
        currency=currency,
        first=first,
        last=last,
        days=days,
        quiet=sum(not day.opened for day in days),
        cases=[_case(each) for each in shown],
        warm_up_h=run.config.warm_up_ms / 3_600_000,
    )


def _case(shown: "Shown") -> dict[str, Any]:
    incident, ranked = shown.incident, shown.ranked
    chart = Markup("")
    if shown.evidence is not None:
        marks = [(incident.onset_at, "onset"), (incident.opened_at, "noticed")]
        drawn = draw_evidence(shown.evidence, marks, "svg").decode()
        # Our own drawing: matplotlib escapes what names it shows.
        chart = Markup(drawn[drawn.index("<svg") :])  # noqa: S704
    return {
        "incident": incident,
        "chart": chart,
        "causes": ranked.hypotheses[:CAUSES_SHOWN] if ranked else (),
        "impact": ranked.impact if ranked else None,
        "minutes": (incident.opened_at - incident.onset_at).total_seconds() / 60,
    }
