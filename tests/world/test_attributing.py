"""The bench of attribution: other lists of changes, and figures that say what they should."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from detectors.evidence import IncidentEvidence, to_bytes
from recoup.demo.world import attributing
from recoup.demo.world.attributing import OWN, Verdict, cases_of, figures, judge, reliability
from recoup.demo.world.command import app
from recoup.demo.world.habits import HABITS, known_by, redraw
from recoup.demo.world.rankings import Ranked
from recoup.demo.world.truth import Period, Truth
from recoup.domain.base import to_ms
from recoup.domain.changes import Change, ChangeKind
from recoup.domain.cohort import Cohort

ONSET = datetime(2025, 3, 4, 12, 0, tzinfo=UTC)
DE = {"country": "DE"}
STEP = "checkout_started->payment_attempted"
CHANCE, MINUTES, WORTH = 0.8, 30, 50.0
LOSS = 60 * 3 * CHANCE * 0.6 * WORTH


def truth(**more: Any) -> Truth:
    plain: dict[str, Any] = {
        "fault": "flag_country", "kind": "business", "onset": ONSET, "cohort": DE,
        "end": ONSET + timedelta(hours=4), "effect": 0.6, "metric_hint": STEP,
        "change_id": "own", "change_ids": ("own",), "loss_curve": (LOSS,) * 4,
    }  # fmt: skip
    return Truth(**(plain | more))


def evidence() -> IncidentEvidence:
    """Return three trials a minute in each of four countries; one country fails by 60 %."""
    rng = np.random.default_rng(3)
    minute, leaf = (grid.ravel() for grid in np.mgrid[-120:MINUTES, 0:4])
    trials = rng.poisson(3.0, len(minute))
    chance = np.where((leaf == 0) & (minute >= 0), CHANCE * 0.4, CHANCE)
    start = to_ms(ONSET)
    return IncidentEvidence(
        incident_id="inc_bench",
        metric_name=STEP,
        direction="drop",
        cohort=Cohort(DE),
        onset_ms=start,
        opened_ms=start + (MINUTES - 5) * 60_000,
        until_ms=start + MINUTES * 60_000,
        tick_size_ms=60_000,
        currency="EUR",
        dimensions=("country",),
        values=(("", "DE", "FR", "GB", "NL"),),
        leaves=np.arange(1, 5).reshape(4, 1),
        metrics=(STEP,),
        tick_ms=start + minute.astype(np.int64) * 60_000,
        leaf=leaf.astype(np.int64),
        metric=np.zeros(len(leaf), dtype=np.int64),
        trials=trials.astype(np.float64),
        observed=rng.binomial(trials, chance).astype(np.float64),
        expected=trials * CHANCE,
        variance=trials * CHANCE * (1 - CHANCE),
        order_value=np.full(4, WORTH),
        order_rate=np.ones(4),
        signals=(),
    )


def change(change_id: str, minutes: float, scope: dict[str, Any]) -> Change:
    moment = ONSET + timedelta(minutes=minutes)
    return Change(id=change_id, kind=ChangeKind.FLAG, time=moment, title=change_id, scope=scope)


@pytest.fixture
def ranked() -> Ranked:
    changes = (change("own", -3, DE), change("other", -30, {"country": "FR"}))
    return Ranked(truth(), evidence(), changes, 1.0)


@pytest.mark.parametrize("name", HABITS)
def test_another_list_has_the_cause_or_none(name: str) -> None:
    habit, rng = HABITS[name], np.random.default_rng(1)
    values = {"country": ["DE", "FR", "GB"], "os": ["iOS 17", "Windows 11"]}
    drawn = [redraw(truth(), values, habit, rng) for _ in range(200)]
    recorded = [changes for changes, guilty in drawn if guilty]
    assert 1 - len(recorded) / len(drawn) == pytest.approx(habit.unrecorded, abs=0.09)
    for changes, guilty in drawn:
        assert [each.id for each in changes if each.id == "cause"] == list(guilty)
        assert 6 <= len(changes) <= 26
    leads = [
        (ONSET - each.time).total_seconds() / 60
        for changes in recorded
        for each in changes
        if each.id == "cause"
    ]
    assert min(leads) >= 0
    assert np.mean(leads) == pytest.approx(habit.lead, rel=0.35)
    assert all(each.time <= ONSET for each in known_by(drawn[0][0], to_ms(ONSET)))


def test_judged_by_each_plan_of_evidence(ranked: Ranked) -> None:
    found = judge(cases_of([ranked], OWN), attributing.plans())
    assert found[attributing.ALL][0].first
    assert found[attributing.ALL][0].probability > found["time only"][0].probability
    nobody = Ranked(truth(change_id=None, change_ids=()), ranked.evidence, ranked.changes[1:], 1.0)
    verdict = judge(cases_of([nobody], OWN))[attributing.ALL][0]
    assert (verdict.is_known, verdict.first) == (False, True)
    same = [judge(cases_of([ranked], "sloppy"))[attributing.ALL] for _ in range(2)]
    assert same[0] == same[1]
    assert len(same[0]) == attributing.DRAWS


def test_figures_and_reliability_of_verdicts() -> None:
    verdicts = [
        Verdict(True, True, True, 0.9),
        Verdict(True, False, True, 0.6),
        Verdict(False, True, True, 0.8),
        Verdict(False, False, False, 0.6),
    ]
    found = figures(verdicts)
    assert (found["cause_first"], found["cause_in_three"], found["none_right"]) == (0.5, 1, 0.5)
    assert found["brier"] == pytest.approx((0.01 + 0.36 + 0.04 + 0.36) / 4)
    assert [(row["said"], row["right"]) for row in reliability(verdicts)] == [
        (pytest.approx(0.6), 0), (pytest.approx(0.8), 1), (pytest.approx(0.9), 1),
    ]  # fmt: skip


def test_impact_is_held_against_what_was_lost(ranked: Ranked) -> None:
    found = attributing.impact([ranked])
    assert found["cases"] == 1
    assert found["error_median"] < 0.3
    far = Ranked(truth(loss_curve=(1e6,) * 4), ranked.evidence, (), 1.0)
    assert attributing.impact([far])["coverage"] == 0


def test_the_commands_read_what_was_collected_and_go_on(tmp_path: Path, ranked: Ranked) -> None:
    case = tmp_path / "7-flag_country"
    case.mkdir()
    own = ranked.evidence
    (case / "truth.json").write_text(f"[{ranked.truth.model_dump_json()}]")
    period = Period(
        seed=7, fault="flag_country", days=1, sessions=1, events=1, start=ONSET, truths=[]
    )
    (case / "world.json").write_text(period.model_dump_json(exclude={"truths"}))
    lines = [each.model_dump_json() for each in ranked.changes]
    (case / "changes.ndjson").write_text("\n".join(lines) + "\n")
    opened = {
        "id": own.incident_id, "opened_at": ONSET.isoformat(), "onset_at": ONSET.isoformat(),
        "closed_at": None, "metric": STEP, "cohort": DE, "direction": "drop", "expected": 0.8,
        "observed": 0.3, "revenue_at_risk_per_hour": 1.0, "kind": "business", "causes": [],
    }  # fmt: skip
    (case / "incidents.json").write_text(json.dumps([opened]))
    (case / f"{own.incident_id}.evidence").write_bytes(to_bytes(own))
    runner, plot = CliRunner(), tmp_path / "reliability.png"
    words = ["collect", "--seeds", "7", "--fault", "flag_country", "--out", str(tmp_path)]
    again = runner.invoke(app, words)
    assert (again.exit_code, again.output) == (0, "")
    told = runner.invoke(app, ["causes", str(tmp_path), "--plot", str(plot)])
    assert told.exit_code == 0, told.output
    assert {"figures", "ablation", "reliability"} <= set(told.output.split())
    assert plot.read_bytes().startswith(b"\x89PNG")
    plain = json.loads(runner.invoke(app, ["causes", str(tmp_path), "--json"]).output)
    assert plain["figures"]["own"]["cause_first"] == 1
