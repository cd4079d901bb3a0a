"""What the pages of cohorts and of changes show, looked up in slices; no HTML here."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np

from detectors.slices import SLICE_MS
from detectors.trials import Bools, Floats
from recoup.app import App
from recoup.domain.base import from_ms, to_ms
from recoup.domain.changes import Change
from recoup.domain.cohort import Cohort
from recoup.domain.errors import InvalidInput, NotFound
from recoup.domain.incident import Incident
from recoup.domain.wording import words
from recoup.web.looking import Course, Looking, Tally, span
from recoup.web.plots import Line, Mark, time_plot
from recoup.web.views import HEAT_ROWS, HeatRow, heat_of, level

HOURS = (3, 6, 24, 72, 168)
MOST_DIMS = 6
AROUND = timedelta(hours=6)
JUDGED = timedelta(hours=2)


class StepRow(NamedTuple):
    """One metric of a cohort."""

    metric: str
    tally: Tally
    word: str


class BeforeAfter(NamedTuple):
    """One step before and after a change, inside its scope and outside."""

    metric: str
    inside: tuple[Tally, Tally]
    outside: tuple[Tally, Tally]

    @property
    def difference(self) -> float | None:
        """How much more the gap to the baseline moved inside the scope than outside."""
        before, after = self.inside
        if before.is_thin or after.is_thin:
            return None
        moved = after.gap - before.gap
        if not self.outside[0].is_thin and not self.outside[1].is_thin:
            moved -= self.outside[1].gap - self.outside[0].gap
        return moved

    @property
    def is_harm(self) -> bool:
        """Whether the difference is for the worse: steps fall, errors rise."""
        return (self.difference or 0.0) < 0 if "->" in self.metric else (self.difference or 0.0) > 0

    @property
    def is_telling(self) -> bool:
        """Whether the difference is more than chance and large enough to look at."""
        before, after = self.inside
        found = self.difference
        if found is None or not after.expected:
            return False
        errors = [each.variance**0.5 / max(each.expected, 1e-9) for each in (before, after)]
        return abs(found) > max(0.05, 4 * float(np.hypot(*errors)))


def cohort_from(wheres: Sequence[str]) -> Cohort:
    """Return the cohort that ``dimension=value`` texts name. Raises InvalidInput."""
    found: dict[str, str] = {}
    for text in wheres:
        name, separator, value = text.partition("=")
        if not separator or not name or not value:
            raise InvalidInput(f"{text!r} is not dimension=value")
        found[name] = value
    if len(found) > MOST_DIMS:
        raise InvalidInput(f"a cohort has at most {MOST_DIMS} dimensions here")
    return Cohort(found)


def wheres_of(scope: Mapping[str, str]) -> list[str]:
    """Return a cohort as the texts that ``cohort_from`` reads."""
    return [f"{name}={value}" for name, value in scope.items()]


def explorer_of(app: App, wheres: Sequence[str], metric: str, hours: int) -> dict[str, Any]:
    """Return what the cohort explorer shows. Raises InvalidInput."""
    cohort = cohort_from(wheres)
    hours = hours if hours in HOURS else HOURS[2]
    now = to_ms(app.clock.now())
    start, end = span(now, app.store.pictures.newest_slice(), hours)
    looking = Looking.load(app.store, start, end)
    metrics = looking.metrics
    metric = metric if metric in metrics else (looking.steps or metrics or [""])[-1]
    course = looking.course(metric, cohort.root) if metric else None
    changes = app.store.changes.between(from_ms(start), from_ms(end))
    incidents = _incidents_of(app, cohort, start, end)
    totals = looking.totals(cohort.root)
    inner = looking.by_value(cohort.root)
    return {
        "cohort": cohort,
        "wheres": wheres_of(cohort.root),
        "without": {
            n: wheres_of({k: v for k, v in cohort.root.items() if k != n}) for n in cohort.root
        },
        "metric": metric,
        "metrics": metrics,
        "hours": hours,
        "choices": HOURS,
        "total": course.total() if course else None,
        "plot": _course_plot(course, metric, cohort, changes, incidents) if course else None,
        "rows": [StepRow(m, t, level(t, m)) for m, t in totals.items() if _tells(t, m)],
        "heat": _inner_heat(inner, looking.steps, cohort),
        "steps": looking.steps,
        "values": _values(inner if len(cohort) else looking.by_value(), cohort),
        "changes": [each for each in changes if cohort.overlaps_scope(each.scope)][-50:],
        "incidents": incidents,
    }


def _tells(tally: Tally, metric: str) -> bool:
    """Tell whether a row is worth its place: steps always, the others when something happened."""
    return "->" in metric or not tally.is_thin


def _incidents_of(app: App, cohort: Cohort, start_ms: int, end_ms: int) -> list[Incident]:
    found = app.store.incidents.list(limit=500)
    return [
        each
        for each in found
        if start_ms <= to_ms(each.opened_at) < end_ms and cohort.overlaps_scope(each.cohort.root)
    ]


def _course_plot(
    course: Course,
    metric: str,
    cohort: Cohort,
    changes: Sequence[Change],
    incidents: Sequence[Incident],
) -> Any:
    observed, expected, low, high = course.shares()
    marks = [
        Mark(each.time, each.kind.value.replace("_", " "))
        for each in changes
        if cohort.overlaps_scope(each.scope)
    ][-8:]
    marks += [Mark(each.onset_at, "onset") for each in incidents if each.metric == metric][:6]
    lines = [Line("expected", "expected", expected), Line("observed", "observed", observed)]
    title = f"{words(metric)} of {cohort.label}"
    return time_plot("cohort", title, course.times_ms, lines, band=(low, high), marks=marks)


def _inner_heat(
    inner: dict[tuple[str, str], dict[str, Tally]], steps: list[str], cohort: Cohort
) -> list[HeatRow]:
    further = {key: mine for key, mine in inner.items() if key[0] not in cohort.root}
    return heat_of(further, steps)[:HEAT_ROWS]


def _values(inner: dict[tuple[str, str], Any], cohort: Cohort) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for dimension, value in sorted(inner):
        if dimension not in cohort.root:
            found.setdefault(dimension, []).append(value)
    return found


def changes_of(app: App, days: int) -> dict[str, Any]:
    """Return the changes of the last days, the latest first."""
    now = app.clock.now()
    newest = app.store.pictures.newest_slice()
    end = now if newest is None else max(from_ms(newest + SLICE_MS), now)
    found = app.store.changes.between(end - timedelta(days=days), end, limit=1000)
    return {"changes": list(reversed(found)), "days": days}


def change_of(app: App, change_id: str) -> dict[str, Any]:
    """Return what happened to every step after a change. Raises NotFound."""
    change = app.store.changes.get(change_id)
    if change is None:
        raise NotFound(f"no change {change_id!r}")
    at = to_ms(change.time) // SLICE_MS * SLICE_MS
    around = round(AROUND.total_seconds() * 1000)
    looking = Looking.load(app.store, at - around, at + around + SLICE_MS)
    rows = [_before_after(looking, metric, change, at) for metric in looking.metrics]
    suspected = [
        (incident, hypothesis)
        for incident in app.store.incidents.list(limit=500)
        if incident.attribution
        for hypothesis in incident.attribution.hypotheses
        if hypothesis.change_id == change_id
    ]
    steps = [row for row in rows if "->" in row.metric]
    shown = max(steps, key=lambda row: abs(row.difference or 0.0), default=None)
    return {
        "change": change,
        "rows": [row for row in rows if not row.inside[1].is_thin or "->" in row.metric],
        "plot": _gap_plot(looking, shown.metric, change) if shown else None,
        "suspected": suspected,
        "judged_h": JUDGED.total_seconds() / 3600,
        "is_everyone": not change.scope,
    }


def _before_after(looking: Looking, metric: str, change: Change, at_ms: int) -> BeforeAfter:
    judged = round(JUDGED.total_seconds() * 1000)
    # The slice in which the change was made is neither before nor after.
    spans = ((at_ms - judged, at_ms), (at_ms + SLICE_MS, at_ms + SLICE_MS + judged))
    inside = looking.course(metric, change.scope)
    outside = looking.course(metric, change.scope, outside=True)
    return BeforeAfter(
        metric,
        (inside.between(*spans[0]), inside.between(*spans[1])),
        (outside.between(*spans[0]), outside.between(*spans[1])),
    )


def _gap_plot(looking: Looking, metric: str, change: Change) -> Any:
    inside = looking.course(metric, change.scope)
    lines = [Line("observed", "in scope", _gap(inside, change))]
    if change.scope:
        outside = looking.course(metric, change.scope, outside=True)
        lines.insert(0, Line("expected", "out of scope", _gap(outside, change)))
    marks = [Mark(change.time, "this change")]
    title = f"{words(metric)}: gap to the baseline"
    return time_plot("gap", title, inside.times_ms, lines, marks=marks, signed=True)


def _gap(course: Course, change: Change) -> Floats:
    """Return the gap over time, each point with its neighbours on the same side of the change.

    NaN where it says nothing.
    """
    after = np.asarray(course.times_ms) + SLICE_MS > to_ms(change.time)
    observed, expected, trials = (
        _with_neighbours(each, after) for each in (course.observed, course.expected, course.trials)
    )
    thin = (trials < 10) | (expected <= 0)
    found: Floats = np.where(thin, np.nan, observed / np.where(thin, 1.0, expected) - 1)
    return found


def _with_neighbours(values: Floats, after: Bools) -> Floats:
    found: Floats = np.zeros_like(values)
    for side in (after, ~after):
        if side.any():
            found[side] = np.convolve(values[side], np.ones(3))[1:-1]
    return found
