"""The scorer on cases made by hand, where the right answer is plain."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from recoup.demo.world import scoring
from recoup.demo.world.bench import EACH, TURNS, cases_of, seeds_of
from recoup.demo.world.command import app
from recoup.demo.world.generating import QUIET
from recoup.demo.world.kinds import KINDS
from recoup.demo.world.matching import Claim, likeness, match
from recoup.demo.world.scoring import Judged, figures, reliability
from recoup.demo.world.showing import cases, table
from recoup.demo.world.truth import Period, Truth
from recoup.domain.hypotheses import UNKNOWN_CAUSE

START = datetime(2026, 3, 2, tzinfo=UTC)
IOS = {"os": "iOS 16", "browser": "Safari"}


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def truth(**more: Any) -> Truth:
    usual: dict[str, Any] = {
        "fault": "widget_break",
        "kind": "business",
        "onset": at(100),
        "end": at(104),
        "cohort": IOS,
        "effect": 0.5,
        "metric_hint": "payment_attempted->order_completed",
        "change_id": "right",
        "change_ids": ("right", "right-step-2"),
        "loss_curve": (100.0, 100.0, 100.0, 100.0),
        "bound_minutes": 20.0,
    }
    return Truth(**{**usual, **more})


def claim(**more: Any) -> Claim:
    usual: dict[str, Any] = {
        "id": "i1",
        "opened_at": at(100.5),
        "onset_at": at(100.1),
        "cohort": IOS,
        "kind": "business",
        "revenue_at_risk_per_hour": 120.0,
        "causes": [
            {"change_id": "right", "kind": "flag", "probability": 0.8},
            {"change_id": "wrong", "kind": "deploy", "probability": 0.15},
            {"change_id": UNKNOWN_CAUSE, "kind": None, "probability": 0.05},
        ],
    }
    return Claim.model_validate({**usual, **more})


def judged(truths: list[Truth], claims: list[Claim], fault: str = "widget_break") -> Judged:
    period = Period(seed=1, fault=fault, days=8, sessions=1, events=1, start=START, truths=truths)
    return Judged(period, match(truths, claims))


def test_a_perfect_answer() -> None:
    found = figures([judged([truth()], [claim()])])
    assert found["recall_business"] == 1
    assert found["delay_minutes_median"] == pytest.approx(30)
    assert found["delay_over_bound_median"] == pytest.approx(1.5)
    assert found["false_business_a_day"] == 0
    assert found["root_exact"] == found["root_jaccard"] == 1
    assert found["onset_error_minutes_median"] == pytest.approx(6)
    assert found["cause_first"] == found["cause_in_three"] == 1
    assert found["brier"] == pytest.approx(0.04)
    assert found["impact_error_median"] == pytest.approx(0.2)
    assert found["recall_data_quality"] is None


@pytest.mark.parametrize(
    ("changed", "matches"),
    [
        ({"opened_at": at(99.9)}, False),
        ({"opened_at": at(104.9)}, True),
        ({"opened_at": at(105.1)}, False),
        ({"cohort": {"os": "iOS 17"}}, False),
        ({"cohort": {}}, True),
        ({"cohort": {"browser": "Safari", "country": "DE"}}, True),
        ({"kind": "data_quality"}, False),
    ],
)
def test_when_an_incident_is_about_a_fault(changed: dict[str, Any], matches: bool) -> None:
    one = judged([truth()], [claim(**changed)])
    assert (one.matched.pairs[0].claim is not None) == matches
    assert bool(one.matched.false) == (not matches)


def test_a_wrong_kind_is_a_miss_and_a_false_business_incident() -> None:
    lost = truth(fault="tracking_loss", kind="data_quality")
    found = figures([judged([lost], [claim()], "tracking_loss")])
    assert found["recall_data_quality"] == 0
    assert found["false_business_a_day"] == pytest.approx(1 / 8)
    assert found["false_business_a_day_calm"] is None


def test_repeats_are_not_false_but_strangers_are() -> None:
    again = claim(id="i2", opened_at=at(101), cohort={"browser": "Safari"})
    stranger = claim(id="i3", opened_at=at(101), cohort={"os": "Linux"})
    found = figures([judged([truth()], [again, claim(), stranger])])
    assert found["duplicates_per_fault"] == 1
    assert found["false_business_a_day"] == pytest.approx(1 / 8)
    assert found["delay_minutes_median"] == pytest.approx(30)


def test_two_faults_need_two_incidents() -> None:
    other = truth(cohort={"country": "DE"}, onset=at(101), change_id="other", change_ids=("other",))
    everyone = claim(cohort={}, opened_at=at(101.5))
    assert figures([judged([truth(), other], [everyone])])["recall_business"] == 0.5
    german = claim(id="i2", cohort={"country": "DE"}, opened_at=at(102))
    both = judged([truth(), other], [german, claim(opened_at=at(101.8))])
    assert [pair.claim.id for pair in both.matched.pairs if pair.claim] == ["i1", "i2"]


def test_the_root_is_judged_as_last_told_and_as_people_were_asked() -> None:
    sharpened = claim(asked={"browser": "Safari"})
    found = figures([judged([truth()], [sharpened])])
    assert (found["root_exact"], found["root_exact_when_asked"]) == (1, 0)
    assert figures([judged([truth()], [claim(asked=IOS)])])["root_exact_when_asked"] == 1


def test_what_nobody_could_notice_is_a_miss_but_told_apart() -> None:
    hopeless = truth(cohort={"country": "DE"}, bound_minutes=None)
    missed = judged([truth(), hopeless], [claim()])
    found = figures([missed])
    assert found["recall_business"] == 0.5
    assert found["recall_noticeable"] == 1
    assert "bounded" in table([missed])
    assert "bound none; MISSED" in cases([missed])

    late = truth(cohort={"os": "Linux"}, bound_minutes=150.0)
    assert figures([judged([truth(), late], [claim()])])["recall_noticeable"] == 0.5
    assert figures([judged([hopeless], [])])["recall_noticeable"] is None


def test_innocent_disturbances_ask_for_nothing_and_excuse_nothing() -> None:
    shift = truth(fault="mix_shift", kind="traffic", innocent=True, bound_minutes=None)
    found = figures([judged([shift], [claim()], "mix_shift")])
    assert found["recall_traffic"] is None
    assert found["false_business_a_day_calm"] == pytest.approx(1 / 8)
    assert figures([judged([shift], [claim(kind="traffic")], QUIET)])["false_other_a_day"] == 0


def test_none_of_the_changes_is_an_answer() -> None:
    third_party = truth(change_id=None, change_ids=())
    believed = claim(causes=[{"change_id": UNKNOWN_CAUSE, "kind": None, "probability": 0.9}])
    found = figures([judged([third_party], [believed])])
    assert (found["none_right"], found["cause_first"]) == (1, None)
    assert found["brier"] == pytest.approx(0.01)
    assert figures([judged([third_party], [claim()])])["none_right"] == 0
    assert figures([judged([truth()], [claim(causes=[])])])["brier"] == 1


def test_a_later_rollout_step_is_also_right() -> None:
    step = claim(causes=[{"change_id": "right-step-2", "kind": "deploy", "probability": 1.0}])
    assert figures([judged([truth()], [step])])["cause_first"] == 1


def test_third_in_rank_counts_as_in_three_only() -> None:
    late = claim(
        causes=[
            {"change_id": name, "kind": "deploy", "probability": share}
            for name, share in (("a", 0.2), ("right", 0.3), ("b", 0.4), ("c", 0.1))
        ]
    )
    found = figures([judged([truth()], [late])])
    assert (found["cause_first"], found["cause_in_three"]) == (0, 1)
    assert found["brier"] == pytest.approx(0.16)


def test_reliability_compares_what_was_said_with_what_was_right() -> None:
    wrong = claim(causes=[{"change_id": "wrong", "kind": "deploy", "probability": 0.9}])
    rows = reliability([judged([truth()], [claim()]), judged([truth()], [wrong])])
    assert rows == [{"said": pytest.approx(0.85), "right": 0.5, "cases": 2}]


def test_loss_is_counted_until_an_hour_after_the_opening() -> None:
    grown = truth(loss_curve=(0.0, 100.0, 200.0, 300.0))
    assert scoring.loss_per_hour(grown, claim(opened_at=at(101))) == pytest.approx(50)
    assert scoring.loss_per_hour(grown, claim(opened_at=at(100.5))) == pytest.approx(50 / 1.5)
    assert scoring.loss_per_hour(grown, claim(opened_at=at(104.5))) == pytest.approx(150)
    short = truth(end=at(100.5), loss_curve=(60.0,))
    assert scoring.loss_per_hour(short, claim(opened_at=at(100.4))) == pytest.approx(120)


def test_likeness_of_cohorts() -> None:
    assert likeness({}, {}) == 1
    assert likeness(IOS, {"os": "iOS 16"}) == 0.5
    assert likeness(IOS, {}) == 0


def test_the_table_and_the_cases_say_what_happened() -> None:
    wrong = claim(cohort={"os": "iOS 16"}, causes=[])
    missed = truth(cohort={"os": "Windows 11"})
    shown = cases([judged([truth(), missed], [wrong, claim(id="x", cohort={"os": "Linux"})])])
    assert "MISSED" in shown
    assert "cause - for right" in shown
    assert "false business" in shown
    assert table([judged([truth()], [claim()])]).splitlines()[-1].startswith("all")


def test_cases_of_a_bench(tmp_path: Path) -> None:
    assert seeds_of("1-3,7") == [1, 2, 3, 7]
    assert len(cases_of([1, 2], EACH, tmp_path)) == 2 * (len(KINDS) + 1)
    assert [case.fault for case in cases_of([5, 6], TURNS, tmp_path)] == list(KINDS)[:2]
    assert [case.fault for case in cases_of([5], "bots,push", tmp_path)] == ["bots", "push"]


def test_the_commands(tmp_path: Path) -> None:
    runner = CliRunner()
    words = "generate --seed 4 --fault flag_country --days 2 --sessions-per-day 800 --out"
    made = runner.invoke(app, [*words.split(), str(tmp_path)])
    assert made.exit_code == 0, made.output
    found = json.loads((tmp_path / "truth.json").read_text())[0]
    opened = datetime.fromisoformat(found["onset"]) + timedelta(minutes=10)
    incident = claim(opened_at=opened, onset_at=opened, cohort=found["cohort"])
    (tmp_path / "incidents.json").write_text(f"[{incident.model_dump_json()}]")
    scored = runner.invoke(app, ["score", str(tmp_path), "--json"])
    assert scored.exit_code == 0, scored.output
    assert json.loads(scored.output)["all"]["recall_business"] == 1
    assert runner.invoke(app, ["score", str(tmp_path), "--cases"]).exit_code == 0
    assert runner.invoke(app, ["generate", "--fault", "nonsense", "--out", "x"]).exit_code == 2
    assert "bots" in runner.invoke(app, ["kinds"]).output
