"""A candidate looks on: what it finds is recorded and compared, and starts nothing."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from detectors.configuration import DetectionConfig
from detectors.shadow import Candidate, projection_of, version_of
from recoup.app import App, build
from recoup.cli import build as commands
from recoup.cli import main
from recoup.demo.shop import Fault, Shop
from recoup.domain.clock import FixedClock
from recoup.domain.cohort import Cohort
from recoup.domain.errors import ConfigurationError
from recoup.domain.facts import (
    FeedbackGiven,
    IncidentOpened,
    LayerAlarmed,
    NewFact,
    ShadowIncidentOpened,
    ShadowIncidentUpdated,
)
from recoup.settings import Settings, load
from recoup.watch import Watch

END = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
BROKEN = END - timedelta(hours=1)
CONFIG = """
[detect]
warm_up_h = 7
[detect.shadow.twin]
snapshot_every_s = 901
[detect.shadow.deaf]
warm_up_h = 2000
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Nine hours of a shop whose widget breaks in the last, watched by three detectors."""
    folder = tmp_path_factory.mktemp("shadow")
    config = folder / "recoup.toml"
    config.write_text(CONFIG)
    settings = load(config, data_dir=folder)
    start = int((END - timedelta(hours=9)).timestamp() * 1000)
    shop = Shop(5, start, start, sale_factor=1.0, fault=Fault(drop=0.95))
    lines = shop.until(BROKEN)
    shop.flag = lambda _dims: True
    halves = [lines, shop.until(END)]
    for half in halves:
        app = build(settings, clock=FixedClock(END))
        for at in range(0, len(half), 5000):
            app.store.ingest(b"\n".join(half[at : at + 5000]))
        watch_until_read(app)
        app.store.close()
    return settings


@pytest.fixture
def app(settings: Settings) -> Iterator[App]:
    app = build(settings, clock=FixedClock(END))
    yield app
    app.store.close()


def watch_until_read(app: App) -> None:
    """Run the detect role until everybody has read everything, and stop it as SIGTERM would."""
    stop = threading.Event()
    role = threading.Thread(target=Watch(app, stop).run)
    role.start()
    candidates = app.settings.detect.candidates().items()
    names = ["detector", *(projection_of(name, version_of(each)) for name, each in candidates)]
    until = time.monotonic() + 200
    while time.monotonic() < until and role.is_alive():
        if min(map(app.store.checkpoint, names)) >= app.store.head() > 0:
            break
        stop.wait(0.1)
    stop.set()
    role.join(60)
    assert min(map(app.store.checkpoint, names)) >= app.store.head() - 1


def test_a_twin_finds_the_same_and_starts_nothing(app: App) -> None:
    facts = app.store.read_facts(limit=10_000)
    live = [each.fact for each in facts if isinstance(each.fact, IncidentOpened)]
    shadow = [each.fact for each in facts if isinstance(each.fact, ShadowIncidentOpened)]
    assert live
    assert {each.candidate for each in shadow} == {"twin"}
    assert [(each.opened_at, each.cohort, each.metric) for each in shadow] == [
        (each.opened_at, each.cohort, each.metric) for each in live
    ]
    assert len({each.fact_id for each in facts}) == len(facts)
    assert [each.id for each in app.store.incidents.list()] == [
        each.incident_id for each in reversed(live)
    ]


def test_the_report_compares_with_what_people_said(settings: Settings, app: App) -> None:
    opened = app.store.incidents.list()[-1]
    label = FeedbackGiven(incident_id=opened.id, label="confirmed", by="anna")
    app.store.append(opened.id, [NewFact(fact_id="label", fact=label, occurred_at=END)])
    words = ["shadow", "report", "--config", str(settings.config_file)]
    words += ["--data", str(settings.data_dir)]
    shown = CliRunner().invoke(commands(), [*words, "--json"])
    assert shown.exit_code == 0, shown.output
    deaf, twin = sorted(json.loads(shown.stdout), key=lambda each: str(each["candidate"]))
    assert twin["said"]["verified_found"] == deaf["said"]["verified_missed"] == 1
    assert [each["earlier_minutes"] for each in twin["both"]] == [0.0] * len(twin["both"])
    assert twin["both"]
    assert not twin["only_live"]
    assert not deaf["both"]
    assert [each["name"] for each in deaf["differences"]] == ["detect.warm_up_h"]
    told = CliRunner().invoke(commands(), [*words, "deaf", "--since", "2026-11-20"])
    assert "verified" in told.output
    assert "twin" not in told.output


def test_a_candidates_layers_are_recorded_as_its_own() -> None:
    config = DetectionConfig(layers=("ewma",))
    candidate = Candidate("layered", "1", config)
    began = LayerAlarmed(
        alarm_id="lay_1", layer="ewma", cohort=Cohort({"os": "iOS"}),
        onset_at=BROKEN, raised_at=END,
        expected=0.05, observed=0.4, trials=9, statistic=12.0, threshold=11.0,
    )  # fmt: skip
    ended = began.model_copy(update={"ended_at": END + timedelta(hours=3)})
    for number, fact in enumerate((began, ended)):
        new = NewFact(fact_id=f"f{number}", fact=fact, occurred_at=END)
        candidate.engine._out.facts.append(("layers", new))
    candidate._after_tick(0)
    opened, over = (new.fact for _, new in candidate.take())
    assert isinstance(opened, ShadowIncidentOpened)
    assert (opened.kind, opened.metric, opened.opened_at) == ("layer", "layer:ewma", END)
    assert isinstance(over, ShadowIncidentUpdated)
    assert over.ended_at == ended.ended_at


def test_unknown_candidates_and_settings_are_named(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["shadow", "report", "nobody", "--config", str(settings.config_file)]
    assert main(words) == 1
    assert "detect.shadow.nobody" in capsys.readouterr().err
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[detect.shadow.eager]\nwarmup = 3\n")
    with pytest.raises(ConfigurationError, match=r"detect\.warmup"):
        load(wrong)
