"""Causes: each kind of evidence moves the ranking as it should, and the odds are honest."""

from typing import Any

import numpy as np
import pytest

from detectors.attribution.causes import CauseModel, rank
from detectors.attribution.investigation import investigate, steps
from detectors.attribution.suspects import suspects_of
from detectors.evidence import Signal
from recoup.domain.base import to_ms
from recoup.domain.changes import ChangeKind
from recoup.domain.hypotheses import UNKNOWN_CAUSE

Make = Any
DE = {"country": "DE"}


def ranked(evidence: Any, changes: list[Any]) -> list[Any]:
    return list(rank(evidence, evidence.cohort, changes, CauseModel.default()))


def test_the_change_that_names_who_is_hit_wins_over_one_for_everybody(
    make_evidence: Make, make_change: Make
) -> None:
    changes = [
        make_change("own", -4, DE),
        make_change("all", -2),
        make_change("other", -1, {"country": "FR"}),
        make_change("old", -300, DE),
    ]
    found = ranked(make_evidence(DE), changes)
    assert found[0].change_id == "own"
    assert found[0].probability > 0.9
    assert sum(each.probability for each in found) == pytest.approx(1.0)


def test_none_of_the_known_changes_when_none_fits(make_evidence: Make, make_change: Make) -> None:
    changes = [
        make_change("elsewhere", -3, {"country": "FR"}),
        make_change("after", 20, DE),
        make_change("long before", -500),
    ]
    found = ranked(make_evidence(DE), changes)
    assert found[0].change_id == UNKNOWN_CAUSE
    assert ranked(make_evidence(DE), [])[0].probability == pytest.approx(1.0)


def test_a_third_party_is_named_when_nobody_recorded_what_is_in_its_hands(
    make_evidence: Make, make_change: Make, onset: Any
) -> None:
    start = to_ms(onset)
    slow = tuple(Signal("api_slow", "/pay", start + 60_000 * m, 0, 1) for m in range(12))
    changes = [make_change("elsewhere", -3, {"country": "FR"})]
    quiet = investigate(make_evidence(DE), changes, CauseModel.default(), explain=False)
    found = investigate(
        make_evidence(DE, signals=slow), changes, CauseModel.default(), explain=False
    )
    assert not any("third party" in text for text in quiet.sentences)
    assert found.first.change_id == UNKNOWN_CAUSE
    assert found.sentences[1] == (
        "A third party may be in trouble without a record of it: calls of '/pay' were slow."
    )


def test_a_change_after_the_harm_is_no_cause_of_it(make_evidence: Make, make_change: Make) -> None:
    before = ranked(make_evidence(DE), [make_change("it", -5, DE)])[0]
    after = ranked(make_evidence(DE), [make_change("it", 15, DE)])
    assert before.change_id == "it"
    assert after[0].change_id == UNKNOWN_CAUSE


def test_two_that_cannot_be_told_apart_share_the_odds_and_say_so(
    make_evidence: Make, make_change: Make
) -> None:
    evidence = make_evidence(DE)
    changes = [make_change("one", -3, DE), make_change("two", -3, DE)]
    found = investigate(evidence, changes, CauseModel.default(), explain=False)
    first, second = found.hypotheses[:2]
    assert first.probability == pytest.approx(second.probability)
    assert first.indistinguishable_from == (second.change_id,)
    assert any("cannot tell it from" in text for text in found.sentences)


def test_steps_of_a_rollout_are_one_suspect(make_evidence: Make, make_change: Make) -> None:
    parts = {"scope": DE, "ref": "flag-9", "kind": ChangeKind.FLAG}
    changes = [make_change("a", -40, **parts), make_change("b", -3, **parts)]
    changes.append(make_change("c", -3, {"country": "FR"}, ref="flag-9", kind=ChangeKind.CONFIG))
    assert [len(each.changes) for each in suspects_of(changes)] == [2, 1]
    found = ranked(make_evidence(DE), changes)
    assert found[0].change_id == "b"
    assert {each.change_id for each in found} == {"b", "c", UNKNOWN_CAUSE}


def test_a_release_that_began_with_a_deploy_names_it_even_without_a_scope(
    make_evidence: Make, make_change: Make
) -> None:
    evidence = make_evidence({"release": "7.2"}, released_at=0)
    changes = [
        make_change("deploy", -1),
        make_change("config", -1, kind=ChangeKind.CONFIG),
        make_change("flag", -1, kind=ChangeKind.FLAG),
    ]
    found = ranked(evidence, changes)
    assert found[0].change_id == "deploy"
    assert found[0].probability > 0.6


