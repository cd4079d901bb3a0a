"""How good the attribution is: figures, reliability, what each kind of evidence adds, coverage."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np

from detectors.attribution.causes import KINDS, CauseModel, Inquiry, Seen
from detectors.attribution.investigation import investigate
from recoup.demo.world.habits import HABITS, Habit, known_by, redraw
from recoup.demo.world.rankings import Ranked
from recoup.demo.world.scoring import Figures, loss_per_hour_until
from recoup.domain.base import from_ms
from recoup.domain.changes import Change
from recoup.domain.hypotheses import UNKNOWN_CAUSE, Hypothesis

OWN, ALL = "own", "all"
DRAWS = 5
"""How many lists of changes are drawn for each incident and habit."""

PARTS = {
    "time": ("time",),
    "scope": ("scope", "outside"),
    "kinds of signal": ("touches", "named"),
    "dose": ("dose",),
}
BINS = (0.0, 0.5, 0.7, 0.9, 0.97, 1.01)


@dataclass(frozen=True)
class Case:
    """One incident among one list of changes; ``guilty`` is empty when the cause is not in it."""

    ranked: Ranked
    changes: Sequence[Change]
    guilty: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """Whether the right cause came first and among three, and the probability of the first."""

    is_known: bool
    first: bool
    in_three: bool
    probability: float


def cases_of(ranked: Iterable[Ranked], habit: str) -> list[Case]:
    """Return the incidents among their own changes, or among lists drawn by a habit."""
    if habit == OWN:
        return [Case(each, each.changes, each.truth.change_ids) for each in ranked]
    rng = np.random.default_rng(11)
    return [_redrawn(each, HABITS[habit], rng) for each in ranked for _ in range(DRAWS)]


def _redrawn(ranked: Ranked, habit: Habit, rng: np.random.Generator) -> Case:
    evidence = ranked.evidence
    values = {
        name: [value for value in known if value]
        for name, known in zip(evidence.dimensions, evidence.values, strict=True)
    }
    changes, guilty = redraw(ranked.truth, values, habit, rng)
    return Case(ranked, known_by(changes, evidence.until_ms), guilty)


def judge(
    cases: Iterable[Case], plans: dict[str, Collection[str]] | None = None
) -> dict[str, list[Verdict]]:
    """Rank each case by each plan's kinds of evidence and compare with the truth."""
    model = CauseModel.default()
    plans = plans or {ALL: KINDS}
    found: dict[str, list[Verdict]] = {name: [] for name in plans}
    seen: dict[int, Seen] = {}
    for case in cases:
        evidence = case.ranked.evidence
        if id(evidence) not in seen:
            seen = {id(evidence): Seen.of(evidence, evidence.cohort)}
        inquiry = Inquiry(evidence, case.changes, model, seen[id(evidence)])
        for name, kinds in plans.items():
            ranking = inquiry.rank(kinds)
            right = [_is_right(each, case.guilty) for each in ranking[:3]]
            verdict = Verdict(bool(case.guilty), right[0], any(right), ranking[0].probability)
            found[name].append(verdict)
    return found


def _is_right(hypothesis: Hypothesis, guilty: tuple[str, ...]) -> bool:
    return hypothesis.change_id in (guilty or (UNKNOWN_CAUSE,))


def figures(verdicts: Sequence[Verdict]) -> Figures:
    """Return the figures that attribution is judged by."""
    known = [each for each in verdicts if each.is_known]
    unknown = [each for each in verdicts if not each.is_known]
    return {
        "cases": len(verdicts),
        "cause_first": _share(each.first for each in known),
        "cause_in_three": _share(each.in_three for each in known),
        "unknown_cases": len(unknown),
        "none_right": _share(each.first for each in unknown),
        "brier": _share((each.probability - each.first) ** 2 for each in verdicts),
    }


def _share(values: Iterable[float]) -> float | None:
    found = [float(value) for value in values]
    return fmean(found) if found else None


