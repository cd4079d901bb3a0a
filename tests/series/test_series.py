"""Scores of series: from past rows only, better than the usual detector, errors with a line."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from detectors.series.composition import CompositionView
from detectors.series.scorer import score_rows
from recoup.cli import main
from tests.series import corpus, recorded_like
from tests.series.peers import holt_winters
from tests.series.standard_profile import standard_score


def rows_of(case: corpus.Case) -> list[tuple[float, float]]:
    times, values, _ = case
    return list(zip((times + corpus.START).tolist(), values.tolist(), strict=True))


@pytest.mark.parametrize("name", list(corpus.FAMILIES))
def test_a_score_never_uses_a_later_row(name: str) -> None:
    rows = rows_of(corpus.FAMILIES[name](np.random.default_rng(3)))[:1500]
    whole = list(score_rows(rows))
    for cut in (200, 777, 1400):
        assert list(score_rows(rows[:cut])) == whole[:cut]


def test_the_standard_profile_is_beyond_the_usual_detector() -> None:
    mine, theirs = [], []
    for _, case in corpus.corpus(seed=17, each=2):
        scores = np.array([each.anomaly_score for each in score_rows(rows_of(case))])
        mine.append((scores, case[2]))
        theirs.append((holt_winters(case[1]), case[2]))
    ours, usually = standard_score(mine).score, standard_score(theirs).score
    assert ours > 40
    assert ours > usually + 10


def test_it_holds_on_series_with_the_habits_of_recorded_ones() -> None:
    mine, theirs = [], []
    for _, case in list(recorded_like.recorded_like(5))[::3]:
        scores = np.array([each.anomaly_score for each in score_rows(rows_of(case))])
        mine.append((scores, case[2]))
        theirs.append((holt_winters(case[1]), case[2]))
    ours, usually = standard_score(mine).score, standard_score(theirs).score
    assert ours > 40
    assert ours > usually + 8


def test_the_profile_rewards_what_is_early_once_and_charges_what_is_wrong() -> None:
    def score(*rows: int) -> float:
        scores = np.zeros(1000)
        scores[list(rows)] = 0.5
        return standard_score([(scores, [(500, 599)])]).score

    assert score(500) == pytest.approx(100.0)
    assert 50 < score(590) < score(550) < score(500, 550) == score(500)
    assert score(500, 900) == pytest.approx(100.0 - 50 * 0.11)
    assert score(500, 605) > score(500, 900)
    assert score() == score(900) == score(20) == 0.0


def test_a_composition_is_new_once_whatever_its_order() -> None:
    rng = np.random.default_rng(4)
    view = CompositionView(52)
    usual = [view.rate(float(value)) for value in rng.integers(0, 5, 600)]
    assert sum(each > 0 for each in usual) <= 4
    extreme = [view.rate(value) for value in [0.0, 4.0] * 26]
    assert max(extreme) > 3.0
    for value in rng.integers(0, 5, 300):
        view.rate(float(value))
    again = [view.rate(value) for value in [0.0] * 26 + [4.0] * 26]
    assert again[-1] == 0.0


def test_a_composition_is_told_apart_after_the_range_has_grown() -> None:
    view = CompositionView(26)
    for value in [1.0, 2.0] * 40:
        view.rate(value)
    first = [view.rate(value) for value in [50.0] * 26]
    assert max(first) > 1.0
    back = [view.rate(value) for value in [1.0, 2.0] * 40]
    assert back[-1] == 0.0
    assert view.rate(1.0) == view.rate(2.0) == 0.0


def test_folder_in_folder_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    (source / "deep").mkdir(parents=True)
    lines = ["timestamp,value"]
    lines += [f"2026-01-01 {n // 60:02}:{n % 60:02}:00,{10 + n % 7}" for n in range(600)]
    lines[400] = lines[400].rpartition(",")[0] + ","
    lines[500] = lines[500].rpartition(",")[0] + ",500"
    for name in ("a.csv", "deep/b.csv"):
        (source / name).write_text("\n".join(lines) + "\n")
    assert main(["series", str(source), "--out", str(out), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert [each["series"] for each in summary] == ["a.csv", "deep/b.csv"]
    with (out / "deep" / "b.csv").open() as scored:
        found = list(csv.DictReader(scored))
    assert list(found[0]) == ["timestamp", "value", "anomaly_score", "alarm"]
    assert [row["value"] for row in found] == [line.partition(",")[2] for line in lines[1:]]
    worst = max(range(600), key=lambda n: float(found[n]["anomaly_score"]))
    assert 499 <= worst < 510
    assert found[499]["alarm"] == "1"
    assert all(0 <= float(row["anomaly_score"]) <= 1 for row in found)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("time,value\n1,2\n", "x.csv:1: needs the columns timestamp,value"),
        ("timestamp,value\n2026-13-01,2\n", "x.csv:2: '2026-13-01' is not a time"),
        ("timestamp,value\n1,2\n2\n", "x.csv:3: has 1 fields, not 2"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    (tmp_path / "x.csv").write_text(text)
    assert main(["series", str(tmp_path / "x.csv")]) == 1
    assert says in capsys.readouterr().err


def test_a_constant_series_is_no_anomaly() -> None:
    assert not any(each.alarm for each in score_rows([(60.0 * n, 5.0) for n in range(2000)]))