def test_a_title_that_names_the_value_counts_as_a_scope(
    make_evidence: Make, make_change: Make
) -> None:
    changes = [
        make_change("named", -3, title="new wallet for iOS 17"),
        make_change("not", -3, title="new wallet for iOS 17.4"),
    ]
    found = ranked(make_evidence({"os": "iOS 17"}), changes)
    assert found[0].change_id == "named"
    assert found[0].probability > 3 * found[1].probability


def signals(onset: int, before: int, since: int, detail: str = "wallet.js") -> tuple[Signal, ...]:
    earlier = [
        Signal("script_error", detail, onset - 60_000 * (m + 5), 0, 1) for m in range(before)
    ]
    later = [Signal("script_error", detail, onset + 60_000 * m, 0, 1) for m in range(since)]
    return tuple(earlier + later)


def test_errors_that_came_up_speak_for_the_change_they_name(
    make_evidence: Make, make_change: Make, onset: Any
) -> None:
    changes = [
        make_change("wallet", -6, title="wallet button"),
        make_change("tax", -2, title="tax"),
    ]
    start = to_ms(onset)
    quiet = ranked(make_evidence({}), changes)
    usual = ranked(make_evidence({}, signals=signals(start, 30, 8)), changes)
    up = ranked(make_evidence({}, signals=signals(start, 0, 20)), changes)
    odds = [
        next(each.probability for each in found if each.change_id == "wallet")
        for found in (quiet, usual, up)
    ]
    assert odds[0] == pytest.approx(odds[1])
    assert odds[2] > 1.3 * odds[1]


def test_outcomes_teach_the_model(make_evidence: Make, make_change: Make) -> None:
    model = CauseModel.default()
    before = model.weight("time")
    for _ in range(30):
        model.learn({"time": 1.0, "scope": -2.0}, is_cause=False)
    assert model.weight("time") < before
    again = CauseModel.loads(model.dumps())
    assert again.log_odds({"time": 1.0}) == model.log_odds({"time": 1.0})


def test_a_late_report_changes_the_answer(make_evidence: Make, make_change: Make) -> None:
    evidence, model = make_evidence(DE), CauseModel.default()
    innocent = make_change("innocent", -30)
    first = investigate(evidence, [innocent], model, explain=False)
    late = investigate(evidence, [innocent, make_change("late", -2, DE)], model, explain=False)
    assert first.first.change_id == UNKNOWN_CAUSE
    assert late.first.change_id == "late"


def test_an_investigation_goes_from_cheap_to_dear_and_stops_when_nothing_could_change(
    make_evidence: Make, make_change: Make
) -> None:
    changes = [make_change("own", -3, DE), make_change("far", -400, {"country": "FR"})]
    taken = list(steps(make_evidence(DE, drop=0.9), changes, CauseModel.default()))
    names = [each.name for each in taken]
    assert names == ["impact", "timing", "scope", "signals", "rollout", "comparison", "explanation"]
    assert any("Left out" in each.summary for each in taken)
    answer = taken[-1].attribution_so_far
    assert answer is not None
    assert answer.first.change_id == "own"
    assert 2 <= len(answer.sentences) <= 5
    compared = [f.text for f in answer.first.findings if f.kind == "difference"]
    assert len(compared) == 1
    assert "those it touches moved by -" in compared[0]
    assert answer.shares[0].dimension == "country"
    assert answer.shares[0].value == "DE"


def test_the_odds_are_honest_over_many_incidents(make_evidence: Make, make_change: Make) -> None:
    rng = np.random.default_rng(5)
    said, right = [], []
    for seed in range(40):
        evidence = make_evidence(DE, seed=seed, per_minute=4.0)
        changes = [
            make_change(f"i{n}", float(rng.uniform(-360, 30)), scope)
            for n in range(12)
            if (scope := [{}, {"country": "FR"}, {"os": "iOS 17"}][int(rng.integers(3))])
            is not None
        ]
        recorded = rng.random() > 0.25
        if recorded:
            changes.append(make_change("cause", -float(rng.exponential(4)), DE))
        first = ranked(evidence, changes)[0]
        said.append(first.probability)
        right.append(first.change_id == ("cause" if recorded else UNKNOWN_CAUSE))
    assert np.mean(right) >= 0.75
    assert abs(np.mean(said) - np.mean(right)) < 0.12
