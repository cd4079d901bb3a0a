"""The geometry of charts: from figures to paths and labels that a template draws as inline SVG.

Nothing here is HTML, and no colour: lines differ by dash and weight, the style sheet adds colours,
and every plot carries its figures as rows, which the page shows as a table beside the picture.
"""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np

from detectors.trials import Floats
from recoup.domain.base import from_ms

RIGHT, BOTTOM, LANE = 12, 26, 15
MINUTE = 60_000
STEPS_MIN = (1, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10_080)
MOST_ROWS = 60


class Size(NamedTuple):
    """How large a drawing is in its own units, and how many times fit along it."""

    name: str
    width: int
    height: int
    left: int
    most_ticks: int


WIDE, NARROW = Size("wide", 860, 260, 52, 8), Size("narrow", 390, 250, 46, 4)
"""For a desk and for a phone: letters keep their size, so a phone gets fewer of them."""


class Mark(NamedTuple):
    """A moment to mark, with its name."""

    at: datetime
    name: str


class Line(NamedTuple):
    """One line of a plot: its role (a class of the style sheet), its name, and its values."""

    role: str
    name: str
    values: Floats


class Tick(NamedTuple):
    """A label at a place along an axis."""

    place: float
    label: str


class PlacedMark(NamedTuple):
    """A mark with its place, its lane at the top, and the side its name stands on."""

    place: float
    lane_y: float
    name: str
    anchor: str


class Drawing(NamedTuple):
    """The geometry of a chart at one size."""

    size: Size
    top: float
    floor: float
    right: float
    band: str
    lines: list[tuple[str, str, str]]
    """Role, name and path of each line."""
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    marks: list[PlacedMark]


class Plot(NamedTuple):
    """Everything a template needs to draw one chart and to say it in words."""

    name: str
    title: str
    summary: str
    drawings: list[Drawing]
    columns: list[str]
    rows: list[list[str]]


class _Course(NamedTuple):
    times_ms: Sequence[int]
    lines: Sequence[Line]
    band: tuple[Floats, Floats] | None
    marks: Sequence[Mark]
    signed: bool


class _Scale(NamedTuple):
    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        share = (value - self.low) / max(self.high - self.low, 1e-12)
        return self.start + share * (self.end - self.start)


def time_plot(
    name: str,
    title: str,
    times_ms: Sequence[int],
    lines: Sequence[Line],
    *,
    band: tuple[Floats, Floats] | None = None,
    marks: Sequence[Mark] = (),
    signed: bool = False,
) -> Plot | None:
    """Return the plot of shares over time, or None when there is nothing to draw."""
    if len(times_ms) < 2 or all(np.isnan(line.values).all() for line in lines):
        return None
    course = _Course(times_ms, lines, band, marks, signed)
    return Plot(
        name,
        title,
        _summary(lines, times_ms),
        [_drawn(course, size) for size in (WIDE, NARROW)],
        ["Time (UTC)", *(line.name for line in lines)],
        _rows(times_ms, lines, signed=signed),
    )


def _drawn(course: _Course, size: Size) -> Drawing:
    times, lines, band = course.times_ms, course.lines, course.band
    x = _Scale(times[0], times[-1], size.left, size.width - RIGHT)
    placed, lanes = _place_marks(course.marks, x, size.width)
    top = 8.0 + lanes * LANE
    floor = float(size.height - BOTTOM)
    everything = [line.values for line in lines] + list(band or ())
    y = _Scale(*_range(np.concatenate(everything), signed=course.signed), floor, top)
    levels = _nice(y.low, y.high)
    return Drawing(
        size,
        top,
        floor,
        size.width - RIGHT,
        _area(times, band, x, y) if band else "",
        [(line.role, line.name, _path(times, line.values, x, y)) for line in lines],
        _time_ticks(x, size.most_ticks),
        [Tick(y.place(value), _percent(value, signed=course.signed)) for value in levels],
        placed,
    )


def spark(values: Floats, baseline: Floats, width: int = 220, height: int = 44) -> list[str]:
    """Return the paths of a small picture: the observed course and the expected one."""
    high = float(np.nanmax(np.concatenate([values, baseline]), initial=1e-9))
    low = float(np.nanmin(np.concatenate([values, baseline]), initial=high))
    pad = max(high - low, 0.1 * high) * 0.25
    x = _Scale(0, max(len(values) - 1, 1), 2, width - 2)
    y = _Scale(max(low - pad, 0.0), high + pad, height - 2, 2)
    places = list(range(len(values)))
    return [_path(places, each, x, y) for each in (values, baseline)]


