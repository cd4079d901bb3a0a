"""What each part of detection contributes: one JSON line a variant of the engine without it.

Usage: python -m tests.benchmarks.ablation [--out out/ablation] [--seeds 601-612] [--jobs 1]
       [--variants all,pairs,...] [--days 6] [--sessions-per-day 9000]

Each seed is a shop of its own with one fault, or none, from the list below. A part is taken out
from outside, in a process of its own, so that production code knows nothing of it. What was done
is kept in the folder and not done again.
"""

import argparse
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from shutil import copy
from typing import Any

import numpy as np
from pydantic_core import to_json

from detectors import hourly, priming, response, sequential, trials
from detectors.backtest import Backtest
from detectors.configuration import DetectionConfig
from detectors.trials import Told
from recoup.demo.world.bench import seeds_of
from recoup.demo.world.generating import CHANGES, EVENTS, QUIET, TRUTH, WORLD, generate
from recoup.demo.world.scoring import INCIDENTS, Judged, delay_minutes, figures, judge
from recoup.recording import EventFile, read_changes

ALL = "all"
FAULTS = (
    "widget_break", "flag_country", "provider_outage", "broken_promo", "fraud_rule", "slow_leak",
    "slow_cdn", "canary_deploy", QUIET, "mix_shift", "two_at_once", "experiment_arm",
)  # fmt: skip
SHOWN = (
    "business_faults", "recall_business", "delay_over_bound_median", "delay_minutes_median",
    "days", "false_business_a_day", "root_exact", "root_jaccard", "onset_error_minutes_median",
)  # fmt: skip


def _put(place: object, name: str, part: object) -> None:
    if not hasattr(place, name):
        raise SystemExit(f"{place} has no {name} any more: tell this bench where it went")
    setattr(place, name, part)


def _without_priming() -> None:
    _put(priming.Priming, "note", lambda *_: None)


def _without_doubt() -> None:
    _put(sequential.Evidence, "_doubt", lambda self: np.zeros(self.ratios.shape))


def _as_judged(bias: float | None, dispersion: float | None) -> None:
    judged: Callable[..., None] = hourly.judge

    def judge_less(*told: Any) -> None:
        judged(*told)
        off, lively, _ = told[-3:]
        if bias is not None:
            off[:] = bias
        if dispersion is not None:
            lively[:] = dispersion

    _put(sequential, "judge", judge_less)


def _without_corroboration() -> None:
    _put(response.Response, "_errors", lambda *_: 0.0)


def _without_the_waiting() -> None:
    """A success tells when it comes, a failure at the horizon, as whole trials."""
    tell = trials.TrialTable.tell

    def tell_late(self: trials.TrialTable, now_ms: int) -> Told:
        told = tell(self, now_ms)
        over = told.part(told.won | (told.after >= 1.0 - 1e-9))
        return over._replace(before=np.zeros(len(over.leaf)))

    _put(trials.TrialTable, "tell", tell_late)


VARIANTS: dict[str, tuple[Callable[[], None], dict[str, Any]]] = {
    ALL: (lambda: None, {}),
    "without the likelihood of trials that wait": (_without_the_waiting, {}),
    "one size of effect (50 %)": (lambda: None, {"drops": (0.5,) * 6}),
    "single values only": (lambda: None, {"max_cohort_dims": 1}),
    "no triples": (lambda: None, {"max_cohort_dims": 2}),
    "without a cohort's slow correction": (lambda: _as_judged(0.0, None), {}),
    "without liveliness beyond chance": (lambda: _as_judged(None, 1.0), {}),
    "without doubt of the baseline": (_without_doubt, {}),
    "without priming by changes": (_without_priming, {}),
    "without errors speeding up": (_without_corroboration, {}),
}


def run(job: tuple[str, str, str]) -> None:
    """Backtest one shop with one variant."""
    variant, source, target = job
    folder, shop = Path(target), Path(source)
    take_out, settings = VARIANTS[variant]
    take_out()
    folder.mkdir(parents=True, exist_ok=True)
    config = replace(DetectionConfig(charts=False), **settings)
    backtest = Backtest(config, read_changes(shop / CHANGES))
    for _ in backtest.run(EventFile(shop / EVENTS).blocks()):
        pass
    for name in (CHANGES, TRUTH, WORLD):
        copy(shop / name, folder / name)
    (folder / INCIDENTS).write_bytes(to_json(backtest.result()))


def _against(whole: list[Judged], part: list[Judged]) -> float | None:
    """Return the delays over those of the whole engine, a geometric mean over what both found."""
    pairs = [pair for one in whole for pair in one.matched.pairs if not pair.truth.innocent]
    mine = [pair for one in part for pair in one.matched.pairs if not pair.truth.innocent]
    ratios = [
        max(now, 1.0) / max(before, 1.0)
        for before, now in zip(map(delay_minutes, pairs), map(delay_minutes, mine), strict=True)
        if before is not None and now is not None
    ]
    return float(np.exp(np.mean(np.log(ratios)))) if ratios else None


def main() -> None:
    """Make the shops, run every variant over each, and print a line a variant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/ablation"))
    parser.add_argument("--seeds", default="601-612")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--days", type=float, default=6)
    parser.add_argument("--sessions-per-day", type=float, default=9_000)
    parser.add_argument("--variants", default=",".join(VARIANTS))
    wanted = parser.parse_args()
    shops = []
    for number, seed in enumerate(seeds_of(wanted.seeds)):
        fault = FAULTS[number % len(FAULTS)]
        shop = wanted.out / "shops" / f"{seed}-{fault}"
        if not (shop / WORLD).exists():
            generate(seed, fault, shop, wanted.days, wanted.sessions_per_day)
        shops.append(shop)
    for variant in wanted.variants.split(","):
        into = wanted.out / variant.replace(" ", "_").replace("(", "").replace(")", "")
        jobs = [(variant, str(shop), str(into / shop.name)) for shop in shops]
        missing = [job for job in jobs if not (Path(job[2]) / INCIDENTS).exists()]
        with ProcessPoolExecutor(wanted.jobs, max_tasks_per_child=1) as pool:
            list(pool.map(run, missing))
        judged = [judge(into / shop.name) for shop in shops]
        found = figures(judged)
        row = {"variant": variant} | {key: found[key] for key in SHOWN}
        if all((wanted.out / ALL / shop.name / INCIDENTS).exists() for shop in shops):
            whole = [judge(wanted.out / ALL / shop.name) for shop in shops]
            row["delay_against_all"] = _against(whole, judged)
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
