"""What the overview and the incident page show, from read models; no HTML here."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import Any, NamedTuple

import numpy as np

from activities.timeline import line_for
from detectors.evidence import from_bytes
from recoup.app import App
from recoup.charts import marks_of, series_of
from recoup.domain.base import from_ms, to_ms
from recoup.domain.changes import Change
from recoup.domain.errors import NotFound
from recoup.domain.facts import CausesRanked, InvestigationStepTaken, Recorded
from recoup.domain.freezing import freeze_in_force
from recoup.domain.incident import Incident, Status
from recoup.domain.series import TickRow
from recoup.domain.wording import words
from recoup.labels import Labels
from recoup.web.looking import Looking, Tally, span
from recoup.web.plots import Line, Mark, Plot, spark, time_plot

SHOWN_HOURS = 3.0
HEAT_ROWS = 24
STANDING_OUT = 4
SPARK_PARTS = 36
DETECTOR = "detector"


class StepHealth(NamedTuple):
    """One metric of everyone: how it is, in figures, in a word and as a small picture."""

    name: str
    tally: Tally
    word: str
    paths: list[str]
    is_step: bool


class HeatRow(NamedTuple):
    """One single-valued cohort: a cell for each step."""

    dimension: str
    value: str
    cells: list[tuple[str, Tally, str]]
    """Metric, tally and level of each step."""


class Moment(NamedTuple):
    """One thing on the time line, placed between 0 and 1."""

    at: datetime
    place: float
    lane: str
    title: str
    href: str


def overview_of(app: App) -> dict[str, Any]:
    """Return what the overview shows."""
    now = app.clock.now()
    start, end = span(to_ms(now), app.store.pictures.newest_slice(), SHOWN_HOURS)
    looking = Looking.load(app.store, start, end)
    by_value = looking.by_value()
    incidents = app.store.incidents.list(open_only=True)
    stats = app.store.stats()
    heat = heat_of(by_value, looking.steps)
    return {
        "health": health_of(app, start, end),
        "heat": heat,
        "standing_out": standing_out(heat),
        "steps": looking.steps,
        "watched": _watched(by_value, looking),
        "incidents": incidents,
        "at_risk": _at_risk(incidents),
        "moments": moments_of(app, from_ms(end) - timedelta(hours=24), from_ms(end)),
        "from_at": from_ms(end) - timedelta(hours=24),
        "until_at": from_ms(end),
        "stats": stats,
        "lag": app.store.head() - app.store.checkpoint(DETECTOR),
        "hours": SHOWN_HOURS,
        "is_stale": end < to_ms(now),
        "shadow": app.settings.response.shadow,
        "freeze": freeze_in_force(app.store),
    }


def health_of(app: App, start_ms: int, end_ms: int) -> list[StepHealth]:
    """Return the metrics of everyone that have something to say, in the order of the funnel."""
    rows = app.store.pictures.ticks("everyone", start_ms, end_ms)
    found = [_health(name, list(mine)) for name, mine in groupby(rows, lambda row: row.metric)]
    found = [each for each in found if each.is_step or each.word != "thin"]
    order = {name: place for place, name in enumerate(_metric_order(app))}
    return sorted(found, key=lambda each: (order.get(each.name, 99), each.name))


def _metric_order(app: App) -> list[str]:
    funnel = app.settings.detect.funnel
    return [f"{a}->{b}" for a, b in pairwise(funnel)]


def _health(name: str, rows: list[TickRow]) -> StepHealth:
    table = np.array([row[3:] for row in rows], dtype=float)
    tally = Tally(*table.sum(axis=0).tolist())
    size = max(1, len(rows) // SPARK_PARTS)
    starts = np.arange(0, len(rows), size)
    parts = np.add.reduceat(table, starts, axis=0)
    trials = np.where(parts[:, 0] > 0, parts[:, 0], np.nan)
    paths = spark(np.clip(parts[:, 1] / trials, 0, 1), parts[:, 2] / trials)
    return StepHealth(name, tally, level(tally, name), paths, "->" in name)


def level(tally: Tally, metric: str) -> str:
    """Return how far a tally is from its baseline, as one of five words."""
    if tally.is_thin:
        return "thin"
    harm = tally.sigmas if "->" not in metric else -tally.sigmas
    size = abs(tally.gap)
    if harm > 5 and size > 0.08:
        return "far-worse"
    if harm > 3 and size > 0.03:
        return "worse"
    return "better" if harm < -3 and size > 0.03 else "usual"


def heat_of(by_value: dict[tuple[str, str], dict[str, Tally]], steps: list[str]) -> list[HeatRow]:
    """Return the busiest cohorts, grouped by dimension, with a cell for each step."""
    if not steps:
        return []
    ranked = sorted(by_value.items(), key=lambda item: -item[1][steps[0]].trials)[:HEAT_ROWS]
    rows = [
        HeatRow(dimension, value, [(m, mine[m], level(mine[m], m)) for m in steps if m in mine])
        for (dimension, value), mine in ranked
    ]
    return sorted(rows, key=lambda row: (row.dimension, -row.cells[0][1].trials))


def standing_out(heat: list[HeatRow]) -> list[tuple[HeatRow, str, Tally]]:
    """Return what is far worse in a heat map, the most certain first: a phone shows few columns."""
    found = [
        (row, metric, tally)
        for row in heat
        for metric, tally, word in row.cells
        if word == "far-worse"
    ]
    return sorted(found, key=lambda each: -abs(each[2].sigmas))[:STANDING_OUT]


def _watched(by_value: dict[tuple[str, str], Any], looking: Looking) -> dict[str, Any]:
    trials = sum(looking.course(metric, {}).total().trials for metric in looking.metrics)
    return {
        "metrics": len(looking.metrics),
        "values": len(by_value),
        "dimensions": sorted({dimension for dimension, _ in by_value}),
        "trials": round(trials),
    }


def _at_risk(incidents: Iterable[Incident]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for incident in incidents:
        money = incident.at_risk_per_hour
        sums[money.currency] = sums.get(money.currency, 0.0) + money.mid
    return sums


def moments_of(app: App, start: datetime, end: datetime) -> list[Moment]:
    """Return changes and incidents between two moments, in order of time."""
    length = max((end - start).total_seconds(), 1.0)

    def put(at: datetime, lane: str, title: str, href: str) -> Moment:
        return Moment(at, (at - start).total_seconds() / length, lane, title, href)

    found = [
        put(each.time, each.kind.value, each.title or each.id, f"/changes/{each.id}")
        for each in app.store.changes.between(start, end)
    ]
    for incident in app.store.incidents.list(limit=200):
        title = f"{words(incident.metric)} for {incident.cohort.label}"
        if start <= incident.opened_at <= end:
            found.append(put(incident.opened_at, "incident", title, f"/incidents/{incident.id}"))
    return sorted(found, key=lambda each: each.at)


def get_incident(app: App, incident_id: str) -> Incident:
    """Return an incident. Raises NotFound."""
    incident = app.store.incidents.get(incident_id)
    if incident is None:
        raise NotFound(f"no incident {incident_id!r}")
    return incident


def incident_of(app: App, incident_id: str, labels: Labels) -> dict[str, Any]:
    """Return what the page of an incident shows. Raises NotFound."""
    incident = get_incident(app, incident_id)
    entries = app.store.read_stream(incident_id)
    waits = incident.proposal is not None and incident.status is Status.AWAITING_APPROVAL
    timeline = [
        {
            "at": entry.occurred_at,
            "text": line.partition("  ")[2].replace(incident.metric, words(incident.metric)),
            "actor": entry.actor,
        }
        for entry in entries
        if (line := line_for(entry))
    ]
    return {
        "incident": incident,
        "timeline": timeline,
        "steps": _last_steps(entries),
        "plot": incident_plot(app, incident),
        "suspects": _suspects(app, incident),
        "waits": waits,
        "is_open": incident.status is not Status.CLOSED,
        "label": labels.is_benign(incident_id),
        "preview": "" if labels.is_benign(incident_id) else labels.sentence(incident_id),
        "cohort_wheres": [f"{name}={value}" for name, value in incident.cohort.root.items()],
        "title": f"{words(incident.metric)} for {incident.cohort.label}",
    }


def _last_steps(entries: Iterable[Recorded]) -> list[InvestigationStepTaken]:
    """Return the steps that led to the ranking that is shown, or that are being taken."""
    steps: list[InvestigationStepTaken] = []
    is_ended = False
    for entry in entries:
        if isinstance(entry.fact, CausesRanked):
            is_ended = True
        elif isinstance(entry.fact, InvestigationStepTaken):
            steps = [entry.fact] if is_ended else [*steps, entry.fact]
            is_ended = False
    return steps


def incident_plot(app: App, incident: Incident) -> Plot | None:
    """Return the cohort's observed course against its band, with what happened marked."""
    record = app.store.evidence.get(incident.id)
    if record is None:
        return None
    evidence = from_bytes(record.payload)
    times, observed, expected, low, high = series_of(evidence)
    lines = [Line("expected", "expected", expected), Line("observed", "observed", observed)]
    marks = [Mark(*each) for each in marks_of(incident)]
    title = f"{words(incident.metric)} of {incident.cohort.label}"
    times_ms = [to_ms(at) for at in times]
    return time_plot("cohort", title, times_ms, lines, band=(low, high), marks=marks)


def _suspects(app: App, incident: Incident) -> dict[str, Change]:
    ranked = incident.attribution.hypotheses[:6] if incident.attribution else ()
    found = (app.store.changes.get(each.change_id) for each in ranked)
    return {change.id: change for change in found if change is not None}