def reliability(verdicts: Sequence[Verdict]) -> list[dict[str, float]]:
    """Return, for ranges of the probability given to a first cause, how often it was right."""
    rows = []
    for low, high in pairwise(BINS):
        inside = [each for each in verdicts if low <= each.probability < high]
        if inside:
            said, right = fmean(e.probability for e in inside), fmean(e.first for e in inside)
            rows.append({"said": said, "right": right, "cases": len(inside)})
    return rows


def plans() -> dict[str, Collection[str]]:
    """Return the kinds of evidence to rank by: all, all but each part, and time alone."""
    found: dict[str, Collection[str]] = {ALL: KINDS}
    for name, kinds in PARTS.items():
        found[f"without {name}"] = [kind for kind in KINDS if kind not in kinds]
    return found | {"time only": ["time"]}


def impact(ranked: Iterable[Ranked]) -> Figures:
    """Return how far the revenue at risk is off, and how often its 90 % interval holds."""
    errors, holds, model = [], [], CauseModel.default()
    for each in ranked:
        evidence = each.evidence
        right = loss_per_hour_until(each.truth, from_ms(evidence.opened_ms))
        if right:
            answer = investigate(evidence, each.changes, model, explain=False)
            found = answer.impact.at_risk_per_hour
            errors.append(abs(found.mid / right - 1))
            holds.append(found.low <= right <= found.high)
    return {
        "cases": len(errors),
        "error_median": median(errors) if errors else None,
        "coverage": _share(holds),
    }


def report(ranked: Sequence[Ranked]) -> dict[str, Any]:
    """Return all figures: by habit, how honest the odds were, by kind of evidence, and impact."""
    verdicts = {name: judge(cases_of(ranked, name), plans()) for name in (OWN, *HABITS)}
    by_plan = {
        plan: [each for found in verdicts.values() for each in found[plan]] for plan in plans()
    }
    return {
        "figures": {name: figures(found[ALL]) for name, found in verdicts.items()},
        "reliability": {name: reliability(found[ALL]) for name, found in verdicts.items()}
        | {ALL: reliability(by_plan[ALL])},
        "ablation": {plan: figures(found) for plan, found in by_plan.items()},
        "impact": impact(ranked),
    }


def draw_reliability(rows: dict[str, list[dict[str, float]]], path: Path) -> None:
    """Write the reliability diagram: what was said against what proved right, with 90 % bars."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 4.6), dpi=110, layout="constrained")
    axes: Any = figure.subplots()
    axes.plot([0, 1], [0, 1], color="#767676", linestyle="--", linewidth=1, label="honest")
    colours = {"neat": "#e69f00", "sloppy": "#009e73", "any_kind": "#cc79a7"}
    for name, colour in colours.items():
        curve = [[row[key] for row in rows.get(name, [])] for key in ("said", "right")]
        axes.plot(*curve, color=colour, marker=".", linewidth=1, alpha=0.7, label=name)
    points = rows[ALL]
    bounds = np.array([_wilson(row["right"], row["cases"]) for row in points]).reshape(-1, 2)
    right = np.array([row["right"] for row in points])
    axes.errorbar(
        [row["said"] for row in points],
        right,
        yerr=[right - bounds[:, 0], bounds[:, 1] - right],
        color="#0072b2",
        marker="o",
        capsize=3,
        label=f"all {sum(row['cases'] for row in points):.0f} rankings",
    )
    axes.set(xlabel="probability given to the first cause", ylabel="share that was right")
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend(fontsize=8, loc="upper left", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def _wilson(share: float, cases: float, z: float = 1.645) -> tuple[float, float]:
    """Return between what a share lies with 90 %."""
    middle = (share + z * z / (2 * cases)) / (1 + z * z / cases)
    half = z * ((share * (1 - share) + z * z / (4 * cases)) / cases) ** 0.5 / (1 + z * z / cases)
    return min(middle - half, share), max(middle + half, share)
