"""The chart of an incident: observed against expected, with onset, action and recovery marked."""

import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from detectors.evidence import IncidentEvidence
from recoup.domain.base import from_ms
from recoup.domain.incident import Incident
from recoup.domain.verification import RecoveryVerdict
from recoup.domain.wording import words

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#767676"
"""From the palette of Okabe and Ito, told apart by colour-blind people; lines differ too."""
WINDOW_TICKS = 5
NAME_SHARE = 0.09
"""How much of the width the name of a mark may take."""


Marks = list[tuple[datetime, str]]
"""Moments to mark, each with its name."""


def draw(incident: Incident, evidence: IncidentEvidence, form: str) -> bytes:
    """Return the chart of an incident as ``svg`` or ``png``."""
    return draw_evidence(evidence, marks_of(incident), form)


def draw_evidence(evidence: IncidentEvidence, marks: Marks, form: str) -> bytes:
    """Return the chart of an incident's evidence with some moments marked."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), dpi=110, layout="constrained")
    axes: Any = figure.subplots()
    times, observed, expected, low, high = series_of(evidence)
    axes.fill_between(times, low, high, color=GREY, alpha=0.25, label="90 % of the baseline")
    axes.plot(times, expected, color=GREY, linestyle="--", linewidth=1.4, label="expected")
    axes.plot(times, observed, color=BLUE, linewidth=2, label="observed")
    for moment, _ in marks:
        axes.axvline(moment, color=ORANGE, linewidth=1.2, linestyle=":")
    for name, moment, lane in _lanes(marks, times):
        axes.annotate(
            name,
            (moment, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(2, 2 + 9 * lane),
            textcoords="offset points",
            fontsize=9,
            color=ORANGE,
        )
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    title = f"{words(evidence.metric_name)}, {evidence.cohort.label}"
    axes.set_title(title, fontsize=11, loc="left", pad=16)
    axes.legend(fontsize=8, loc="lower left", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    _format_time(axes)
    target = io.BytesIO()
    figure.savefig(target, format=form, metadata={"Date": None} if form == "svg" else None)
    return target.getvalue()


def _lanes(marks: Marks, times: Sequence[datetime]) -> Iterator[tuple[str, datetime, int]]:
    """Yield each mark with its lane: names that would cover each other stand in two."""
    near = NAME_SHARE * (times[-1] - times[0])
    lane, before = 0, None
    for moment, name in sorted(marks):
        lane = 1 - lane if before is not None and moment - before < near else 0
        before = moment
        yield name, moment, lane


def _format_time(axes: Any) -> None:
    from matplotlib import dates

    formatter: Any = dates.DateFormatter
    axes.xaxis.set_major_formatter(formatter("%H:%M"))
    axes.tick_params(labelsize=8)


def series_of(evidence: IncidentEvidence) -> tuple[Any, Any, Any, Any, Any]:
    """Return times and smoothed rates of the cohort, with a 90 % band around the expectation."""
    number = evidence.metrics.index(evidence.metric_name)
    rows = evidence.in_cohort(evidence.cohort)[evidence.leaf] & (evidence.metric == number)
    size = evidence.tick_size_ms
    ticks = np.arange(
        evidence.onset_ms // size * size - 60 * size, evidence.until_ms, size, dtype=np.int64
    )
    place = (evidence.tick_ms[rows] - ticks[0]) // size
    inside = (place >= 0) & (place < len(ticks))

    def total(values: Any) -> Any:
        sums = np.bincount(place[inside], values[rows][inside], len(ticks))
        return np.convolve(sums, np.ones(WINDOW_TICKS), mode="full")[: len(ticks)]

    trials = np.maximum(total(evidence.trials), 1e-9)
    shown = trials > 1.0
    observed = np.where(shown, total(evidence.observed) / trials, np.nan)
    expected = np.where(shown, total(evidence.expected) / trials, np.nan)
    error = 1.645 * np.sqrt(total(evidence.variance)) / trials
    times: list[datetime] = [from_ms(int(tick)) for tick in ticks]
    low = np.clip(expected - error, 0, 1)
    return times, np.clip(observed, 0, 1), expected, low, np.clip(expected + error, 0, 1)


def marks_of(incident: Incident) -> Marks:
    """Return the moments of an incident that a chart marks."""
    marks = [(incident.onset_at, "onset"), (incident.opened_at, "noticed")]
    if incident.verifying_since:
        marks.append((incident.verifying_since, "action"))
    if incident.check is not None and incident.check.verdict is not RecoveryVerdict.UNDECIDED:
        marks.append((incident.check.at, incident.check.verdict.value.replace("_", " ")))
    return marks