def _range(values: Floats, *, signed: bool) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    low, high = float(known.min()), float(known.max())
    if signed:
        reach = max(abs(low), abs(high), 0.05) * 1.1
        return -reach, reach
    if low > 0.6 * high:
        pad = max(high - low, 0.04) * 0.4
        return max(0.0, low - pad), min(high + pad, max(1.0, high))
    return 0.0, max(high * 1.1, 1e-6)


def _path(places: Sequence[float], values: Floats, x: _Scale, y: _Scale) -> str:
    parts, pen = [], "M"
    for at, value in zip(places, values.tolist(), strict=True):
        if math.isnan(value):
            pen = "M"
            continue
        parts.append(f"{pen}{x.place(at):.1f} {y.place(value):.1f}")
        pen = "L"
    return "".join(parts)


def _area(times: Sequence[int], band: tuple[Floats, Floats], x: _Scale, y: _Scale) -> str:
    known = ~(np.isnan(band[0]) | np.isnan(band[1]))
    if not known.any():
        return ""
    at = np.asarray(times)[known].tolist()
    upper = [f"{x.place(t):.1f} {y.place(v):.1f}" for t, v in zip(at, band[1][known], strict=True)]
    lower = [f"{x.place(t):.1f} {y.place(v):.1f}" for t, v in zip(at, band[0][known], strict=True)]
    return "M" + "L".join(upper + lower[::-1]) + "Z"


def _place_marks(marks: Sequence[Mark], x: _Scale, width: int) -> tuple[list[PlacedMark], int]:
    placed: list[PlacedMark] = []
    ends: list[float] = []
    for mark in sorted(marks, key=lambda mark: mark.at):
        at_ms = mark.at.timestamp() * 1000
        if not x.low <= at_ms <= x.high:
            continue
        place, length = x.place(at_ms), 7.0 * len(mark.name) + 10
        before = place + length > width
        start = place - length if before else place
        lane = next((n for n, end in enumerate(ends) if end < start), len(ends))
        ends[lane : lane + 1] = [start + length]
        anchor = "end" if before else "start"
        placed.append(PlacedMark(place, 14.0 + lane * LANE, mark.name, anchor))
    return placed, len(ends)


def _time_ticks(x: _Scale, most: int) -> list[Tick]:
    span = (x.high - x.low) / MINUTE
    step = next((s for s in STEPS_MIN if span / s <= most), STEPS_MIN[-1]) * MINUTE
    first = math.ceil(x.low / step) * step
    found = []
    for at in np.arange(first, x.high + 1, step).tolist():
        moment = from_ms(int(at))
        midnight = moment.hour == moment.minute == 0
        found.append(Tick(x.place(at), f"{moment:%a %d}" if midnight else f"{moment:%H:%M}"))
    return found


def _nice(low: float, high: float, wanted: int = 5) -> list[float]:
    raw = max(high - low, 1e-9) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw)
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def _percent(value: float, *, signed: bool) -> str:
    if math.isnan(value):
        return "-"
    digits = 0 if abs(value) >= 0.1 or value == 0 else 1
    return f"{value:+z.{digits}%}" if signed else f"{value:.{digits}%}"


def _rows(times: Sequence[int], lines: Sequence[Line], *, signed: bool) -> list[list[str]]:
    every = max(1, math.ceil(len(times) / MOST_ROWS))
    form = "{:+z.1%}" if signed else "{:.1%}"
    return [
        [
            f"{from_ms(times[i]):%d %b %H:%M}",
            *("-" if math.isnan(v := float(line.values[i])) else form.format(v) for line in lines),
        ]
        for i in range(0, len(times), every)
    ]


def _summary(lines: Sequence[Line], times: Sequence[int]) -> str:
    parts = []
    for line in lines:
        known = line.values[~np.isnan(line.values)]
        if len(known):
            parts.append(
                f"{line.name} from {known[0]:.1%} to {known[-1]:.1%}, lowest {known.min():.1%}"
            )
    first, last = from_ms(times[0]), from_ms(times[-1])
    return f"{first:%d %b %H:%M} to {last:%d %b %H:%M} UTC. " + "; ".join(parts) + "."
