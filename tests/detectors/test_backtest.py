"""A backtest finds what production would have found: causal, the same on every run, on files."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from detectors.backtest import Backtest
from detectors.configuration import DetectionConfig
from recoup.cli import main
from recoup.demo.shop import Fault, Shop
from recoup.demo.world.generating import generate
from recoup.domain.base import to_ms
from recoup.domain.series import EventBlock

DAYS, SESSIONS = 4.5, 7_000


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    generate(3, "orders_stop", folder, DAYS, SESSIONS)
    return folder


def run(world: Path, events: Path, out: Path, *more: str) -> list[dict[str, object]]:
    changes = str(world / "changes.ndjson")
    assert main(["backtest", str(events), "--changes", changes, "--out", str(out), *more]) == 0
    found: list[dict[str, object]] = json.loads(out.read_text())
    return found


def test_the_outage_is_found_and_no_later_event_is_used(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = json.loads((world / "truth.json").read_text())[0]
    report = tmp_path / "report.html"
    whole = run(world, world / "events.ndjson.gz", tmp_path / "whole.json", "--report", str(report))
    hits = [each for each in whole if truth["onset"] <= str(each["opened_at"]) <= truth["end"]]
    assert hits
    assert hits[0]["kind"] == "business"
    assert {"id", "onset_at", "closed_at", "metric", "cohort", "causes"} <= set(hits[0])
    assert "<svg" in report.read_text()
    assert "a second" in capsys.readouterr().out

    with gzip.open(world / "events.ndjson.gz") as lines:
        cut = [line for line in lines if json.loads(line)["time"] <= truth["end"]]
    part = tmp_path / "part.ndjson"
    part.write_bytes(b"".join(cut))
    early = run(world, part, tmp_path / "part.json")
    settled = [each["id"] for each in whole if str(each["opened_at"]) < truth["end"]]
    assert [each["id"] for each in early][: len(settled)] == settled


def backtest_of(kind: str, seed: int, folder: Path) -> tuple[dict[str, str], list[dict[str, str]]]:
    generate(seed, kind, folder, DAYS, SESSIONS)
    found = run(folder, folder / "events.ndjson.gz", folder / "incidents.json")
    truth = json.loads((folder / "truth.json").read_text())[0]
    return truth, [each for each in found if str(each["opened_at"]) >= truth["onset"]]  # type: ignore[misc] # JSON.


def test_silence_is_noticed_within_minutes_and_once(tmp_path: Path) -> None:
    truth, found = backtest_of("total_outage", 3, tmp_path)
    assert [each["metric"] for each in found] == ["volume:page_viewed"]
    onset, opened = (
        datetime.fromisoformat(text) for text in (truth["onset"], found[0]["opened_at"])
    )
    assert opened - onset < timedelta(minutes=10)
    assert found[0]["kind"] == "business"
    assert found[0]["closed_at"]


def test_a_root_that_more_trials_sharpen_is_ranked_again() -> None:
    end = datetime(2026, 11, 20, 20, tzinfo=UTC)
    start = end - timedelta(hours=36)
    shop = Shop(3, to_ms(start), to_ms(start), sale_factor=2.0, fault=Fault(drop=0.6))
    lines = shop.until(end - timedelta(hours=3))
    shop.flag = lambda _dims: True
    lines += shop.until(end)
    run = Backtest(DetectionConfig(warm_up_ms=30 * 3_600_000), [])
    run.take(EventBlock(1, len(lines), to_ms(end), b"\n".join(lines)))
    run.finish()
    (shown,) = run.shown()
    asked, cohort = shown.incident.asked, shown.incident.cohort
    assert asked.root.items() < cohort.root.items()
    assert shown.ranked is not None
    assert shown.ranked.roots == (cohort,)
    assert shown.evidence is not None
    assert shown.evidence.until_ms > to_ms(shown.incident.opened_at) + 5 * 60_000


def test_lost_beacons_are_no_lost_business(tmp_path: Path) -> None:
    truth, found = backtest_of("tracking_loss", 3, tmp_path)
    assert [each["kind"] for each in found] == ["data_quality"]
    assert found[0]["cohort"] == truth["cohort"]


def test_bad_lines_and_repeats_are_counted(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with gzip.open(world / "events.ndjson.gz") as lines:
        some = [next(lines) for _ in range(300)]
    events = tmp_path / "events.ndjson"
    events.write_bytes(b"".join([*some, b"{broken\n", some[0], b"\n"]))
    assert main(["backtest", str(events), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["events"] == 300
    assert said["duplicates"] == 1
    assert said["rejected"] == 1
    assert said["found"] == []


def test_a_bad_change_is_named_with_its_line(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = tmp_path / "changes.ndjson"
    changes.write_text('{"id":"c1","kind":"deploy","time":"2026-01-01T00:00:00Z"}\n{"id":"c2"}\n')
    events = str(world / "events.ndjson.gz")
    assert main(["backtest", events, "--changes", str(changes)]) == 1
    assert "changes.ndjson:2: kind" in capsys.readouterr().err


def test_two_settings_are_set_side_by_side(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, deaf = tmp_path / "plain.toml", tmp_path / "deaf.toml"
    plain.write_text("[detect]\n")
    deaf.write_text("[detect]\nwarm_up_h = 2000\n")
    events, changes = str(world / "events.ndjson.gz"), str(world / "changes.ndjson")
    out = tmp_path / "compared.json"
    words = ["backtest", events, "--changes", changes, "--out", str(out)]
    assert main([*words, "--compare", str(plain), str(deaf)]) == 0
    assert "detect.warm_up_h" in capsys.readouterr().out
    compared = json.loads(out.read_text())
    truth = json.loads((world / "truth.json").read_text())[0]
    opened = [each["opened_at"] for each in compared["only_a"]]
    assert any(truth["onset"] <= at <= truth["end"] for at in opened)
    assert compared["both"] == compared["only_b"] == []
    assert compared["totals"]["b"]["incidents"] == 0
    assert compared["totals"]["a"]["incidents_a_day"] == pytest.approx(len(opened) / DAYS, rel=0.05)


def test_an_unknown_layer_is_named_with_the_known_ones(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backtest", str(world / "events.ndjson.gz"), "--layers", "crystal_ball"]) == 1
    said = capsys.readouterr().err
    assert "crystal_ball" in said
    assert "half_space_trees" in said
